// Package pgtest starts a PostgreSQL server for tests, from the binaries of
// the system (Debian: postgresql), in a temporary folder and on a Unix socket
// in it alone. Nothing of a server that runs already is touched.
package pgtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// startTimeout bounds the making and starting of a server.
const startTimeout = time.Minute

// A Server is a running PostgreSQL of a test.
type Server struct {
	dir  string
	next atomic.Int32 // the number of the next database
}

// Start starts a server and stops it at the end of the test. Where there are
// no binaries of PostgreSQL the test is skipped, or fails if the environment
// has CI: there it must not go unnoticed. The server does not wait for its
// disk: what is on disk after a crash is not for it to show.
func Start(t testing.TB) *Server {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v; CI must not skip this", err)
		}
		t.Skipf("NOT TESTED ON POSTGRESQL: %v", err)
	}
	owner, err := owner()
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	// Not t.TempDir: its folders are closed to the user of the server.
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the PostgreSQL of the test: %v", err)
		}
	})
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s := &Server{dir: dir}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	initdb := s.command(ctx, owner, bin, "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D", s.data())
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.run(ctx, t, owner, bin)
	return s
}

// run starts the server, waits until it answers, and stops it in the end.
func (s *Server) run(ctx context.Context, t testing.TB, owner *syscall.Credential, bin string) {
	t.Helper()
	var log bytes.Buffer
	// It outlives ctx, and not the test.
	server := s.command(context.WithoutCancel(ctx), owner, bin, "postgres", "-F", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=")
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		// SIGINT is its fast shutdown: clients are cut off.
		if err := server.Process.Signal(syscall.SIGINT); err != nil {
			t.Errorf("stop PostgreSQL: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("PostgreSQL did not stop in order: %v\n%s", err, log.String())
		}
	})
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case gone := <-ended:
			ended <- gone // for the clean-up
			t.Fatalf("PostgreSQL ended: %v\n%s", gone, log.String())
		case <-ctx.Done():
			t.Fatalf("PostgreSQL does not answer: %v", err)
		}
	}
}

// Database makes a new, empty database and returns its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", s.next.Add(1))
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("make a database: %v", err)
	}
	return s.url(name)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) url(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return u.String()
}

// command is a command of PostgreSQL, as its owner. It dies with the test
// binary: a test that is killed leaves no server.
func (s *Server) command(ctx context.Context, owner *syscall.Credential, bin, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + bin + ":/usr/bin:/bin", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true, Pdeathsig: syscall.SIGINT}
	return cmd
}

// owner is the user that the server runs as, if it cannot be the user of the
// test: PostgreSQL refuses to be root.
func owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// binaries finds the folder of the newest PostgreSQL.
func binaries() (string, error) {
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres"); err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := exec.LookPath("postgres")
	if err != nil {
		return "", fmt.Errorf("PostgreSQL is not installed (Debian: apt-get install postgresql): %w", err)
	}
	return filepath.Dir(path), nil
}
