package doctor

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/docker"
)

// A probe is what several checks look at, each found once and only if asked
// for.
type probe struct {
	Options
	host host

	engine     func() (Engine, error)
	info       func() (timedInfo, error)
	containers func() ([]docker.ContainerState, error)
	cluster    func() (*cluster.Cluster, error)
	server     func() (cluster.Server, error)
	nodes      func() ([]cluster.Node, error)
	owners     func() map[uint64]process
}

// timedInfo is what an engine says of itself, and when it was asked.
type timedInfo struct {
	docker.Info
	sent, received time.Time
}

// host is how this machine is looked at.
type host struct {
	proc string // /proc
	now  func() time.Time
}

// answerTime is how long the engine may take for one answer.
const answerTime = 10 * time.Second

// needsError is returned instead of asking what cannot be there, since
// something else is not. That has been reported by its own check.
type needsError struct{ check string }

func (e needsError) Error() string {
	return "not checked: " + e.check + " must pass first"
}

func newProbe(ctx context.Context, o Options) *probe {
	p := &probe{Options: o, host: host{proc: "/proc", now: time.Now}}
	p.engine = sync.OnceValues(func() (Engine, error) {
		if o.Connect == nil {
			return nil, docker.ErrUnavailable
		}
		return o.Connect(ctx)
	})
	p.info = sync.OnceValues(func() (timedInfo, error) {
		engine, err := p.engine()
		if err != nil {
			return timedInfo{}, needsError{"docker"}
		}
		bounded, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		t := timedInfo{sent: p.host.now()}
		t.Info, err = engine.Info(bounded)
		t.received = p.host.now()
		return t, err
	})
	p.containers = sync.OnceValues(func() ([]docker.ContainerState, error) {
		engine, err := p.engine()
		if err != nil {
			return nil, needsError{"docker"}
		}
		bounded, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		return engine.Containers(bounded, nil)
	})
	p.cluster = sync.OnceValues(func() (*cluster.Cluster, error) {
		if o.Site.Kubeconfig == "" {
			return nil, &cluster.Error{
				Tried: "find the kubeconfig", Err: errors.New("the site names none"), Advice: "name the cluster's with --set kubeconfig=FILE",
			}
		}
		return cluster.Open(o.Site.Kubeconfig, cluster.Options{UserAgent: o.UserAgent})
	})
	p.server = sync.OnceValues(func() (cluster.Server, error) {
		c, err := p.cluster()
		if err != nil {
			return cluster.Server{}, needsError{"kubeconfig"}
		}
		return c.Server(ctx)
	})
	p.nodes = sync.OnceValues(func() ([]cluster.Node, error) {
		c, err := p.answering()
		if err != nil {
			return nil, err
		}
		return c.Nodes(ctx)
	})
	p.owners = sync.OnceValue(func() map[uint64]process { return socketOwners(ctx, p.host.proc) })
	return p
}

// answering is the cluster, if its server answers.
func (p *probe) answering() (*cluster.Cluster, error) {
	c, err := p.cluster()
	if err != nil {
		return nil, needsError{"kubeconfig"}
	}
	if _, err := p.server(); err != nil {
		return nil, needsError{"cluster"}
	}
	return c, nil
}

// unusable is the verdict on an error: what was needed is skipped, the rest
// fails.
func unusable(err error, advice string) verdict {
	if needs, ok := errors.AsType[needsError](err); ok {
		return skip("%s", needs.Error())
	}
	if e, ok := errors.AsType[*cluster.Error](err); ok {
		if e.Advice != "" {
			advice = e.Advice
		}
		return fail(advice, "%s: %v", e.Tried, e.Err)
	}
	return fail(advice, "%v", err)
}

// remote says whether the engine runs on another machine, whose disks and
// ports are not those seen here.
func remote(engine Engine) bool {
	path := engine.SocketPath()
	if path == "" {
		return true
	}
	_, err := os.Stat(path)
	return err != nil
}

// env is a variable of an environment, whose names may be written in both
// cases.
func env(environ []string, name string) string {
	for _, wanted := range []string{name, strings.ToLower(name)} {
		for _, variable := range environ {
			if key, value, _ := strings.Cut(variable, "="); key == wanted && value != "" {
				return value
			}
		}
	}
	return ""
}
