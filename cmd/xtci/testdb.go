package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/transfer"
	"github.com/anuket-project/xtci/internal/term"
)

func newTestDBCmd(a *app) *cobra.Command {
	var db string
	cmd := &cobra.Command{
		Use:   "testdb",
		Short: "Look after the results database",
		Long: `testdb looks after the database that xtci serve testdb serves. All of it works
while it is being served.

` + exitStatus,
		Example: `  xtci testdb import dump.archive --db results.db
  xtci testdb export --db results.db > results.json
  xtci testdb backup results-2026.db --db results.db
  xtci testdb token jenkins --db results.db`,
	}
	cmd.PersistentFlags().StringVar(&db, "db", "", "the SQLite `FILE`, or postgres://... (default: testdb/results.db under stack.prefix)")
	cmd.AddCommand(newImportCmd(a, &db), newExportCmd(a, &db), newBackupCmd(a, &db), newTokenCmd(a, &db))
	return cmd
}

func newImportCmd(a *app, db *string) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE|DIR",
		Short: "Take over the history of an old server",
		Long: `import reads what mongodump made of the old server's database (--archive, or its
folder; gzip or not), or the JSON that GET /results answers. It can be repeated:
what is there already is skipped. FILE - is standard input.

` + exitStatus,
		Example: `  mongodump --db test_results_collection --archive | xtci testdb import -
  curl 'http://old:8000/api/v1/results?page=0' | xtci testdb import -`,
		Args: exactArgs("FILE|DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImport(cmd.Context(), a, *db, args[0], cmd.InOrStdin())
		},
	}
}

func runImport(ctx context.Context, a *app, db, name string, stdin io.Reader) (err error) {
	var folder bool
	if name != "-" {
		info, err := os.Stat(name)
		if err != nil {
			return usage(err)
		}
		folder = info.IsDir()
	}
	store, err := a.openTestDB(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var summary transfer.Summary
	switch {
	case folder:
		summary, err = transfer.ImportFolder(ctx, store, name, transfer.Options{Name: name})
	case name == "-":
		summary, err = transfer.Import(ctx, store, stdin, transfer.Auto, transfer.Options{Name: "standard input"})
	default:
		file, openErr := os.Open(name)
		if openErr != nil {
			return usage(openErr)
		}
		defer file.Close()
		summary, err = transfer.Import(ctx, store, file, transfer.Auto, transfer.Options{Name: name})
	}
	if printErr := a.printImport(summary); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err == nil || ctx.Err() != nil || errors.Is(err, testdb.ErrFull) {
		return err
	}
	return usage(err)
}

func (a *app) printImport(s transfer.Summary) error {
	if a.json() {
		return a.printJSON(s)
	}
	_, err := fmt.Fprintln(a.out, term.PlainLines(s.String()))
	return err
}

func newExportCmd(a *app, db *string) *cobra.Command {
	collection := string(testdb.Results)
	cmd := &cobra.Command{
		Use:     "export",
		Short:   "Print results as GET /results answers them, on one page",
		Long:    "export prints all documents of a collection as JSON, as the API answers them.\nxtci testdb import reads it.\n\n" + exitStatus,
		Example: "  xtci testdb export > results.json\n  xtci testdb export --collection pods",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			known := []testdb.Collection{testdb.Pods, testdb.Projects, testdb.TestCases, testdb.Scenarios, testdb.Results, testdb.DeployResults}
			if !slices.Contains(known, testdb.Collection(collection)) {
				return usage(fmt.Errorf("--collection %s: want one of %v", collection, known))
			}
			store, err := a.openFilledTestDB(cmd.Context(), *db)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			return transfer.Export(cmd.Context(), store, a.out, testdb.Collection(collection), testdb.Query{})
		},
	}
	cmd.Flags().StringVar(&collection, "collection", collection, "the `NAME` of the collection: pods, projects, testcases, scenarios, results or deployresults")
	return cmd
}

func newBackupCmd(a *app, db *string) *cobra.Command {
	return &cobra.Command{
		Use:     "backup FILE",
		Short:   "Make a consistent copy while it is being served",
		Long:    "backup writes a consistent copy of an SQLite database to a new file, also while it\nis being served. For PostgreSQL use pg_dump.\n\n" + exitStatus,
		Example: "  xtci testdb backup results-2026-11.db",
		Args:    exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := a.openFilledTestDB(cmd.Context(), *db)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			return store.Backup(cmd.Context(), args[0])
		},
	}
}

func newTokenCmd(a *app, db *string) *cobra.Command {
	return &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token for who writes",
		Long: `token makes a new token and prints it, this once: the database keeps its hash.
Clients send it as X-Auth-Token to a server that was started with --tokens.

` + exitStatus,
		Example: `  xtci testdb token jenkins`,
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			store, err := a.openTestDB(cmd.Context(), *db)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			token := rand.Text()
			if err := store.AddToken(cmd.Context(), args[0], testdb.TokenHash(token)); err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(map[string]string{"name": args[0], "token": token})
			}
			_, err = fmt.Fprintln(a.out, token)
			return err
		},
	}
}
