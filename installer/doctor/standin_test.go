package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
)

// A standIn answers as a Docker Engine would, and is none. Its containers
// write log and end.
type standIn struct {
	socket     string
	info       docker.Info
	infoErr    error
	images     map[string]docker.Image
	registries map[string]string // digests by reference
	running    []docker.ContainerState
	networks   []string
	log        string
	exit       int
	hang       bool          // containers do not end
	waiting    chan struct{} // closed when one is waited for

	mu      sync.Mutex
	created []docker.Container
	removed []string
}

var _ Engine = (*standIn)(nil)

// newStandIn is an engine with which nothing is wrong.
func newStandIn(t testing.TB) *standIn {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "docker.sock")
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return &standIn{socket: socket, info: docker.Info{
		Version: "20.10.24+dfsg1", APIVersion: "1.41", OS: "linux", Arch: "amd64", OSName: "Debian", RootDir: t.TempDir(), Time: time.Now(),
	}}
}

func (s *standIn) Host() string {
	if s.socket == "" {
		return "tcp://192.0.2.7:2376"
	}
	return "unix://" + s.socket
}
func (s *standIn) SocketPath() string                        { return s.socket }
func (s *standIn) Info(context.Context) (docker.Info, error) { return s.info, s.infoErr }

func (s *standIn) Image(_ context.Context, ref string) (docker.Image, error) {
	if found, ok := s.images[ref]; ok {
		return found, nil
	}
	return docker.Image{}, fmt.Errorf("look up image %s: %w", ref, docker.ErrNotFound)
}

func (s *standIn) Distribution(_ context.Context, ref string) (string, error) {
	if digest, ok := s.registries[ref]; ok {
		return digest, nil
	}
	return "", errors.New("ask for the digest of image " + ref + ": no such host")
}

func (s *standIn) Containers(_ context.Context, labels map[string]string) ([]docker.ContainerState, error) {
	return slices.DeleteFunc(slices.Clone(s.running), func(c docker.ContainerState) bool {
		for name, value := range labels {
			if c.Labels[name] != value {
				return true
			}
		}
		return false
	}), nil
}

func (s *standIn) Network(_ context.Context, name string) (docker.Network, error) {
	if !slices.Contains(s.networks, name) {
		return docker.Network{}, fmt.Errorf("look up network %s: %w", name, docker.ErrNotFound)
	}
	return docker.Network{Name: name}, nil
}

func (s *standIn) Create(_ context.Context, c docker.Container) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created = append(s.created, c)
	return "id", nil
}

func (s *standIn) Start(context.Context, string) error { return nil }

func (s *standIn) Wait(ctx context.Context, _ string) (docker.Exit, error) {
	if s.hang {
		close(s.waiting)
		<-ctx.Done()
		return docker.Exit{}, ctx.Err()
	}
	return docker.Exit{Code: s.exit}, nil
}

func (s *standIn) Logs(_ context.Context, _ string, o docker.LogOptions) error {
	_, err := io.WriteString(o.Stdout, s.log)
	return err
}

func (s *standIn) Remove(ctx context.Context, id string, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removed = append(s.removed, id)
	return ctx.Err()
}

// options are those of a site with that engine, whose other parts are fine.
func options(t testing.TB, engine *standIn) Options {
	t.Helper()
	site := config.Default()
	site.Stack.Prefix = t.TempDir()
	site.Kubeconfig = filepath.Join(t.TempDir(), "absent")
	return Options{
		Site: site, Connect: func(context.Context) (Engine, error) { return engine, nil },
		OwnImage: func(context.Context, Engine) (string, error) { return "xtci.local/xtci:test", nil },
	}
}

// results does the checks that are selected and returns how each ended.
func results(t testing.TB, o Options, only ...string) map[string]Result {
	t.Helper()
	o.Only = only
	all := map[string]Result{}
	if err := Run(t.Context(), o, func(r Result) { all[r.Name] = r }); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if r := all[name]; (r.Status == Warn || r.Status == Fail) && r.Advice == "" {
			t.Errorf("%s: %s without advice: %s", name, r.Status, r.Seen)
		}
	}
	return all
}

// want compares a result with a status and parts of what it says.
func want(t testing.TB, r Result, status Status, parts ...string) {
	t.Helper()
	if r.Status != status {
		t.Errorf("%s: %s, want %s: %s", r.Name, r.Status, status, r.Seen)
	}
	for _, part := range parts {
		if !strings.Contains(r.Seen+" | "+r.Advice, part) {
			t.Errorf("%s says %q and advises %q, want %q", r.Name, r.Seen, r.Advice, part)
		}
	}
}

// open lets everybody use the socket.
func (s *standIn) open() error { return os.Chmod(s.socket, 0o666) } //nolint:gosec // that is what is tested
