package installer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/anuket-project/xtci/internal/docker"
)

// Down stops and removes the containers and the network of the stack. Its
// data stays. It goes by labels alone, so that it takes down what an older
// site wanted, too.
func Down(ctx context.Context, engine Engine, stack *Stack, events func(Event)) error {
	return explain(ctx, down(ctx, engine, stack, events), "down")
}

func down(ctx context.Context, engine Engine, stack *Stack, events func(Event)) error {
	unlock, err := lockStack(stack.Prefix)
	if err != nil {
		return err
	}
	defer unlock()
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack.Name})
	if err != nil {
		return err
	}
	networks, err := engine.Networks(ctx, map[string]string{labelStack: stack.Name})
	if err != nil {
		return err
	}
	for _, container := range containers {
		if err := stack.check("container "+container.Name, container.Labels); err != nil {
			return err
		}
	}
	for _, network := range networks {
		if err := stack.check("network "+network.Name, network.Labels); err != nil {
			return err
		}
	}
	if err := removeAll(ctx, engine, containers, events); err != nil {
		return err
	}
	for _, network := range networks {
		if err := removeNetwork(ctx, engine, network); err != nil {
			return err
		}
	}
	return nil
}

func removeAll(ctx context.Context, engine Engine, containers []docker.ContainerState, events func(Event)) error {
	errs := make([]error, len(containers))
	var group sync.WaitGroup
	for i, container := range containers {
		event := Event{Service: container.Labels[labelService], State: StateStopping}
		events(event)
		group.Go(func() {
			event.State = StateRemoved
			if errs[i] = removeContainer(ctx, engine, container); errs[i] != nil {
				event.State, event.Err, event.Detail = StateFailed, errs[i], firstLine(errs[i])
			}
			events(event)
		})
	}
	group.Wait()
	return join(errs)
}

// removeNetwork removes the stack's network. Containers of campaigns that are
// still on it are somebody's work.
func removeNetwork(ctx context.Context, engine Engine, network docker.Network) error {
	err := engine.RemoveNetwork(ctx, network.ID)
	if errors.Is(err, docker.ErrNotFound) {
		return nil
	}
	if errors.Is(err, docker.ErrConflict) {
		now, _ := engine.Network(ctx, network.ID) // for its containers, as far as they are known
		return fmt.Errorf("the network %s is still used by %d containers that are not the stack's (a campaign that runs?): wait until it has ended, or stop it: %w", network.Name, len(now.Used), err)
	}
	return err
}

// dataNames are what xtci and the services keep under the prefix. Other
// things that are there are not xtci's.
var dataNames = []string{
	"artifacts", "campaigns", "etc", "jenkins", "keys", "minio", "mongo", "registry", "secrets.yaml", "testdb", lockFile,
}

// replacedData is what a restore set aside (installer/backup).
const replacedData = ".before-restore-*"

// Data lists what Purge removes.
func Data(prefix string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(prefix, replacedData))
	if err != nil {
		return nil, err
	}
	for _, name := range DataNames() {
		path := filepath.Join(prefix, name)
		if _, err := os.Lstat(path); err == nil {
			names = append(names, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	slices.Sort(names)
	return names, nil
}

// Purge removes the data of a stack that is down, and xtci's own images. The
// prefix itself goes when nothing else is in it.
func Purge(ctx context.Context, engine Engine, stack *Stack) error {
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack.Name, labelPrefix: stack.Prefix})
	if err != nil {
		return err
	}
	if len(containers) > 0 {
		return &RefusedError{"the stack is up: take it down first"}
	}
	names, err := Data(stack.Prefix)
	errs := []error{err}
	for _, name := range append(names, filepath.Join(stack.Prefix, stackLock)) {
		if err := os.RemoveAll(name); err != nil {
			errs = append(errs, fmt.Errorf("remove data: %w (containers may have written it as another user: run xtci as root)", err))
		}
	}
	if errors.Join(errs...) == nil {
		if err := os.Remove(stack.Prefix); err != nil && !errors.Is(err, fs.ErrNotExist) && !isNotEmpty(err) {
			errs = append(errs, fmt.Errorf("remove the prefix: %w", err))
		}
	}
	images, err := engine.Images(ctx, map[string]string{labelOwn: ""})
	errs = append(errs, err)
	for _, image := range images {
		if err := engine.RemoveImage(ctx, image.ID); err != nil && !errors.Is(err, docker.ErrNotFound) && !errors.Is(err, docker.ErrConflict) { // another stack may use it
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func isNotEmpty(err error) bool { return errors.Is(err, syscall.ENOTEMPTY) }
