package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
)

// Create makes a container, which does not run yet. Its image must be there:
// else the error is ErrNotFound. A name that is taken is ErrConflict.
func (e *Engine) Create(ctx context.Context, c Container) (id string, err error) {
	config, host, networks, err := c.translate()
	if err == nil {
		var made container.CreateResponse
		made, err = e.api.ContainerCreate(ctx, config, host, networks, nil, c.Name)
		id = made.ID
	}
	if err != nil {
		return "", wrap(err, "create container %s of image %s", c.Name, c.Image)
	}
	return id, nil
}

// translate puts the container in the library's words.
func (c Container) translate() (*container.Config, *container.HostConfig, *network.NetworkingConfig, error) {
	if c.Memory < 0 || c.CPUs < 0 || c.PIDs < 0 {
		return nil, nil, nil, errors.New("a limit is negative")
	}
	exposed, bindings, err := translatePorts(c.Ports)
	if err != nil {
		return nil, nil, nil, err
	}
	config := &container.Config{
		Image: c.Image, Cmd: c.Command, Entrypoint: c.Entrypoint, Env: c.Env, Labels: c.Labels,
		Hostname: c.Hostname, User: c.User, WorkingDir: c.WorkingDir,
		StopSignal: c.StopSignal, ExposedPorts: exposed,
	}
	if c.StopGrace > 0 {
		config.StopTimeout = seconds(c.StopGrace)
	}
	host := &container.HostConfig{
		PortBindings: bindings, ExtraHosts: c.ExtraHosts, GroupAdd: c.Groups,
		NetworkMode: container.NetworkMode(c.Network),
		Privileged:  c.Privileged, ReadonlyRootfs: c.ReadOnlyRoot, CapAdd: c.AddCaps,
		Resources: container.Resources{
			Memory: c.Memory, MemorySwap: c.Memory, // the sum of both: no swap
			NanoCPUs: int64(math.Round(c.CPUs * 1e9)),
		},
	}
	for _, m := range c.Mounts {
		host.Mounts = append(host.Mounts, mount.Mount{Type: mount.TypeBind, Source: m.Source, Target: m.Target, ReadOnly: m.ReadOnly})
	}
	for _, folder := range c.Tmpfs {
		if host.Tmpfs == nil {
			host.Tmpfs = map[string]string{}
		}
		host.Tmpfs[folder] = ""
	}
	if c.DropAllCaps {
		host.CapDrop = []string{"ALL"}
	}
	if c.NoNewPrivileges {
		host.SecurityOpt = append(host.SecurityOpt, "no-new-privileges:true")
	}
	if len(c.Mounts) > 0 { // SELinux would deny what is mounted, and relabelling it is not ours to do
		host.SecurityOpt = append(host.SecurityOpt, "label=disable")
	}
	if c.PIDs > 0 {
		host.PidsLimit = &c.PIDs
	}
	if c.RestartUnlessStopped {
		host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyUnlessStopped}
	}
	if c.Init {
		host.Init = &c.Init
	}
	host.LogConfig = translateLog(c.LogMaxBytes, c.LogFiles)
	var networks *network.NetworkingConfig
	if len(c.Aliases) > 0 {
		networks = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
			c.Network: {Aliases: c.Aliases},
		}}
	}
	return config, host, networks, nil
}

func translatePorts(ports []Port) (nat.PortSet, nat.PortMap, error) {
	if len(ports) == 0 {
		return nil, nil, nil
	}
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for _, p := range ports {
		if p.Container < 1 || p.Container > math.MaxUint16 || p.Host < 0 || p.Host > math.MaxUint16 {
			return nil, nil, fmt.Errorf("port %d:%d: not a port", p.Host, p.Container)
		}
		name := nat.Port(strconv.Itoa(p.Container) + "/tcp")
		binding := nat.PortBinding{HostIP: p.HostIP}
		if p.Host > 0 {
			binding.HostPort = strconv.Itoa(p.Host)
		}
		exposed[name] = struct{}{}
		bindings[name] = append(bindings[name], binding)
	}
	return exposed, bindings, nil
}

// translateLog asks for the json-file driver by name when the log is to be
// rotated: the engine's default may be one that cannot.
func translateLog(maxBytes int64, files int) container.LogConfig {
	if maxBytes == 0 && files == 0 {
		return container.LogConfig{}
	}
	config := map[string]string{}
	if maxBytes > 0 {
		config["max-size"] = strconv.FormatInt(maxBytes, 10)
	}
	if files > 0 {
		config["max-file"] = strconv.Itoa(files)
	}
	return container.LogConfig{Type: "json-file", Config: config}
}

// seconds rounds up: a grace of half a second is not none.
func seconds(d time.Duration) *int {
	n := int(math.Ceil(d.Seconds()))
	return &n
}

// Start starts a container. One that runs already is no error. A port of the
// host that is in use is ErrPortTaken.
func (e *Engine) Start(ctx context.Context, id string) error {
	return wrap(e.api.ContainerStart(ctx, id, container.StartOptions{}), "start container %s", id)
}

// Stop asks a container's process to end, and kills it after the grace. One
// that does not run is no error.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	return wrap(e.api.ContainerStop(ctx, id, container.StopOptions{Timeout: seconds(max(grace, 0))}), "stop container %s", id)
}

// Kill sends a signal, such as SIGTERM, to a container's process. One that
// does not run is ErrConflict.
func (e *Engine) Kill(ctx context.Context, id, signal string) error {
	return wrap(e.api.ContainerKill(ctx, id, signal), "send %s to container %s", signal, id)
}

// Remove removes a container with its anonymous volumes. With force one that
// runs is killed; without, it is ErrConflict. One that is being removed
// already, as somebody asked before who did not wait for it, is waited for.
func (e *Engine) Remove(ctx context.Context, id string, force bool) error {
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true, Force: force})
	if errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress") {
		err = e.removed(ctx, id)
	}
	return wrap(err, "remove container %s", id)
}

const (
	// removedPoll is how often it is looked whether a container is there still.
	removedPoll = 100 * time.Millisecond
	// removedTime is how long the engine may take to remove one.
	removedTime = time.Minute
)

// removed waits until a container is gone.
func (e *Engine) removed(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removedTime, fmt.Errorf("it is being removed, but is still there after %s", removedTime))
	defer cancel()
	tick := time.NewTicker(removedPoll)
	defer tick.Stop()
	for {
		if _, err := e.api.ContainerInspect(ctx, id); errdefs.IsNotFound(err) {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Rename gives a container another name. One that is taken is ErrConflict.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	return wrap(e.api.ContainerRename(ctx, id, name), "rename container %s to %s", id, name)
}

// CopyFrom reads a file or folder of a container as a tar, in which it has the
// last element of its path as name. The container need not run.
func (e *Engine) CopyFrom(ctx context.Context, id, path string) (io.ReadCloser, error) {
	tar, _, err := e.api.CopyFromContainer(ctx, id, path)
	if err != nil {
		return nil, wrap(err, "copy %s from container %s", path, id)
	}
	return tar, nil
}

// CopyTo unpacks a tar in a folder of a container, which must be there. The
// container need not run.
func (e *Engine) CopyTo(ctx context.Context, id, folder string, tar io.Reader) error {
	files := &source{from: tar}
	err := e.api.CopyToContainer(ctx, id, folder, files, container.CopyToContainerOptions{})
	return wrap(files.or(err), "copy to %s of container %s", folder, id)
}
