package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/pgtest"
)

func TestSQLiteWritesToDiskBeforeItAnswers(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	for pragma, want := range map[string]string{"synchronous": "2", "journal_mode": "wal"} { // 2 is FULL
		var got string
		if err := s.writer.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
	if _, err := s.reader.ExecContext(t.Context(), `DELETE FROM results`); err == nil {
		t.Error("a reading connection writes")
	}
}

// The log is bounded: by slow clients, who hold no snapshot, not at all, and
// by one who does hold one only until he is done.
func TestTheLogIsBounded(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	n := 0
	write := func(mebibytes int) {
		for range mebibytes {
			n++
			insert(t, s, n, strings.Repeat("x", 1<<20))
		}
	}
	write(3)
	for _, err := range s.Find(t.Context(), testdb.Results, testdb.Query{Limit: 3, Newest: true}) {
		if err != nil {
			t.Fatal(err)
		}
		write(40)
		if size := logSize(t, s); size > maxLog {
			t.Errorf("while a client has read a part, the log has %d bytes", size)
		}
	}
	tx, err := s.reader.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // a test's
	var count int
	if err := tx.QueryRowContext(t.Context(), `SELECT count(*) FROM results`).Scan(&count); err != nil {
		t.Fatal(err)
	}
	write(100)
	if size := logSize(t, s); size <= maxLog {
		t.Fatalf("the log has %d bytes: nothing holds it", size)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	write(40)
	if size := logSize(t, s); size > maxLog {
		t.Errorf("when the reader is done, the log has %d bytes", size)
	}
}

func TestMigrations(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		testMigrations(t, filepath.Join(t.TempDir(), "test.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		testMigrations(t, pgtest.Start(t).Database(t))
	})
}

func testMigrations(t *testing.T, dsn string) {
	ctx := t.Context()
	s, err := Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	insert(t, s, 1, "x")
	steps, err := fs.Glob(migrationFiles, s.d.migrations()+"/*.sql")
	if err != nil || len(steps) == 0 {
		t.Fatalf("%d steps: %v", len(steps), err)
	}
	with := func(steps map[string]string) fstest.MapFS {
		files := fstest.MapFS{}
		err := fs.WalkDir(migrationFiles, ".", func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := migrationFiles.ReadFile(path)
			files[path] = &fstest.MapFile{Data: data}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, step := range steps {
			files[s.d.migrations()+"/"+name] = &fstest.MapFile{Data: []byte(step)}
		}
		return files
	}
	next, after := len(steps)+1, len(steps)+2
	name := func(n int) string { return fmt.Sprintf("%04d_more.sql", n) }

	if err := migrate(ctx, s.writer, s.d, with(map[string]string{name(after): "SELECT 1"})); err == nil {
		t.Error("a gap in the numbers went unnoticed")
	}
	// Of a step that fails, nothing stays.
	if err := migrate(ctx, s.writer, s.d, with(map[string]string{name(next): "CREATE TABLE more (n INTEGER); SELECT nonsense"})); err == nil {
		t.Error("a step that fails went unnoticed")
	}
	newer := with(map[string]string{name(next): "CREATE TABLE more (n INTEGER); INSERT INTO more VALUES (1)", name(after): "UPDATE more SET n = 2"})
	for range 2 { // the second time there is nothing to do
		if err := migrate(ctx, s.writer, s.d, newer); err != nil {
			t.Fatal(err)
		}
	}
	var n, version int
	if err := s.reader.QueryRowContext(ctx, `SELECT n, (SELECT max(version) FROM schema_version) FROM more`).Scan(&n, &version); err != nil || n != 2 || version != after {
		t.Errorf("got %d and version %d, want 2 and %d: %v", n, version, after, err)
	}
	if doc, err := s.Get(ctx, testdb.Results, fmt.Sprintf("%024x", 1)); err != nil {
		t.Errorf("the result of before is gone: %v %v", doc, err)
	}
	_, err = Open(ctx, dsn)
	if err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v, want that a newer database is refused", err)
	}
}

// One that fails in a way of its own fails alone.
func TestOneFailureInATransaction(t *testing.T) {
	t.Parallel()
	s := openFile(t)
	own := errors.New("its own failure")
	var writes []*write
	for i := range 5 {
		writes = append(writes, &write{given: t.Context().Err, done: make(chan error, 1), apply: func(ctx context.Context, b *batch) error {
			if _, err := b.exec(ctx, `INSERT INTO tokens (hash, name) VALUES (?, ?)`, []byte{byte(i)}, "a"); err != nil {
				return err
			}
			if i == 3 {
				return own
			}
			return nil
		}})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	writes[1].given = ctx.Err
	// The writer of the store has nothing to do meanwhile.
	s.commit(t.Context(), writes)
	for i, w := range writes {
		want := map[int]error{1: context.Canceled, 3: own}[i]
		if err := <-w.done; !errors.Is(err, want) {
			t.Errorf("change %d: got %v, want %v", i, err, want)
		}
		stored, err := s.HasToken(t.Context(), []byte{byte(i)})
		if err != nil || stored != (want == nil) {
			t.Errorf("change %d: it is stored: %v (%v)", i, stored, err)
		}
	}
}

func openFile(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "test.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func insert(t *testing.T, s *Store, n int, details string) {
	t.Helper()
	id := fmt.Sprintf("%024x", n)
	body := fmt.Appendf(nil, `{"_id": %q, "build_tag": "t", "details": %q}`, id, details)
	if err := s.Insert(t.Context(), testdb.Results, testdb.Document{ID: id, Key: id, Body: body}); err != nil {
		t.Fatal(err)
	}
}

func logSize(t *testing.T, s *Store) int64 {
	t.Helper()
	log, err := os.Stat(s.name + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	return log.Size()
}

// FuzzMembers reads anything; what is JSON it reads as the decoder does.
func FuzzMembers(f *testing.F) {
	for _, seed := range []string{``, `{`, `{"a"`, `{"a":`, `{"a":}`, `{"a":]`, `{"a" 1}`, `{"a":"\`, `{"\`, `[1]`, `{"a":{"b":[1,"}"]},"c" : null , "d":-1.5e3}`, `{"\u00e4\"":"\\"}`, `{"a":1,}`, `{"a":1"b":2}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, object []byte) {
		got := map[string]json.RawMessage{}
		for name, value := range members(object) {
			got[name] = slices.Clone(value)
		}
		var want map[string]json.RawMessage
		if !utf8.Valid(object) || json.Unmarshal(object, &want) != nil || want == nil {
			return
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("members of %q (-want +got):\n%s", object, d)
		}
	})
}
