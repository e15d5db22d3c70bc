package installer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// Options are what bringing a stack up needs.
type Options struct {
	Engine Engine
	Stack  *Stack
	// Pull looks for newer images than those that are here.
	Pull bool
	// Offline pulls nothing.
	Offline bool
	// Events, if not nil, is told of every step. It may be called by several
	// goroutines at once.
	Events func(Event)
}

// A Result is what bringing a stack up did.
type Result struct {
	Plan Plan
	// Changed are what was set up within the services, by service.
	Changed map[string][]string
}

// Unchanged says whether everything was as it should be.
func (r *Result) Unchanged() bool { return r.Plan.Empty() && len(r.Changed) == 0 }

// Up makes the stack what it should be, and waits until it is healthy. What
// came up stays up when something else does not: the next Up goes on. The
// error joins a ServiceError for each service that did not come up.
func Up(ctx context.Context, o Options) (*Result, error) {
	result, err := up(ctx, o)
	return result, explain(ctx, err, "up")
}

func up(ctx context.Context, o Options) (*Result, error) {
	unlock, err := lockStack(o.Stack.Prefix)
	if err != nil {
		return nil, err
	}
	defer unlock()
	lock, err := ReadLock(o.Stack.Prefix)
	if err != nil {
		return nil, err
	}
	state, err := Observe(ctx, o.Engine, o.Stack, lock)
	if err != nil {
		return nil, err
	}
	x := &execution{
		Options: o, lock: lock, state: state, started: time.Now(),
		result: &Result{Plan: Reconcile(o.Stack, state, o.Pull), Changed: map[string][]string{}},
		ended:  map[string]chan struct{}{}, failed: map[string]error{},
	}
	x.ownImage = sync.OnceValues(func() (string, error) { return o.Stack.Own.make(ctx, o.Engine) })
	return x.result, x.run(ctx)
}

type execution struct {
	Options
	lock     *Lock
	state    *State
	started  time.Time
	result   *Result
	ownImage func() (string, error)

	mu     sync.Mutex
	failed map[string]error
	ended  map[string]chan struct{} // closed when the service is healthy, or has failed
}

func (x *execution) run(ctx context.Context) error {
	if err := x.removeUnwanted(ctx); err != nil {
		return err
	}
	if err := x.network(ctx); err != nil {
		return err
	}
	for i := range x.Stack.Services {
		x.ended[x.Stack.Services[i].Name] = make(chan struct{})
	}
	var group sync.WaitGroup
	for i := range x.Stack.Services {
		service := &x.Stack.Services[i]
		group.Go(func() {
			defer close(x.ended[service.Name])
			if err := x.service(ctx, service); err != nil {
				x.noteFailed(ctx, service, err)
			}
		})
	}
	group.Wait()
	if err := x.failures(); err != nil {
		return err
	}
	if x.result.Plan.of("", OpRemoveNetwork) != nil { // nobody is on it any more
		return removeNetwork(ctx, x.Engine, *x.state.Network)
	}
	return nil
}

// noteFailed keeps and tells why a service did not come up.
func (x *execution) noteFailed(ctx context.Context, service *Service, err error) {
	x.mu.Lock()
	x.failed[service.Name] = err
	x.mu.Unlock()
	if ctx.Err() != nil {
		x.tell(service, StateInterrupted, "")
		return
	}
	detail := err
	if failed, ok := errors.AsType[*ServiceError](err); ok {
		detail = failed.Err // without the service's name
	}
	x.event(Event{Service: service.Name, State: StateFailed, Detail: firstLine(detail), Err: err})
}

// failures joins what went wrong, in the order of the services.
func (x *execution) failures() error {
	var errs []error
	for i := range x.Stack.Services {
		if err := x.failed[x.Stack.Services[i].Name]; !errors.Is(err, errAfter) {
			errs = append(errs, err)
		}
	}
	return join(errs)
}

// removeUnwanted removes containers of services that the site does not want.
func (x *execution) removeUnwanted(ctx context.Context) error {
	for _, op := range x.result.Plan.Ops {
		if op.Kind != OpRemove {
			continue
		}
		if err := removeContainer(ctx, x.Engine, x.state.Containers[op.Service]); err != nil {
			return err
		}
		x.event(Event{Service: op.Service, State: StateRemoved, Detail: op.Cause})
	}
	return nil
}

func (x *execution) network(ctx context.Context) error {
	if x.result.Plan.of("", OpCreateNetwork) == nil {
		return nil
	}
	_, err := x.Engine.CreateNetwork(ctx, docker.Network{Name: x.Stack.Network, Labels: x.Stack.labels()})
	if !errors.Is(err, docker.ErrConflict) {
		return err
	}
	there, looked := x.Engine.Network(ctx, x.Stack.Network)
	if looked == nil && there.Labels[labelStack] == x.Stack.Name && there.Labels[labelPrefix] == x.Stack.Prefix {
		return nil // a run that was cut off had asked for it
	}
	return &RefusedError{fmt.Sprintf("the network %s is there already and is not of this stack: give the stack another name (--set stack.name=NAME)", x.Stack.Network)}
}

// errAfter is that a service was not started because another failed.
var errAfter = errors.New("not started")

// service brings one service up.
func (x *execution) service(ctx context.Context, service *Service) error {
	id, err := x.container(ctx, service)
	if err != nil {
		return x.fail(ctx, service, id, err)
	}
	if x.touched(service) {
		x.tell(service, StateStarting, "")
	} else {
		x.tell(service, StateChecking, "")
	}
	restarts := 0
	if !x.touched(service) {
		restarts = x.state.Containers[service.Name].Restarts
	}
	if err := x.waitReady(ctx, service, id, restarts); err != nil {
		return x.fail(ctx, service, id, err)
	}
	var changed []string
	if service.Setup != nil {
		x.tell(service, StateSettingUp, "")
		setup, cancel := context.WithTimeout(ctx, service.Timeout)
		defer cancel()
		if changed, err = service.Setup(setup); err != nil {
			return x.fail(ctx, service, id, fmt.Errorf("set up: %w", err))
		}
	}
	state := StateHealthy
	if len(changed) > 0 {
		x.mu.Lock()
		x.result.Changed[service.Name] = changed
		x.mu.Unlock()
	} else if !x.touched(service) {
		state = StateUnchanged
	}
	x.tell(service, state, service.URL)
	return nil
}

// touched says whether the service's container was made or started.
func (x *execution) touched(service *Service) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.result.Plan.of(service.Name, OpCreate, OpRecreate, OpStart) != nil
}

// prepare has ready what the service's container is made of, once those that
// it needs are healthy.
func (x *execution) prepare(ctx context.Context, service *Service) (ImageState, error) {
	image, err := x.image(ctx, service)
	if err != nil {
		return image, err
	}
	for _, other := range service.After {
		if err := x.await(ctx, service, other); err != nil {
			return image, err
		}
	}
	for _, folder := range service.Folders {
		if err := makeFolder(folder); err != nil {
			return image, err
		}
	}
	for _, file := range service.Files {
		if err := writeFile(file); err != nil {
			return image, fmt.Errorf("write its configuration: %w", err)
		}
	}
	return image, nil
}

// outsideFault says whether another container would fail in the same way.
func outsideFault(err error) bool {
	return errors.Is(err, docker.ErrPortTaken) || errors.Is(err, docker.ErrUnavailable) || errors.Is(err, docker.ErrNoSpace)
}

// container makes the service's container run as it should, and returns its
// id as far as there is one.
func (x *execution) container(ctx context.Context, service *Service) (id string, err error) {
	if service.External {
		return "", nil
	}
	image, err := x.prepare(ctx, service)
	if err != nil {
		return "", err
	}
	there, exists := x.state.Containers[service.Name]
	op := x.result.Plan.of(service.Name, OpCreate, OpRecreate, OpStart)
	if exists && otherImage(service, there, image) && (op == nil || op.Kind == OpStart) { // a newer one was pulled
		op = &Op{Kind: OpRecreate}
		x.noteRecreated(service, there)
	}
	switch {
	case op == nil:
		return there.ID, nil
	case op.Kind == OpStart:
		err := x.start(ctx, service, there.ID)
		if err == nil || ctx.Err() != nil || outsideFault(err) {
			return there.ID, err
		}
		x.noteRecreated(service, there) // another one may do
		if err := removeContainer(ctx, x.Engine, there); err != nil {
			return there.ID, err
		}
	case exists:
		x.tell(service, StateStopping, "")
		if err := removeContainer(ctx, x.Engine, there); err != nil {
			return there.ID, err
		}
	}
	x.tell(service, StateCreating, image.Ref)
	id, err = x.create(ctx, x.Stack.container(service, image.Ref))
	if errors.Is(err, docker.ErrNotFound) && len(service.Images) == 0 { // another stack's down --purge removed the image meanwhile
		if _, err = x.Stack.Own.make(ctx, x.Engine); err == nil {
			id, err = x.create(ctx, x.Stack.container(service, image.Ref))
		}
	}
	if err != nil {
		return id, err
	}
	return id, x.start(ctx, service, id)
}

func (x *execution) noteRecreated(service *Service, there docker.ContainerState) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.result.Plan.Ops = append(x.result.Plan.Ops, Op{Kind: OpRecreate, Service: service.Name, Subject: there.Name, Cause: "its image is another one"})
}

func (x *execution) start(ctx context.Context, service *Service, id string) error {
	err := x.Engine.Start(ctx, id)
	if errors.Is(err, docker.ErrPortTaken) {
		return x.portTaken(ctx, service, err)
	}
	return err
}

// image makes sure that the service's image is here.
func (x *execution) image(ctx context.Context, service *Service) (ImageState, error) {
	image := x.state.Images[service.Name]
	switch {
	case len(service.Images) == 0 && image.ID == "":
		x.tell(service, StateMaking, image.Ref)
		id, err := x.ownImage()
		image.ID = id
		return image, err
	case len(service.Images) == 0:
		return image, nil
	case image.ID == "" || x.Pull && !x.Offline:
		return x.pull(ctx, service)
	}
	if _, ok := x.lock.Images[service.Images[0]]; ok {
		return image, nil
	}
	known, err := x.Engine.Image(ctx, image.Ref)
	if err != nil {
		return image, err
	}
	return image, x.locked(service, image.Ref, known)
}

// await waits until another service is healthy.
func (x *execution) await(ctx context.Context, service *Service, other string) error {
	ended, ok := x.ended[other]
	if !ok {
		return nil // it is no part of the stack
	}
	select {
	case <-ended:
	default:
		x.tell(service, StateWaiting, other)
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.failed[other]; err != nil {
		return fmt.Errorf("%w: it needs %s, which failed", errAfter, other)
	}
	return nil
}

func (x *execution) tell(service *Service, state EventState, detail string) {
	x.event(Event{Service: service.Name, State: state, Detail: detail})
}

func (x *execution) event(event Event) {
	if x.Events != nil {
		event.Elapsed = time.Since(x.started)
		x.Events(event)
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// stopGrace is how long a service may take to stop.
const stopGrace = 15 * time.Second

// removeContainer stops and removes a container of ours. That it is gone
// already is as good.
func removeContainer(ctx context.Context, engine Engine, container docker.ContainerState) error {
	if container.Status != "created" && container.Status != "exited" && container.Status != "dead" {
		if err := engine.Stop(ctx, container.ID, stopGrace); err != nil && !errors.Is(err, docker.ErrNotFound) {
			return err
		}
	}
	if err := engine.Remove(ctx, container.ID, true); err != nil && !errors.Is(err, docker.ErrNotFound) {
		return err
	}
	return nil
}
