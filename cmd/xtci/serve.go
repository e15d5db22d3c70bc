package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
	"github.com/anuket-project/xtci/installer/testdb/web"
)

func newServeCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Run one of the toolchain's own services",
		Long:    "serve runs one of the toolchain's own services until it is stopped (SIGTERM or\nCtrl-C).\n\n" + exitStatus,
		Example: "  xtci serve testdb --db results.db\n  xtci serve files --dir lab/artifacts",
	}
	cmd.AddCommand(newServeTestDBCmd(a), newServeFilesCmd(a))
	return cmd
}

type serveTestDBOptions struct {
	listen  string
	db      string
	with    []string
	tokens  bool
	origins []string
	files   string
}

// What the old server does not have, by the names of --with.
const (
	withPerPage = "per-page"
	withHealth  = "health"
	withMetrics = "metrics"
)

func newServeTestDBCmd(a *app) *cobra.Command {
	var o serveTestDBOptions
	cmd := &cobra.Command{
		Use:   "testdb",
		Short: "Serve the results database: TestAPI, in one process",
		Long: `testdb answers OPNFV TestAPI's REST interface, as Xtesting clients use it, and has
pages for people at /. Results are kept in an SQLite file, or in a PostgreSQL
database that labs share. An answer of 200 means that the result is on disk.

What the old server does not have is off unless a flag asks for it.

The password of a PostgreSQL database does not belong into --db, where others
can see it: put it into ~/.pgpass or PGPASSWORD.

` + exitStatus,
		Example: `  xtci serve testdb --db results.db
  xtci serve testdb --db results.db --listen 127.0.0.1:8000 --with health,metrics
  xtci serve testdb --db postgres://xtci@db.example/results --tokens`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runServeTestDB(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.listen, "listen", "127.0.0.1:8000", "the `ADDRESS` to listen on")
	flags.StringVar(&o.db, "db", "", "the SQLite `FILE`, or postgres://... (default: testdb/results.db under stack.prefix)")
	flags.StringSliceVar(&o.with, "with", nil, "`NAMES` of per-page (pages of up to 1,000 results: per_page=N), health (GET /healthz), metrics (GET /metrics)")
	flags.BoolVar(&o.tokens, "tokens", false, "demand a token of who writes (xtci testdb token)")
	flags.StringArrayVar(&o.origins, "cors", nil, "let pages of this `ORIGIN` use the API (may be repeated)")
	flags.StringVar(&o.files, "files", "", "where archives and files of campaigns are, for links: a `URL` such as http://files.example/")
	return cmd
}

func runServeTestDB(ctx context.Context, a *app, o serveTestDBOptions) (err error) {
	for _, name := range o.with {
		if !slices.Contains([]string{withPerPage, withHealth, withMetrics}, name) {
			return usage(fmt.Errorf("--with %s: want %s, %s or %s", name, withPerPage, withHealth, withMetrics))
		}
	}
	store, err := a.openTestDB(ctx, o.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	server, err := newTestDB(a, store, o)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", o.listen, err)
	}
	address := listener.Addr().String()
	fmt.Fprintf(a.err, "test DB: http://%s/\n", address)
	if host, _, err := net.SplitHostPort(address); err == nil && !net.ParseIP(host).IsLoopback() && !o.tokens {
		a.log.Warn("whoever reaches this address can add results: --tokens demands a token", "address", address)
	}
	return server.Serve(ctx, listener)
}

// newTestDB puts the API, the pages and what --with names together.
func newTestDB(a *app, store testdb.Store, o serveTestDBOptions) (*testdb.Server, error) {
	catalog, err := a.catalog()
	if err != nil {
		return nil, err
	}
	options := testdb.Options{
		PerPage: slices.Contains(o.with, withPerPage), Health: slices.Contains(o.with, withHealth),
		Tokens: o.tokens, Origins: o.origins, Logger: a.log, Routes: map[string]http.Handler{},
	}
	if slices.Contains(o.with, withMetrics) {
		metrics := web.NewMetrics(toolVersion())
		store = metrics.Store(store)
		options.Observe = metrics.Observe
		options.Routes["GET /metrics"] = metrics
	}
	pageOptions := web.Options{Catalog: catalog, Logger: a.log}
	if o.files != "" {
		files, err := url.Parse(strings.TrimSuffix(o.files, "/") + "/")
		if err != nil || files.Scheme != "http" && files.Scheme != "https" {
			return nil, usage(fmt.Errorf("--files %s: want a URL such as http://files.example/", o.files))
		}
		pageOptions.FilesURL = files
		pageOptions.ArchiveURL = func(tag string) string { return files.JoinPath(artifacts.ArchiveName(tag)).String() }
	}
	pages, err := web.New(store, pageOptions)
	if err != nil {
		return nil, err
	}
	for _, pattern := range web.Patterns() {
		options.Routes[pattern] = pages
	}
	return testdb.NewServer(store, options), nil
}

// openTestDB opens the database that a flag names, or the toolchain's own, and
// makes it if it is not there.
func (a *app) openTestDB(ctx context.Context, db string) (*sqlstore.Store, error) {
	if db == "" {
		own, err := a.ownTestDB()
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the test DB: %w (choose another with --db FILE)", err)
		}
		db = own
	}
	return sqlstore.Open(ctx, db)
}

// openFilledTestDB is openTestDB for who only reads: one that is not there is
// a mistake.
func (a *app) openFilledTestDB(ctx context.Context, db string) (*sqlstore.Store, error) {
	if db == "" {
		own, err := a.ownTestDB()
		if err != nil {
			return nil, err
		}
		db = own
	}
	if !sqlstore.IsPostgres(db) {
		if _, err := os.Stat(db); err != nil {
			return nil, usage(fmt.Errorf("open the test DB: %w (name it with --db FILE)", err))
		}
	}
	return sqlstore.Open(ctx, db)
}

func (a *app) ownTestDB() (string, error) {
	site, err := a.site()
	return filepath.Join(site.Stack.Prefix, "testdb", "results.db"), err
}
