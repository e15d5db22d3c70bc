package sqlstore_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
)

const (
	victimEnv      = "SQLSTORE_TEST_VICTIM_DB"
	victimRoundEnv = "SQLSTORE_TEST_VICTIM_ROUND"
	kills          = 100
)

// TestKilledAtAnyMoment kills a process that inserts, with SIGKILL, a hundred
// times on one file. Each time, every result that was acknowledged is there.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	random := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	acknowledged := 0
	for round := range kills {
		acks := killOne(t, random, path, round)
		acknowledged += len(acks)
		s := open(t, path)
		for _, id := range acks {
			if _, err := s.Get(t.Context(), testdb.Results, id); err != nil {
				t.Fatalf("round %d: of %d acknowledged results, one is gone: %v", round, len(acks), err)
			}
		}
		n, err := s.Count(t.Context(), testdb.Results, testdb.Query{})
		check(t, err, nil)
		if n < acknowledged {
			t.Fatalf("round %d: %d results are counted, of %d that were acknowledged", round, n, acknowledged)
		}
		check(t, s.Close(), nil)
		if round%10 == 9 {
			sound(t, path)
		}
	}
	t.Logf("%d results acknowledged by %d processes", acknowledged, kills)
	if acknowledged < kills {
		t.Error("too few results were written for this to tell anything")
	}
}

// killOne starts a process, kills it, and returns what it had acknowledged.
func killOne(t *testing.T, random *rand.Rand, path string, round int) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+path, fmt.Sprintf("%s=%d", victimRoundEnv, round))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var acks []string
	// One in eight is killed while it starts and opens the file.
	if round%8 != 0 && lines.Scan() {
		acks = append(acks, lines.Text())
	}
	kill := time.AfterFunc(time.Duration(random.IntN(40_000))*time.Microsecond, func() { cmd.Process.Kill() }) //nolint:errcheck // Wait tells
	defer kill.Stop()
	for lines.Scan() {
		acks = append(acks, lines.Text())
	}
	if err := cmd.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("round %d: the process was not killed: %v %s", round, err, stderr.String())
	}
	return acks
}

// victim inserts until it is killed, and writes the ID of each result that is
// stored.
func victim(path, round string) error {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, path)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	failed := make(chan error, 8)
	for client := range cap(failed) {
		group.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%08s%04x%012x", round, client, i)
				fields := map[string]any{"_id": id, "build_tag": "tag-" + round, "criteria": "PASS", "details": map[string]any{"n": i}}
				if err := s.Insert(ctx, testdb.Results, testdb.Document{ID: id, Key: id, Body: body(fields)}); err != nil {
					failed <- err
					return
				}
				if _, err := fmt.Fprintln(os.Stdout, id); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	return <-failed
}

// sound checks a database file: the structure of SQLite, and that counters
// and campaigns are those of the results.
func sound(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for query, want := range map[string]string{
		`PRAGMA integrity_check`: "ok",
		`SELECT (SELECT count(*) FROM results) - (SELECT count(*) FROM results_bodies)`:                                   "0",
		`SELECT (SELECT count(*) FROM results) - (SELECT n FROM counters WHERE collection = 'results' AND field = '')`:    "0",
		`SELECT (SELECT count(*) FROM results WHERE build_tag <> '') - (SELECT coalesce(sum(results), 0) FROM campaigns)`: "0",
		`SELECT count(*) FROM (SELECT build_tag, count(*) AS n FROM results WHERE build_tag IS NOT NULL GROUP BY build_tag) r
			LEFT JOIN counters c ON c.collection = 'results' AND c.field = 'build_tag' AND c.value = r.build_tag WHERE c.n IS NOT r.n`: "0",
	} {
		var got string
		if err := db.QueryRowContext(t.Context(), query).Scan(&got); err != nil {
			t.Errorf("%s: %v", query, err)
		}
		diff(t, query, want, got)
	}
}
