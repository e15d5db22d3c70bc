package testdb_test

import (
	"path/filepath"
	"testing"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/pgtest"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
)

// TestOnEveryStore tests what the server and its store do together, on each.
func TestOnEveryStore(t *testing.T) {
	t.Parallel()
	behaviours := map[string]func(*testing.T, testdb.Store){
		"recorded exchanges":                replayAll,
		"recorded connection":               replayWire,
		"names that look like others":       testNames,
		"fields that are found by":          testFoundBy,
		"any details":                       testAnyDetails,
		"numbers in deploy results":         testNumbers,
		"updates of cases":                  testUpdates,
		"scenarios":                         testScenarios,
		"scenarios found by what they have": testScenarioFilters,
	}
	for name, start := range map[string]func(*testing.T) func(*testing.T) testdb.Store{
		"memory":     func(*testing.T) func(*testing.T) testdb.Store { return memory },
		"SQLite":     func(*testing.T) func(*testing.T) testdb.Store { return sqlite },
		"PostgreSQL": postgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newStore := start(t)
			for name, test := range behaviours {
				t.Run(name, func(t *testing.T) { test(t, newStore(t)) })
			}
		})
	}
}

func memory(*testing.T) testdb.Store { return newMemStore() }

func sqlite(t *testing.T) testdb.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "testdb.sqlite"))
}

func postgres(t *testing.T) func(*testing.T) testdb.Store {
	t.Helper()
	server := pgtest.Start(t)
	return func(t *testing.T) testdb.Store {
		t.Helper()
		return open(t, server.Database(t))
	}
}

// open opens a store until the test ends.
func open(t *testing.T, dsn string) testdb.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
