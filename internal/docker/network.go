package docker

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/network"
)

// CreateNetwork makes a network of the host's own (a bridge). A name that is
// taken is ErrConflict.
func (e *Engine) CreateNetwork(ctx context.Context, n Network) (Network, error) {
	made, err := e.api.NetworkCreate(ctx, n.Name, network.CreateOptions{Driver: "bridge", Internal: n.Internal, Labels: n.Labels})
	if err != nil {
		return Network{}, wrap(err, "create network %s", n.Name)
	}
	return e.Network(ctx, made.ID)
}

// Network looks up a network.
func (e *Engine) Network(ctx context.Context, nameOrID string) (Network, error) {
	found, err := e.api.NetworkInspect(ctx, nameOrID, network.InspectOptions{})
	if err != nil {
		return Network{}, wrap(err, "look up network %s", nameOrID)
	}
	n := Network{ID: found.ID, Name: found.Name, Labels: found.Labels, Internal: found.Internal}
	for _, pool := range found.IPAM.Config {
		// some engines write it with the length of the prefix
		if address, _, _ := strings.Cut(pool.Gateway, "/"); address != "" && !strings.Contains(address, ":") {
			n.Gateway, n.Subnet = address, pool.Subnet
			break
		}
	}
	for id := range found.Containers {
		n.Used = append(n.Used, id)
	}
	slices.Sort(n.Used)
	return n, nil
}

// Networks lists the networks that have all of the labels, by name. An empty
// value of a label matches any.
func (e *Engine) Networks(ctx context.Context, labels map[string]string) ([]Network, error) {
	found, err := e.api.NetworkList(ctx, network.ListOptions{Filters: labelFilter(labels)})
	if err != nil {
		return nil, wrap(err, "list networks labelled %s", describe(labels))
	}
	networks := make([]Network, 0, len(found))
	for _, summary := range found {
		n, err := e.Network(ctx, summary.ID)
		if errors.Is(err, ErrNotFound) {
			continue // removed since
		}
		if err != nil {
			return nil, err
		}
		networks = append(networks, n)
	}
	slices.SortFunc(networks, func(a, b Network) int { return strings.Compare(a.Name, b.Name) })
	return networks, nil
}

// RemoveNetwork removes a network. One with containers on it that run is
// ErrConflict.
func (e *Engine) RemoveNetwork(ctx context.Context, id string) error {
	return wrap(e.api.NetworkRemove(ctx, id), "remove network %s", id)
}
