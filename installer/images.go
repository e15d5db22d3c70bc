package installer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/anuket-project/xtci/internal/docker"
)

// pullTries is how often a pull is tried from one place before the next.
const pullTries = 3

// pull gets an image from the first place that has it.
func (x *execution) pull(ctx context.Context, service *Service) (ImageState, error) {
	places := x.places(service)
	if x.Offline {
		return ImageState{}, fmt.Errorf("image %s is not here, and --offline pulls nothing: load it from a bundle (xtci bundle load FILE)", places[0])
	}
	var failures []error
	for _, ref := range places {
		image, err := x.pullFrom(ctx, service, ref)
		if err == nil {
			return ImageState{Ref: ref, ID: image.ID}, x.locked(service, ref, image)
		}
		if ctx.Err() != nil || errors.Is(err, docker.ErrUnavailable) || errors.Is(err, docker.ErrNoSpace) {
			return ImageState{}, err
		}
		failures = append(failures, err)
	}
	return ImageState{}, fmt.Errorf("no place has its image:\n%w\n"+
		"what to do: look at the network and its proxy (xtci doctor), name another image (--set stack.%s.image=REFERENCE), or load a bundle (xtci bundle load FILE)",
		errors.Join(failures...), service.Name)
}

// places are the references from which a service's image may be pulled. One
// that is locked is pulled by its digest, from a mirror too.
func (x *execution) places(service *Service) []string {
	locked := x.lock.Images[service.Images[0]]
	_, digest, ok := strings.Cut(locked.Digest, "@")
	if !ok || x.Pull {
		return service.Images
	}
	places := []string{locked.Digest}
	for _, mirror := range service.Images[1:] {
		places = append(places, repository(mirror)+"@"+digest)
	}
	return places
}

// repository is a reference without its tag and digest.
func repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(ref, ':'); colon > strings.LastIndexByte(ref, '/') {
		ref = ref[:colon]
	}
	return ref
}

// pullFrom pulls from one place, again when that may help.
func (x *execution) pullFrom(ctx context.Context, service *Service, ref string) (docker.Image, error) {
	x.tell(service, StatePulling, ref)
	pull := func() (docker.Image, error) {
		image, err := x.Engine.Pull(ctx, ref, func(p docker.PullProgress) {
			event := Event{Service: service.Name, State: StatePulling, Detail: ref, Done: p.Done, Total: p.Total}
			if p.Total > 0 && p.Done == p.Total && p.Status == "Extracting" {
				event.State, event.Done, event.Total = StateUnpacking, 0, 0
			}
			x.event(event)
		})
		if errors.Is(err, docker.ErrNotFound) || errors.Is(err, docker.ErrDenied) || errors.Is(err, docker.ErrNoSpace) || errors.Is(err, docker.ErrUnavailable) {
			return image, backoff.Permanent(err)
		}
		return image, err
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = time.Second
	return backoff.Retry(ctx, pull, backoff.WithBackOff(wait), backoff.WithMaxTries(pullTries), backoff.WithMaxElapsedTime(0))
}

// locked notes which image a service's reference stands for. One that came
// from no registry is not noted: nobody could get it again.
func (x *execution) locked(service *Service, ref string, image docker.Image) error {
	entry := LockedImage{ID: image.ID}
	for _, digest := range image.RepoDigests {
		if entry.Digest == "" || strings.HasPrefix(digest, repository(ref)+"@") {
			entry.Digest = digest
		}
	}
	if entry.Digest == "" {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lock.Images[service.Images[0]] = entry
	return x.lock.Write(x.Stack.Prefix) // at once: a run that is cut off has not to pull again
}
