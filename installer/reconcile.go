package installer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/internal/docker"
)

// Reconcile plans what makes the stack out of what there is. With pull,
// images that are here are looked for again.
func Reconcile(stack *Stack, state *State, pull bool) Plan {
	var plan Plan
	add := func(kind OpKind, service, subject, cause string) {
		plan.Ops = append(plan.Ops, Op{Kind: kind, Service: service, Subject: subject, Cause: cause})
	}
	for _, name := range slices.Sorted(maps.Keys(state.Containers)) {
		if service := stack.service(name); service == nil || service.External {
			add(OpRemove, name, state.Containers[name].Name, "the site does not want "+name+" any more")
		}
	}
	switch {
	case stack.Network != "" && state.Network == nil:
		add(OpCreateNetwork, "", stack.Network, "it is not there")
	case stack.Network == "" && state.Network != nil:
		add(OpRemoveNetwork, "", state.Network.Name, "wiring is classic: containers are on Docker's bridge")
	}
	own := false
	for i := range stack.Services {
		service := &stack.Services[i]
		image := state.Images[service.Name]
		switch {
		case service.External:
		case len(service.Images) == 0:
			if image.ID == "" && !own {
				own = true
				add(OpImage, service.Name, image.Ref, "it is not here")
			}
		case image.ID == "" && image.Moved:
			add(OpPull, service.Name, image.Ref, service.Images[0]+" is locked to it, and is another image here (--pull takes the newer one)")
		case image.ID == "":
			add(OpPull, service.Name, image.Ref, "it is not here")
		case pull:
			add(OpPull, service.Name, service.Images[0], "--pull looks for a newer one")
		}
	}
	for i := range stack.Services {
		if service := &stack.Services[i]; !service.External {
			reconcileContainer(stack, state, service, add)
		}
	}
	return plan
}

// stopped is the exit code of a process that SIGTERM ended.
const stopped = 128 + 15

func reconcileContainer(stack *Stack, state *State, service *Service, add func(kind OpKind, service, subject, cause string)) {
	name := stack.containerName(service.Name)
	container, there := state.Containers[service.Name]
	if !there {
		add(OpCreate, service.Name, name, "it is not there")
		return
	}
	if cause := outdated(stack, service, container, state.Images[service.Name]); cause != "" {
		add(OpRecreate, service.Name, name, cause)
		return
	}
	switch container.Status {
	case "running":
	case "created":
		add(OpRecreate, service.Name, name, "it was never started")
	case "exited":
		kind := OpRecreate // it may have died with Docker, which then knows wrong things of it
		if container.ExitCode == 0 || container.ExitCode == stopped {
			kind = OpStart
		}
		add(kind, service.Name, name, fmt.Sprintf("it had ended with code %d", container.ExitCode))
	case "restarting":
		add(OpRecreate, service.Name, name, fmt.Sprintf("it ends again and again, with code %d", container.ExitCode))
	default: // paused, removing, dead
		add(OpRecreate, service.Name, name, "it is "+container.Status)
	}
}

// outdated says why a container is not as it should be, or "".
func outdated(stack *Stack, service *Service, container docker.ContainerState, image ImageState) string {
	var causes []string
	if stack.Network != "" && service.Container.Network == "" {
		if _, on := container.Addresses[stack.Network]; !on && container.Running() {
			causes = append(causes, "it is not on the network "+stack.Network)
		}
	}
	parts := stack.parts(service)
	if container.Labels[labelHash] != hash(parts) {
		causes = append(causes, changes(changedParts(container.Labels[labelParts], parts)))
	}
	if otherImage(service, container, image) {
		causes = append(causes, "its image is another one")
	}
	return strings.Join(causes, ", ")
}

// otherImage says whether a container is of another image than the service's.
// xtci's own is known by its reference, the digest of what is in it: two
// stacks that make it at once make two.
func otherImage(service *Service, container docker.ContainerState, image ImageState) bool {
	if len(service.Images) == 0 {
		return container.Labels[labelImage] != image.Ref
	}
	return image.ID != "" && container.ImageID != image.ID
}

func changes(parts []string) string {
	switch len(parts) {
	case 0:
		return "its configuration changed"
	case 1:
		return "its " + parts[0] + " changed"
	default:
		return "its " + strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1] + " changed"
	}
}
