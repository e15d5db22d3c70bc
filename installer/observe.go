package installer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/anuket-project/xtci/internal/docker"
)

// A State is what there is of a stack.
type State struct {
	Network    *docker.Network
	Containers map[string]docker.ContainerState // by service
	// Images are what the services' images are here, by service.
	Images map[string]ImageState
}

// An ImageState is where a service's image is.
type ImageState struct {
	// Ref is the reference to use: the wanted one, a mirror of it, or the
	// digest to which it is locked.
	Ref string
	// ID is the engine's, or "" when the image is not here.
	ID string
	// Moved says that the reference stands for another image here than the
	// one to which it is locked.
	Moved bool
}

// Observe looks at what there is. It changes nothing.
func Observe(ctx context.Context, engine Engine, stack *Stack, lock *Lock) (*State, error) {
	state := &State{Containers: map[string]docker.ContainerState{}, Images: map[string]ImageState{}}
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack.Name})
	if err != nil {
		return nil, err
	}
	for _, container := range containers {
		if err := stack.check("container "+container.Name, container.Labels); err != nil {
			return nil, err
		}
		state.Containers[container.Labels[labelService]] = container
	}
	networks, err := engine.Networks(ctx, map[string]string{labelStack: stack.Name})
	if err != nil {
		return nil, err
	}
	for i := range networks {
		if err := stack.check("network "+networks[i].Name, networks[i].Labels); err != nil {
			return nil, err
		}
		state.Network = &networks[i]
	}
	for i := range stack.Services {
		service := &stack.Services[i]
		if service.External {
			continue
		}
		image, err := findImage(ctx, engine, stack, service, lock)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", service.Name, err)
		}
		state.Images[service.Name] = image
	}
	return state, nil
}

// check refuses what another xtci made in a way that this one does not know,
// or for another stack of the same name.
func (s *Stack) check(what string, labels map[string]string) error {
	if made, err := strconv.Atoi(labels[labelSchema]); err == nil && made > schema {
		return &RefusedError{fmt.Sprintf("%s was made by a newer xtci (%s; this is %s): use that one", what, labels[labelVersion], s.Version)}
	}
	if prefix := labels[labelPrefix]; prefix != s.Prefix {
		return &RefusedError{fmt.Sprintf("%s belongs to the stack %s with the prefix %s, and not to the one in %s: "+
			"give this stack another name (--set stack.name=NAME), or name that prefix (--set stack.prefix=%s)", what, s.Name, prefix, s.Prefix, prefix)}
	}
	return nil
}

// A RefusedError is a stack that must not be touched as it was asked for.
type RefusedError struct{ reason string }

func (e *RefusedError) Error() string { return e.reason }

// findImage looks for a service's image in the engine: the locked one, or
// else the first of its references that is here.
func findImage(ctx context.Context, engine Engine, stack *Stack, service *Service, lock *Lock) (ImageState, error) {
	if len(service.Images) == 0 {
		return stack.Own.find(ctx, engine)
	}
	if locked, ok := lock.Images[service.Images[0]]; ok {
		return findLocked(ctx, engine, service.Images[0], locked)
	}
	for _, ref := range service.Images {
		image, err := engine.Image(ctx, ref)
		if err == nil {
			return ImageState{Ref: ref, ID: image.ID}, nil
		}
		if !errors.Is(err, docker.ErrNotFound) {
			return ImageState{}, err
		}
	}
	return ImageState{Ref: service.Images[0]}, nil
}

func findLocked(ctx context.Context, engine Engine, ref string, locked LockedImage) (ImageState, error) {
	image, err := engine.Image(ctx, ref)
	switch {
	case err == nil && image.ID == locked.ID:
		return ImageState{Ref: ref, ID: image.ID}, nil
	case err != nil && !errors.Is(err, docker.ErrNotFound):
		return ImageState{}, err
	}
	moved := err == nil
	image, err = engine.Image(ctx, locked.ID)
	if errors.Is(err, docker.ErrNotFound) {
		return ImageState{Ref: locked.Digest, Moved: moved}, nil
	}
	if err != nil {
		return ImageState{}, err
	}
	ref = locked.ID
	if slices.Contains(image.RepoDigests, locked.Digest) {
		ref = locked.Digest
	}
	return ImageState{Ref: ref, ID: image.ID, Moved: moved}, nil
}
