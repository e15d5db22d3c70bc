package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases/runner"
)

// Where results of campaigns go, in words.
const (
	resultsFolder = "folder"
	resultsStack  = "stack"
)

// Results are where those of a campaign on Docker go: to the services of the
// stack that is up or, without one, to the store of the host and a test DB
// within this process.
type results struct {
	files    artifacts.Store
	index    runner.Index
	records  *testdb.Client
	services runner.Services // as containers reach them
	network  string          // of containers that name none
	publish  func(ctx context.Context) (archived, error)
	closing
}

// usesStack says whether the results of a campaign go to the site's stack: to
// the one that is up, unless the journal of a campaign to go on with says
// otherwise, or the flags.
func usesStack(ctx context.Context, engine *docker.Engine, site config.Site, journal *runner.Journal, o runOptions) (bool, error) {
	if o.resume && journal.InStack && o.noStack {
		return false, usage(fmt.Errorf("campaign %s has its results in the stack: --no-stack is not for it", journal.Tag))
	}
	if o.noStack || o.resume && !journal.InStack {
		return false, nil
	}
	up, err := stackUp(ctx, engine, site)
	if err == nil && !up && journal.InStack {
		err = usage(fmt.Errorf("campaign %s has its results in the stack, which is not up: xtci up", journal.Tag))
	}
	return up, err
}

// stackUp says whether there is a stack that results can go to.
func stackUp(ctx context.Context, engine *docker.Engine, site config.Site) (bool, error) {
	stack := site.Stack
	var own []string
	for name, is := range map[string]struct{ enabled, external bool }{
		"minio":  {stack.Minio.Enabled, stack.Minio.External.Endpoint != ""},
		"testdb": {stack.TestDB.Enabled, stack.TestDB.External.URL != ""},
	} {
		switch {
		case is.external:
		case !is.enabled:
			return false, nil
		default:
			own = append(own, name)
		}
	}
	if len(own) == 0 {
		return true, nil
	}
	return installer.Runs(ctx, engine, stack.Name, own...)
}

// stackWait is how long a stack that does not answer is waited for when the
// archive is made.
const stackWait = 5 * time.Minute

// worthWaiting says of an error of a store whether it may mend: it does not
// answer, or somebody has to make room.
func worthWaiting(err error) bool {
	return errors.Is(err, artifacts.ErrAway) || errors.Is(err, artifacts.ErrFull) || errors.Is(err, syscall.ENOSPC)
}

// resultsInStack has results go to the stack.
func (a *app) resultsInStack(ctx context.Context, site config.Site, journal *runner.Journal) (_ *results, err error) {
	source, err := sourceOfSite(site)
	if err != nil {
		return nil, err
	}
	r := &results{files: source.store, records: source.records, index: runner.InTestDB(source.records, journal.Tag)}
	r.add(source.Close)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := source.reached(ctx); err != nil {
		return nil, fmt.Errorf("%w\nthe stack is up, but its object store does not answer: xtci status; xtci run --no-stack does without", err)
	}
	inside, err := site.Inside()
	if err != nil {
		return nil, err
	}
	outside, err := site.Outside()
	if err != nil {
		return nil, err
	}
	minio := site.Stack.Minio
	r.services = runner.Services{
		TestDB: inside.TestDB + "/api/v1/results", TestDBX: outside.TestDB + "/api/v1/results",
		S3: inside.S3, Bucket: "s3://" + minio.Bucket, Files: source.files,
		S3Key: minio.JobsAccessKey, S3Secret: minio.JobsSecretKey.Reveal(),
	}
	r.network = site.Stack.Name
	if site.Wiring == config.WiringClassic {
		r.network = "bridge"
	}
	if err := journal.ToStack(); err != nil {
		return nil, err
	}
	r.publish = func(ctx context.Context) (archived, error) {
		// its containers have all ended: what is not there by now does not come
		return source.publish(ctx, a, site, journal.Tag, artifacts.CollectOptions{Wait: stackWait, Complete: true})
	}
	return r, nil
}

// resultsHere has results stay on the host. The test DB listens on the gateway
// of a network of the campaign's own, to containers there and to this host.
func (a *app) resultsHere(ctx context.Context, engine *docker.Engine, site config.Site, journal *runner.Journal) (_ *results, err error) {
	r := &results{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return nil, err
	}
	r.add(store.Close)
	network, err := runner.MakeNetwork(ctx, engine, journal.Tag)
	if err != nil {
		return nil, err
	}
	r.add(func() error { return runner.RemoveNetwork(context.WithoutCancel(ctx), engine, network) })
	subnet, err := netip.ParsePrefix(network.Subnet)
	if err != nil {
		return nil, fmt.Errorf("the campaign's network %s: its subnet: %w", network.Name, err)
	}
	db, err := a.serveResults(ctx, net.JoinHostPort(network.Gateway, "0"), subnet)
	if err != nil {
		return nil, fmt.Errorf("serve results to the campaign's containers: %w", err)
	}
	r.add(db.Close)
	r.files, r.index, r.records, r.network = store, store.Index(journal.Tag), db.Client, network.Name
	r.services = runner.Services{TestDB: db.url, TestDBX: db.url}
	r.publish = func(ctx context.Context) (archived, error) {
		if err := journal.Close(); err != nil { // publishing wants it
			return archived{}, err
		}
		return publishStored(ctx, a, site, journal.Tag)
	}
	return r, nil
}

// resultsOf says where the results of a campaign go, and makes that ready.
func (a *app) resultsOf(ctx context.Context, engine *docker.Engine, site config.Site, journal *runner.Journal, o runOptions) (*results, string, error) {
	stack, err := usesStack(ctx, engine, site, journal, o)
	if err != nil {
		return nil, "", err
	}
	where := resultsFolder
	var r *results
	if stack {
		where = resultsStack
		r, err = a.resultsInStack(ctx, site, journal)
	} else {
		r, err = a.resultsHere(ctx, engine, site, journal)
	}
	if err != nil {
		return nil, "", err
	}
	if err := unused(ctx, r.files, r.records, journal); err != nil {
		return nil, "", errors.Join(err, r.Close())
	}
	return r, where, nil
}

// unused refuses a build tag under which there are results already: those of
// two campaigns must not be judged as one. The journal of what was not begun
// would say that xtci ran them.
func unused(ctx context.Context, store artifacts.Store, records artifacts.Records, journal *runner.Journal) error {
	if journal.Begun() {
		return nil
	}
	what, err := artifacts.Taken(ctx, store, records, journal.Tag)
	if err == nil && what != "" {
		err = takenError(journal.Tag, what)
	}
	if err != nil {
		return errors.Join(err, journal.Discard())
	}
	return nil
}

func takenError(tag, what string) error {
	return usage(fmt.Errorf("there are results of another campaign %s: %s. Choose another build tag (--tag)", tag, term.Plain(what)))
}
