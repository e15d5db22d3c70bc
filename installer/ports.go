package installer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
)

// A portError is a port of the host that a service cannot have.
type portError struct {
	text  string
	cause error // the engine's, with much that helps nobody
}

func (e *portError) Error() string { return e.text }
func (e *portError) Unwrap() error { return e.cause }

// portTaken says which ports a service cannot have, and who has them as far
// as it is containers.
func (x *execution) portTaken(ctx context.Context, service *Service, cause error) error {
	containers, _ := x.Engine.Containers(ctx, nil) // without them it cannot be said who
	var lines, keys []string
	for _, wanted := range service.Container.Ports {
		who := holder(containers, wanted)
		if who == "" && free(ctx, wanted) {
			continue
		}
		if who == "" {
			who = "a process of this host has it (xtci doctor says which)"
		}
		lines = append(lines, fmt.Sprintf("port %d is taken: %s", wanted.Host, who))
		key := "port"
		if service.Name == "minio" && wanted.Container == config.MinioConsolePort {
			key = "console_port"
		}
		keys = append(keys, fmt.Sprintf("--set stack.%s.%s=PORT", service.Name, key))
	}
	if len(lines) == 0 { // it was let go meanwhile, or is the engine's own
		return cause
	}
	return &portError{strings.Join(lines, "\n") + "\nwhat to do: stop it, or use another port (" + strings.Join(keys, " ") + ")", cause}
}

// holder says which container has published a port, or "".
func holder(containers []docker.ContainerState, wanted docker.Port) string {
	for _, container := range containers {
		for _, port := range container.Ports {
			if container.Running() && port.Host == wanted.Host {
				return "it is published by the container " + container.Name
			}
		}
	}
	return ""
}

// free says whether nobody listens on a port.
func free(ctx context.Context, port docker.Port) bool {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(port.HostIP, strconv.Itoa(port.Host)))
	if err != nil {
		return !errors.Is(err, syscall.EADDRINUSE)
	}
	_ = listener.Close() // it was never used
	return true
}
