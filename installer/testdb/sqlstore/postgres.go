package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the dialect of PostgreSQL.
type postgres struct{}

func openPostgres(_ context.Context, dsn string) (*Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, err // it leaves the password out
	}
	// Plans are made for the values: those of a build tag and of a criteria
	// have nothing in common.
	config.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
	reader := stdlib.OpenDB(*config)
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	writer := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(commitToDisk))
	writer.SetMaxOpenConns(1)
	name := fmt.Sprintf("%s on %s", config.Database, config.Host)
	return &Store{name: name, d: postgres{}, reader: reader, writer: writer}, nil
}

// commitToDisk overrules a server that acknowledges before it has written.
func commitToDisk(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

func (postgres) migrations() string { return "migrations/postgres" }

// sql numbers the placeholders. No statement has a question mark otherwise.
func (postgres) sql(statement string) string {
	var b strings.Builder
	n := 0
	for _, r := range statement {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func (postgres) text(s string) any { return []byte(s) }

// lock makes transactions that write follow each other, also those of other
// processes: then the order of the sequence is that of the commits.
func (postgres) lock() string { return `SELECT pg_advisory_xact_lock(7810370657467)` }

func (postgres) indexedBy(string, string) string { return `` }

func (postgres) list() (item, order string) {
	return `unnest(CAST(? AS BIGINT[])) WITH ORDINALITY AS list(value, n)`, ` ORDER BY list.n`
}

func (postgres) listed(seqs []int64) any {
	list := make([]string, len(seqs))
	for i, seq := range seqs {
		list[i] = strconv.FormatInt(seq, 10)
	}
	return `{` + strings.Join(list, `,`) + `}`
}

func (postgres) full(err error) bool {
	const diskFull = "53100"
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == diskFull
}

// undone: a server that answered with an error has stored nothing; of one
// that did not answer that is not known.
func (postgres) undone(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer)
}

func (postgres) committed(context.Context, *sql.DB) {}

func (postgres) backup(context.Context, string) error {
	return errors.New("it is in PostgreSQL: copy it with pg_dump")
}
