package pgtest_test

import (
	"database/sql"
	"testing"

	"github.com/anuket-project/xtci/installer/testdb/pgtest"
)

func TestEachDatabaseIsNewAndEmpty(t *testing.T) {
	server := pgtest.Start(t)
	for range 2 {
		db, err := sql.Open("pgx", server.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), `CREATE TABLE once (n INTEGER)`); err != nil {
			t.Errorf("the database is not empty: %v", err)
		}
	}
}
