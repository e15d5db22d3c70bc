package docker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

// Container looks up a container.
func (e *Engine) Container(ctx context.Context, idOrName string) (ContainerState, error) {
	found, err := e.api.ContainerInspect(ctx, idOrName)
	if err != nil {
		return ContainerState{}, wrap(err, "look up container %s", idOrName)
	}
	return stateOf(found), nil
}

// Containers lists the containers, running or not, that have all of the
// labels, by name. An empty value of a label matches any.
func (e *Engine) Containers(ctx context.Context, labels map[string]string) ([]ContainerState, error) {
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: labelFilter(labels)})
	if err != nil {
		return nil, wrap(err, "list containers labelled %s", describe(labels))
	}
	states := make([]ContainerState, 0, len(found))
	for _, summary := range found {
		state, err := e.Container(ctx, summary.ID)
		if errors.Is(err, ErrNotFound) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		states = append(states, state)
	}
	slices.SortFunc(states, func(a, b ContainerState) int { return strings.Compare(a.Name, b.Name) })
	return states, nil
}

func stateOf(c container.InspectResponse) ContainerState {
	var s ContainerState
	if base := c.ContainerJSONBase; base != nil {
		s.ID, s.Name, s.ImageID = base.ID, strings.TrimPrefix(base.Name, "/"), base.Image
		s.Created, s.Restarts = instant(base.Created), base.RestartCount
		if now := base.State; now != nil {
			s.Status, s.ExitCode, s.OOMKilled, s.Error = now.Status, now.ExitCode, now.OOMKilled, now.Error
			s.Started, s.Finished = instant(now.StartedAt), instant(now.FinishedAt)
		}
		if base.HostConfig != nil {
			s.Ports = portsOf(base.HostConfig.PortBindings)
		}
	}
	if c.Config != nil {
		s.Image, s.Labels = c.Config.Image, c.Config.Labels
	}
	if now := c.NetworkSettings; now != nil {
		// those of the configuration do not tell which ports were chosen, but
		// are all that there is when it does not run
		if ports := portsOf(now.Ports); len(ports) > 0 {
			s.Ports = ports
		}
		s.Addresses = map[string]string{}
		for name, endpoint := range now.Networks {
			if endpoint != nil && endpoint.IPAddress != "" {
				s.Addresses[name] = endpoint.IPAddress
			}
		}
	}
	return s
}

// instant reads a time of the engine's, which writes year 1 for none.
func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// portsOf lists TCP ports, by number. The same port on every address of IPv4
// and of IPv6 is one.
func portsOf(bindings nat.PortMap) []Port {
	var ports []Port
	for inside, outside := range bindings {
		if inside.Proto() != "tcp" {
			continue
		}
		for _, binding := range outside {
			port := Port{HostIP: binding.HostIP, Container: inside.Int()}
			if port.HostIP == "0.0.0.0" || port.HostIP == "::" {
				port.HostIP = ""
			}
			port.Host, _ = strconv.Atoi(binding.HostPort) // "" is 0: not chosen yet
			ports = append(ports, port)
		}
	}
	slices.SortFunc(ports, func(a, b Port) int {
		return cmp.Or(a.Container-b.Container, a.Host-b.Host, strings.Compare(a.HostIP, b.HostIP))
	})
	return slices.Compact(ports)
}
