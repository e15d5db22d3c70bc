package installer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// A ServiceStatus is how one service is.
type ServiceStatus struct {
	Service string `json:"service"`
	// State is its container's, or "external" or "absent".
	State   string        `json:"state"`
	Healthy bool          `json:"healthy"`
	Detail  string        `json:"detail,omitempty"` // why it is not healthy
	Image   string        `json:"image,omitempty"`
	Version string        `json:"xtci_version,omitempty"` // that made it
	Created time.Time     `json:"created,omitzero"`
	Ports   []docker.Port `json:"ports,omitempty"`
	URL     string        `json:"url,omitempty"`
}

// States of a service that has no container.
const (
	StateExternal = "external"
	StateAbsent   = "absent"
)

// statusTime is how long a service may take to say that it is well.
const statusTime = 3 * time.Second

// Status looks at every service that the site wants, and at containers of the
// stack that it does not want any more.
func Status(ctx context.Context, engine Engine, stack *Stack) ([]ServiceStatus, error) {
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack.Name})
	if err != nil {
		return nil, err
	}
	there := map[string]docker.ContainerState{}
	for _, container := range containers {
		there[container.Labels[labelService]] = container
	}
	status := make([]ServiceStatus, len(stack.Services))
	var group sync.WaitGroup
	for i := range stack.Services {
		service := &stack.Services[i]
		container, ok := there[service.Name]
		delete(there, service.Name)
		group.Go(func() { status[i] = serviceStatus(ctx, service, container, ok) })
	}
	group.Wait()
	for _, name := range slices.Sorted(maps.Keys(there)) {
		unwanted := containerStatus(there[name])
		unwanted.Service, unwanted.Detail = name, "the site does not want it: xtci up removes it"
		status = append(status, unwanted)
	}
	return status, nil
}

// Runs says whether containers of all the services run, in the stack of that
// name. How well they are is not looked at.
func Runs(ctx context.Context, engine Engine, stack string, services ...string) (bool, error) {
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack})
	if err != nil {
		return false, err
	}
	run := map[string]bool{}
	for _, container := range containers {
		run[container.Labels[labelService]] = container.Running()
	}
	return !slices.ContainsFunc(services, func(name string) bool { return !run[name] }), nil
}

func serviceStatus(ctx context.Context, service *Service, container docker.ContainerState, there bool) ServiceStatus {
	status := ServiceStatus{State: StateAbsent, Detail: "xtci up starts it"}
	switch {
	case service.External:
		status = ServiceStatus{State: StateExternal}
	case there:
		status = containerStatus(container)
	}
	status.Service, status.URL = service.Name, service.URL
	if there && !container.Running() {
		status.Detail = fmt.Sprintf("ended with code %d", container.ExitCode)
		if container.OOMKilled {
			status.Detail += ", out of memory"
		}
		status.Detail += ": xtci logs " + service.Name + " shows why, xtci up starts it again"
	}
	if service.External || there && container.Running() {
		probe, cancel := context.WithTimeoutCause(ctx, statusTime, errors.New("no answer"))
		defer cancel()
		err := service.Ready(probe)
		status.Healthy = err == nil
		if err != nil {
			status.Detail = firstLine(err)
		}
	}
	return status
}

func containerStatus(container docker.ContainerState) ServiceStatus {
	return ServiceStatus{
		State: container.Status, Image: container.Labels[labelImage], Version: container.Labels[labelVersion],
		Created: container.Created, Ports: container.Ports,
	}
}

// Healthy says whether all services are.
func Healthy(status []ServiceStatus) bool {
	return !slices.ContainsFunc(status, func(s ServiceStatus) bool { return !s.Healthy })
}

// Logs writes what a service of the stack said.
func Logs(ctx context.Context, engine Engine, stack *Stack, service string, o docker.LogOptions) error {
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack.Name})
	if err != nil {
		return err
	}
	var names []string
	for _, container := range containers {
		if container.Labels[labelService] == service {
			return engine.Logs(ctx, container.ID, o)
		}
		names = append(names, container.Labels[labelService])
	}
	slices.Sort(names)
	if len(names) == 0 {
		return &RefusedError{"the stack " + stack.Name + " has no containers: bring it up (xtci up)"}
	}
	return &RefusedError{fmt.Sprintf("the stack has no service %q: it has %v", service, names)}
}
