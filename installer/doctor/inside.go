package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/docker"
)

const (
	// insideKubeconfig is where the kubeconfig is in the container.
	insideKubeconfig = "/kubeconfig"
	// labelInside is on the container, which is gone when the check ends. It
	// is none of the stack's.
	labelInside = "io.xtci.doctor"
	// maxLog is how much is read of what the container says.
	maxLog = 64 << 10
	// removeTime is how long it may take to remove it.
	removeTime = 15 * time.Second

	// leftAfter is the age from which a container is one that a killed doctor
	// left behind: no check takes so long.
	leftAfter = 5 * time.Minute

	insideMemory = 256 << 20
	insidePIDs   = 64
)

// An Inside is what is seen of a cluster from inside a container.
type Inside struct {
	URL     string `json:"url,omitempty"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"`
	Advice  string `json:"advice,omitempty"`
}

// LookInside asks a cluster for its version. It runs in a container.
func LookInside(ctx context.Context, kubeconfig, userAgent string) Inside {
	c, err := cluster.Open(kubeconfig, cluster.Options{UserAgent: userAgent})
	if err != nil {
		return insideError("", err)
	}
	server, err := c.Server(ctx)
	if err != nil {
		return insideError(c.URL(), err)
	}
	return Inside{URL: server.URL, Version: server.Version}
}

func insideError(url string, err error) Inside {
	if e, ok := errors.AsType[*cluster.Error](err); ok {
		return Inside{URL: url, Error: e.Tried + ": " + e.Err.Error(), Advice: e.Advice}
	}
	return Inside{URL: url, Error: err.Error()}
}

// checkInside asks the cluster from where test containers will: a kubeconfig
// that works on the host need not work there.
func checkInside(ctx context.Context, p *probe) verdict {
	c, err := p.cluster()
	if err != nil {
		return unusable(needsError{"kubeconfig"}, "")
	}
	if len(c.References()) > 0 {
		return unusable(needsError{"kubeconfig-alone"}, "")
	}
	engine, err := p.engine()
	if err != nil {
		if c.Loopback() {
			return warn(loopbackAdvice(p, c), "the kubeconfig names %s, which in a container is the container itself", c.Host())
		}
		return unusable(needsError{"docker"}, "")
	}
	if remote(engine) {
		return skip("Docker runs on another machine, which does not have the kubeconfig")
	}
	if p.OwnImage == nil {
		return skip("there is no image of xtci")
	}
	ref, err := p.OwnImage(ctx, engine)
	if err != nil {
		return skip("xtci's own image cannot be made: %v", err)
	}
	network, where, err := p.campaignNetwork(ctx, engine)
	if err != nil {
		return fail("look at Docker's networks: docker network ls", "%v", err)
	}
	seen, err := runInside(ctx, engine, p, ref, network)
	if err != nil {
		return fail("see that Docker can run containers: docker run --rm "+ref+" version", "ask the cluster from inside a container %s: %v", where, err)
	}
	return p.insideVerdict(c, seen, where)
}

// campaignNetwork is the network that test containers will be on. That of a
// stack that is not up yet is not there yet.
func (p *probe) campaignNetwork(ctx context.Context, engine Engine) (name, where string, err error) {
	if p.Site.Wiring != config.WiringPrivate {
		return "", "on Docker's bridge", nil
	}
	name = p.Site.Stack.Name
	_, err = engine.Network(ctx, name)
	switch {
	case errors.Is(err, docker.ErrNotFound):
		return "", "on Docker's bridge, as the stack's network is not there yet", nil
	case err != nil:
		return "", "", err
	}
	return name, "on network " + name, nil
}

// runInside runs the container and reads what it says.
func runInside(ctx context.Context, engine Engine, p *probe, ref, network string) (seen Inside, err error) {
	file, err := kubeconfigPath(p.Site.Kubeconfig)
	if err != nil {
		return Inside{}, err
	}
	removeLeft(ctx, engine, p.Site.Stack.Name, p.host.now())
	settings := inContainers(p.Options)
	id, err := engine.Create(ctx, docker.Container{
		Name:    p.Site.Stack.Name + "-doctor-" + strings.ToLower(rand.Text()[:10]),
		Image:   ref,
		Command: []string{"doctor", "inside", insideKubeconfig},
		Env: []string{
			"HTTP_PROXY=" + settings.http, "HTTPS_PROXY=" + settings.https, "NO_PROXY=" + settings.no,
		},
		Labels:  map[string]string{labelInside: p.Site.Stack.Name},
		Mounts:  []docker.Mount{{Source: file, Target: insideKubeconfig, ReadOnly: true}},
		Network: network,
		// Test containers read the kubeconfig as root, whosever it is.
		User: "0:0", DropAllCaps: true, AddCaps: []string{"DAC_OVERRIDE"}, NoNewPrivileges: true, ReadOnlyRoot: true,
		Memory: insideMemory, PIDs: insidePIDs,
	})
	if err != nil {
		return Inside{}, err
	}
	defer func() {
		removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
		defer cancel()
		if removeErr := engine.Remove(removing, id, true); removeErr != nil && err == nil {
			err = removeErr
		}
	}()
	if err := engine.Start(ctx, id); err != nil {
		return Inside{}, err
	}
	exit, err := engine.Wait(ctx, id)
	if err != nil {
		return Inside{}, err
	}
	var stdout, stderr limited
	if err := engine.Logs(ctx, id, docker.LogOptions{Stdout: &stdout, Stderr: &stderr}); err != nil {
		return Inside{}, err
	}
	if err := json.Unmarshal(stdout.kept.Bytes(), &seen); err != nil || exit.Code != 0 {
		return Inside{}, fmt.Errorf("xtci in the container ended with %d: %s", exit.Code, strings.TrimSpace(stderr.kept.String()))
	}
	return seen, nil
}

// removeLeft removes what a killed doctor left. That it cannot is no reason
// not to go on.
func removeLeft(ctx context.Context, engine Engine, stack string, now time.Time) {
	left, err := engine.Containers(ctx, map[string]string{labelInside: stack})
	if err != nil {
		return
	}
	for i := range left {
		if now.Sub(left[i].Created) > leftAfter {
			_ = engine.Remove(ctx, left[i].ID, true)
		}
	}
}

// limited keeps the beginning of what is written.
type limited struct{ kept bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.kept.Write(p[:min(len(p), maxLog-l.kept.Len())])
	return len(p), nil // the rest is dropped, not an error
}

func (p *probe) insideVerdict(c *cluster.Cluster, seen Inside, where string) verdict {
	if seen.Error == "" {
		return pass("from inside a container %s it answers too: Kubernetes %s", where, seen.Version)
	}
	text := fmt.Sprintf("from inside a container %s: %s", where, seen.Error)
	switch _, err := p.server(); {
	case c.Loopback():
		return fail(loopbackAdvice(p, c), "%s: %s is the container itself there", text, c.Host())
	case err == nil:
		return fail(seen.Advice+"; from this host it answers: look at firewall rules for Docker's networks (iptables -L DOCKER-USER), NO_PROXY, and names that only this host knows", "%s", text)
	default:
		return fail(seen.Advice, "%s", text)
	}
}

func loopbackAdvice(p *probe, c *cluster.Cluster) string {
	return fmt.Sprintf("give an address that containers can reach, which the server's certificate names: "+
		"kubectl config set-cluster NAME --server=%s --kubeconfig %s", strings.Replace(c.URL(), c.Host(), "ADDRESS", 1), p.Site.Kubeconfig)
}
