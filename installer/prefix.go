package installer

import (
	"context"
	"slices"

	"github.com/anuket-project/xtci/internal/docker"
)

// DataNames are the names of what xtci and the services keep under the prefix,
// whether it is there or not.
func DataNames() []string { return slices.Clone(dataNames) }

// LockPrefix makes this process the only one that changes the stack, or what
// it keeps, until unlock.
func LockPrefix(prefix string) (unlock func(), err error) { return lockStack(prefix) }

// Running are the services of a stack whose containers run.
func Running(ctx context.Context, engine Engine, stack *Stack) ([]string, error) {
	containers, err := engine.Containers(ctx, map[string]string{labelStack: stack.Name, labelPrefix: stack.Prefix})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, container := range containers {
		if container.Running() || container.Status == "restarting" || container.Status == "paused" {
			names = append(names, container.Labels[labelService])
		}
	}
	slices.Sort(names)
	return names, nil
}

var _ Engine = (*docker.Engine)(nil)
