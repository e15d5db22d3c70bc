package doctor

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
)

// A Status is how a check ended.
type Status string

// How checks end.
const (
	Pass Status = "pass"
	Warn Status = "warn" // it may go wrong
	Fail Status = "fail" // it will go wrong
	Skip Status = "skip" // it could not be checked, or need not be
)

// Groups of checks.
const (
	GroupDocker  = "docker"
	GroupHost    = "host"
	GroupPorts   = "ports"
	GroupImages  = "images"
	GroupCluster = "cluster"
)

// A Check is one thing that is looked at.
type Check struct {
	Name  string `json:"name"`
	Group string `json:"group"`
}

// A Result is how a check ended.
type Result struct {
	Check
	Status Status `json:"status"`
	Seen   string `json:"seen"`
	// Advice is what to do. It is there whenever the check warns or fails.
	Advice string `json:"advice,omitempty"`
}

// An Engine is what is asked of Docker.
type Engine interface {
	Host() string
	SocketPath() string
	Info(ctx context.Context) (docker.Info, error)
	Image(ctx context.Context, ref string) (docker.Image, error)
	Distribution(ctx context.Context, ref string) (digest string, err error)
	Containers(ctx context.Context, labels map[string]string) ([]docker.ContainerState, error)
	Network(ctx context.Context, nameOrID string) (docker.Network, error)
	Create(ctx context.Context, c docker.Container) (id string, err error)
	Start(ctx context.Context, id string) error
	Wait(ctx context.Context, id string) (docker.Exit, error)
	Logs(ctx context.Context, id string, o docker.LogOptions) error
	Remove(ctx context.Context, id string, force bool) error
}

// Options say what to look at, and how.
type Options struct {
	Site    config.Site
	Environ []string // as os.Environ gives it
	// Suites are the images that the campaign's tests run in.
	Suites []string
	// Connect finds the engine. It is called once at most.
	Connect func(ctx context.Context) (Engine, error)
	// Stack says why the site's stack could not be brought up, if so. The
	// engine is nil when there is none.
	Stack func(ctx context.Context, engine Engine) error
	// OwnImage returns a reference of xtci's own image, which is there.
	OwnImage func(ctx context.Context, engine Engine) (ref string, err error)
	// UserAgent is how requests to the cluster call their sender.
	UserAgent string
	// Only selects checks by name, by group, or by a pattern of names such as
	// image-*. None is all.
	Only []string
}

// An UnknownError is a name in Options.Only that selects nothing.
type UnknownError struct {
	Name  string
	Known []string // names and groups
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no check or group is called %q: did you mean %q?", e.Name, config.Nearest(e.Known, e.Name))
}

// A verdict is a Result without its Check.
type verdict struct {
	status       Status
	seen, advice string
}

func pass(format string, values ...any) verdict {
	return verdict{status: Pass, seen: fmt.Sprintf(format, values...)}
}

func skip(format string, values ...any) verdict {
	return verdict{status: Skip, seen: fmt.Sprintf(format, values...)}
}

func warn(advice, format string, values ...any) verdict {
	return verdict{Warn, fmt.Sprintf(format, values...), advice}
}

func fail(advice, format string, values ...any) verdict {
	return verdict{Fail, fmt.Sprintf(format, values...), advice}
}

// A check is a Check and how it is done.
type check struct {
	Check
	deadline time.Duration
	// grace is how much longer it may take to clean up.
	grace time.Duration
	run   func(context.Context, *probe) verdict
}

const (
	// usualDeadline is how long a check may take. Those that wait for the
	// engine and for the cluster need up to 10 s for each.
	usualDeadline = 25 * time.Second
	// longDeadline is for what goes to registries, and runs containers.
	longDeadline = time.Minute
)

// Checks are those of a site, in the order in which they are reported.
func Checks(o Options) []Check {
	var all []Check
	for _, c := range checks(o) {
		all = append(all, c.Check)
	}
	return all
}

// Select returns the checks that Only selects, in order.
func Select(o Options) ([]Check, error) {
	chosen, err := selected(o)
	var all []Check
	for _, c := range chosen {
		all = append(all, c.Check)
	}
	return all, err
}

func selected(o Options) ([]check, error) {
	all := checks(o)
	if len(o.Only) == 0 {
		return all, nil
	}
	chosen := map[string]bool{}
	for _, pattern := range o.Only {
		found := false
		known := []string{}
		for _, c := range all {
			known = append(known, c.Name, c.Group)
			matches, err := path.Match(pattern, c.Name)
			if c.Name == pattern || c.Group == pattern || err == nil && matches {
				found = true
				chosen[c.Name] = true
			}
		}
		if !found {
			return nil, &UnknownError{Name: pattern, Known: known}
		}
	}
	return slices.DeleteFunc(all, func(c check) bool { return !chosen[c.Name] }), nil
}

// checks are all checks of a site.
func checks(o Options) []check {
	var all []check
	add := func(group, name string, run func(context.Context, *probe) verdict) {
		all = append(all, check{Check{name, group}, usualDeadline, time.Second, run})
	}
	add(GroupDocker, "docker", checkDocker)
	add(GroupDocker, "docker-socket", checkSocket)
	add(GroupDocker, "docker-disk", checkDockerDisk)
	add(GroupDocker, "docker-clock", checkDockerClock)
	add(GroupDocker, "docker-proxy", checkDockerProxy)
	add(GroupHost, "stack", checkStack)
	add(GroupHost, "prefix", checkPrefix)
	add(GroupHost, "disk", checkDisk)
	add(GroupHost, "memory", checkMemory)
	add(GroupHost, "cpu", checkCPU)
	add(GroupHost, "proxy", checkProxy)
	add(GroupPorts, "bind", checkBind)
	for _, port := range sitePorts(o.Site) {
		add(GroupPorts, "port-"+port.service, func(ctx context.Context, p *probe) verdict { return checkPort(ctx, p, port) })
	}
	for _, image := range siteImages(o) {
		add(GroupImages, "image-"+image.name, func(ctx context.Context, p *probe) verdict { return checkImage(ctx, p, image) })
		all[len(all)-1].deadline = longDeadline
	}
	add(GroupCluster, "kubeconfig", checkKubeconfig)
	add(GroupCluster, "kubeconfig-alone", checkAlone)
	add(GroupCluster, "cluster", checkCluster)
	add(GroupCluster, "cluster-inside", checkInside)
	all[len(all)-1].deadline, all[len(all)-1].grace = longDeadline, removeTime+time.Second
	add(GroupCluster, "cluster-version", checkVersion)
	add(GroupCluster, "cluster-clock", checkClusterClock)
	add(GroupCluster, "cluster-certificate", checkCertificate)
	add(GroupCluster, "cluster-proxy", checkClusterProxy)
	add(GroupCluster, "credentials", checkCredentials)
	add(GroupCluster, "admin", checkAdmin)
	add(GroupCluster, "nodes", checkNodes)
	add(GroupCluster, "workers", checkWorkers)
	add(GroupCluster, "storage-class", checkStorageClass)
	return all
}

// Run does the checks side by side and reports each, in their order, as soon
// as it and all before it are done. It returns an *UnknownError for a name
// that is none, and the context's error if that ends first.
func Run(ctx context.Context, o Options, report func(Result)) error {
	chosen, err := selected(o)
	if err != nil {
		return err
	}
	return run(ctx, newProbe(ctx, o), chosen, report)
}

func run(ctx context.Context, p *probe, chosen []check, report func(Result)) error {
	verdicts := make([]chan verdict, len(chosen))
	for i, c := range chosen {
		verdicts[i] = make(chan verdict, 1)
		go func() { verdicts[i] <- c.within(ctx, p) }()
	}
	for i, c := range chosen {
		v := <-verdicts[i]
		if ctx.Err() != nil {
			return fmt.Errorf("doctor: %w", ctx.Err())
		}
		report(Result{Check: c.Check, Status: v.status, Seen: cut(v.seen), Advice: cut(v.advice)})
	}
	return nil
}

// cut shortens what came from outside and is longer than anybody reads.
func cut(text string) string {
	const most = 2000
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + " [...]"
	}
	return text
}

// within does a check until its deadline. One that cannot be stopped, such as
// one that waits for a disk of a machine that is gone, is left behind.
func (c check) within(ctx context.Context, p *probe) verdict {
	bounded, cancel := context.WithTimeout(ctx, c.deadline)
	defer cancel()
	done := make(chan verdict, 1)
	go func() { done <- c.run(bounded, p) }()
	select {
	case v := <-done:
		return v
	case <-bounded.Done():
	}
	// what sees the deadline itself tells more, and may have to clean up
	grace := time.NewTimer(c.grace)
	defer grace.Stop()
	select {
	case v := <-done:
		return v
	case <-grace.C:
		if errors.Is(bounded.Err(), context.Canceled) {
			return skip("interrupted")
		}
		return fail("look at what it needs: a disk, Docker or a server does not answer", "no answer within %s", c.deadline)
	}
}
