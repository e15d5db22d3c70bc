package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/pgtest"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
)

// It does not run beside others: it counts goroutines.
func TestAClosedStoreLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for i := range 5 {
		s, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
		check(t, err, nil)
		check(t, s.Insert(t.Context(), testdb.Results, result(i, nil)), nil)
		for _, err := range s.Find(t.Context(), testdb.Results, testdb.Query{}) {
			check(t, err, nil)
			break
		}
		check(t, s.Close(), nil)
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for range 500 {
		if runtime.NumGoroutine() <= before {
			return
		}
		<-again.C
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "test.db"))
	check(t, s.Insert(t.Context(), testdb.Results, result(1, nil)), nil)
	check(t, s.Backup(t.Context(), filepath.Join(dir, "backup.db")), nil)
	entries, err := os.ReadDir(dir)
	check(t, err, nil)
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		check(t, err, nil)
		names = append(names, entry.Name())
		diff(t, entry.Name(), fs.FileMode(0o600), info.Mode())
	}
	diff(t, "files", []string{"backup.db", "test.db", "test.db-shm", "test.db-wal"}, names)
}

func TestWhatIsNoDatabaseIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "notes.txt")
	text := strings.Repeat("not a database\n", 1000)
	check(t, os.WriteFile(path, []byte(text), 0o600), nil)
	for _, dsn := range []string{path, dir, filepath.Join(dir, "no", "such", "folder.db")} {
		if s, err := sqlstore.Open(t.Context(), dsn); err == nil {
			t.Errorf("%s was opened", dsn)
			check(t, s.Close(), nil)
		} else if !strings.Contains(err.Error(), dsn) {
			t.Errorf("the error does not name %s: %v", dsn, err)
		}
	}
	got, err := os.ReadFile(path)
	check(t, err, nil)
	diff(t, "the file", text, string(got))
}

func TestBackupIsConsistentWhileOthersWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "test.db"))
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for client := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				err := s.Insert(ctx, testdb.Results, result(client<<32|i, map[string]any{"build_tag": fmt.Sprint("t", i%10), "criteria": "PASS"}))
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	for i := range 5 {
		file := filepath.Join(dir, fmt.Sprintf("backup%d.db", i))
		check(t, s.Insert(t.Context(), testdb.Results, result(9<<40|i, nil)), nil)
		check(t, s.Backup(t.Context(), file), nil)
		sound(t, file)
		backup := open(t, file)
		_, err := backup.Get(t.Context(), testdb.Results, id(9<<40|i))
		check(t, err, nil)
		check(t, s.Backup(t.Context(), file), fs.ErrExist)
	}
	cancel()
	writers.Wait()

	check(t, s.Backup(ctx, filepath.Join(dir, "late.db")), context.Canceled)
	left, err := filepath.Glob(filepath.Join(dir, "*late*"))
	check(t, err, nil)
	part, err := filepath.Glob(filepath.Join(dir, "*part*"))
	check(t, err, nil)
	diff(t, "what an interrupted backup leaves", 0, len(left)+len(part))
	if err := s.Backup(t.Context(), filepath.Join(dir, "no", "folder.db")); err == nil {
		t.Error("a backup went where there is no folder")
	}
}

func TestPostgreSQLHasItsOwnBackup(t *testing.T) {
	t.Parallel()
	s := open(t, pgtest.Start(t).Database(t))
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "backup")); err == nil || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("got %v, want an error that names pg_dump", err)
	}
}

func TestPasswordsAreNotInErrors(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://u:geheim@127.0.0.1:1/db", "postgres://u:geheim@[::1/db", "postgresql://u:geheim@127.0.0.1:1/db?sslmode=perhaps"} {
		if _, err := sqlstore.Open(t.Context(), dsn); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("got %v, want an error without the password", err)
		}
	}
}

// TestFullDisk fills a small disk for real.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("NOT TESTED ON A FULL DISK: a small one cannot be mounted here (that takes root): %v", err)
	}
	t.Cleanup(func() { check(t, syscall.Unmount(disk, 0), nil) })
	ballast := filepath.Join(disk, "ballast")
	check(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600), nil)
	path := filepath.Join(disk, "test.db")
	s := open(t, path)

	var m model
	var full error
	for i := 0; i < 1000 && full == nil; i++ {
		doc := result(i, map[string]any{"build_tag": "t", "details": strings.Repeat("x", 50_000)})
		if full = s.Insert(t.Context(), testdb.Results, doc); full == nil {
			m = append(m, newEntry(doc))
		}
	}
	check(t, full, testdb.ErrFull)
	if full == nil || !strings.Contains(full.Error(), path) {
		t.Errorf("the error does not name the file: %v", full)
	}
	t.Logf("after %d results: %v", len(m), full)

	for range 3 { // and what is there can be read, however often one tries to write
		check(t, s.Insert(t.Context(), testdb.Results, result(5000, map[string]any{"details": strings.Repeat("x", 4<<20)})), testdb.ErrFull)
		diff(t, "results", ids(m.docs()), ids(all(t, s.Find(t.Context(), testdb.Results, testdb.Query{}))))
		n, err := s.Count(t.Context(), testdb.Results, testdb.Query{Filters: []testdb.Filter{{Path: "build_tag", Value: "t"}}})
		check(t, err, nil)
		diff(t, "count", len(m), n)
	}
	check(t, s.Backup(t.Context(), filepath.Join(disk, "backup.db")), testdb.ErrFull)

	check(t, os.Remove(ballast), nil)
	for i := range 10 {
		doc := result(2000+i, map[string]any{"build_tag": "t", "details": strings.Repeat("x", 50_000)})
		check(t, s.Insert(t.Context(), testdb.Results, doc), nil)
		m = append(m, newEntry(doc))
	}
	check(t, s.Ping(t.Context()), nil)
	diff(t, "results after there was room again", ids(m.docs()), ids(all(t, s.Find(t.Context(), testdb.Results, testdb.Query{}))))
	check(t, s.Close(), nil)
	sound(t, path)
}
