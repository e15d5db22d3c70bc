package installer

import (
	"context"
	"io"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// Engine is what the installer needs of a Docker Engine.
type Engine interface {
	Image(ctx context.Context, ref string) (docker.Image, error)
	Images(ctx context.Context, labels map[string]string) ([]docker.Image, error)
	Pull(ctx context.Context, ref string, progress func(docker.PullProgress)) (docker.Image, error)
	Import(ctx context.Context, rootfs io.Reader, ref string, changes []string) (id string, err error)
	RemoveImage(ctx context.Context, ref string) error

	Create(ctx context.Context, c docker.Container) (id string, err error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Remove(ctx context.Context, id string, force bool) error
	Container(ctx context.Context, idOrName string) (docker.ContainerState, error)
	Containers(ctx context.Context, labels map[string]string) ([]docker.ContainerState, error)
	Logs(ctx context.Context, id string, o docker.LogOptions) error

	CreateNetwork(ctx context.Context, n docker.Network) (docker.Network, error)
	Network(ctx context.Context, nameOrID string) (docker.Network, error)
	Networks(ctx context.Context, labels map[string]string) ([]docker.Network, error)
	RemoveNetwork(ctx context.Context, id string) error
}
