// Package miniotest starts a real MinIO for tests.
package miniotest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anuket-project/xtci/config"
)

// A Server is a MinIO that runs.
type Server struct {
	Endpoint  string // http://127.0.0.1:PORT
	AccessKey string
	SecretKey config.Secret
	Folder    string // where it keeps its files
	cmd       *exec.Cmd
	gone      chan error
}

const (
	// startTime is how long it may take to answer; on a busy machine it needs
	// several seconds.
	startTime = 60 * time.Second
	// Demand names, separated by commas, what tests may not do without.
	demand = "XTCI_TEST_DEMAND"
)

// Start starts a MinIO with an empty folder, on a free port of loopback,
// until the test ends. Where there is no program minio the test is skipped,
// loudly, or fails if XTCI_TEST_DEMAND has the word minio.
func Start(t testing.TB) *Server {
	t.Helper()
	program := find()
	if program == "" {
		const missing = "NOT TESTED with a real object store: no program minio, neither in ~/.cache/xtci-test nor on PATH"
		if slices.Contains(strings.Split(os.Getenv(demand), ","), "minio") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	folder := t.TempDir()
	var err error
	for range 5 { // the free port may be taken by another in between
		var s *Server
		if s, err = start(t, program, folder); err == nil {
			t.Cleanup(func() { s.stop(t) })
			return s
		}
	}
	t.Fatalf("start %s: %v", program, err)
	return nil
}

// find returns the program: that of this project's tests, or any.
func find() string {
	if cache, err := os.UserCacheDir(); err == nil {
		program := filepath.Join(cache, "xtci-test", "minio")
		if info, err := os.Stat(program); err == nil && info.Mode().Perm()&0o111 != 0 {
			return program
		}
	}
	program, err := exec.LookPath("minio")
	if err != nil {
		return ""
	}
	return program
}

func start(t testing.TB, program, folder string) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	console, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &Server{Endpoint: "http://" + address, AccessKey: "xtcitest", SecretKey: config.Secret(rand.Text()), Folder: folder, gone: make(chan error, 1)}
	s.cmd = exec.Command(program, "server", "--quiet", "--address", address, "--console-address", console, folder)
	s.cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+s.AccessKey, "MINIO_ROOT_PASSWORD="+s.SecretKey.Reveal(), "MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME="+folder)
	said := &tail{}
	s.cmd.Stdout, s.cmd.Stderr = said, said
	dieWithUs(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.gone <- s.cmd.Wait() }()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		s.stop(t)
		return nil, fmt.Errorf("%w\n%s", err, said)
	}
	return s, nil
}

// freeAddress is one on which nobody listened just now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// ready waits until the server takes requests.
func (s *Server) ready(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-s.gone:
			s.gone <- err // for stop
			return fmt.Errorf("it ended: %w", errors.Join(err))
		case <-ctx.Done():
			return errors.New("it does not answer")
		case <-tick.C:
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint+"/minio/health/ready", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			continue
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// stop ends the server and waits until it is gone.
func (s *Server) stop(t testing.TB) {
	_ = s.cmd.Process.Kill() // it may be gone
	select {
	case <-s.gone: //nolint:errcheck // that it was killed
	case <-time.After(startTime):
		t.Error("MinIO cannot be stopped")
	}
}

// Copy makes more objects out of one, under names beside it, faster than the
// server takes them and with the disk space of one: it copies what the server
// keeps of it, and links to what it holds.
func (s *Server) Copy(t testing.TB, bucket, key string, names []string) {
	t.Helper()
	object := filepath.Join(s.Folder, bucket, filepath.FromSlash(key))
	for _, name := range names {
		copied := filepath.Join(filepath.Dir(object), name)
		err := filepath.WalkDir(object, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			to := copied + strings.TrimPrefix(file, object)
			switch {
			case entry.IsDir():
				return os.MkdirAll(to, 0o755)
			case entry.Name() == "xl.meta":
				content, err := os.ReadFile(file)
				return errors.Join(err, os.WriteFile(to, content, 0o644))
			}
			return os.Link(file, to)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Kill ends the server at once, as a lost machine does. Its files stay.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.stop(t)
	s.gone <- nil
}

// A tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > maxTail {
		t.text = t.text[len(t.text)-maxTail:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
