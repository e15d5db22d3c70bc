package installer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/docker"
)

// wanted is a stack of two services: one of a pulled image, one of xtci's own.
func wanted() *Stack {
	return &Stack{
		Name: "lab", Prefix: "/lab", Network: "lab", Version: "v1", Own: OwnImage{digest: strings.Repeat("a", 64)},
		Services: []Service{
			{Name: "minio", Images: []string{"quay.io/minio/minio:1"}, Container: docker.Container{Command: []string{"server"}}},
			{Name: "testdb", Container: docker.Container{Command: []string{"serve"}}},
		},
	}
}

// there is the state in which everything is as the stack wants it.
func there(stack *Stack) *State {
	state := &State{
		Network:    &docker.Network{Name: "lab", Labels: stack.labels()},
		Containers: map[string]docker.ContainerState{}, Images: map[string]ImageState{},
	}
	for i := range stack.Services {
		service := &stack.Services[i]
		id := "sha256:" + service.Name
		ref := "xtci.local/xtci:aaaaaaaaaaaa"
		if len(service.Images) > 0 {
			ref = service.Images[0]
		}
		state.Images[service.Name] = ImageState{Ref: ref, ID: id}
		state.Containers[service.Name] = docker.ContainerState{
			ID: service.Name, Name: "lab-" + service.Name, ImageID: id, Status: "running",
			Labels: stack.container(service, ref).Labels, Addresses: map[string]string{"lab": "172.18.0.2"},
		}
	}
	return state
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	container := func(change func(*docker.ContainerState)) func(*Stack, *State) {
		return func(_ *Stack, state *State) {
			c := state.Containers["minio"]
			change(&c)
			state.Containers["minio"] = c
		}
	}
	for _, test := range []struct {
		name   string
		change func(*Stack, *State)
		pull   bool
		want   string
	}{
		{name: "everything is as it should be", change: func(*Stack, *State) {}},
		{
			name: "nothing is there",
			change: func(_ *Stack, state *State) {
				*state = State{Images: map[string]ImageState{"minio": {Ref: "quay.io/minio/minio:1"}, "testdb": {Ref: "xtci.local/xtci:aaaaaaaaaaaa"}}}
			},
			want: `create network lab: it is not there
pull image quay.io/minio/minio:1: it is not here
make image xtci.local/xtci:aaaaaaaaaaaa: it is not here
create lab-minio: it is not there
create lab-testdb: it is not there
`,
		},
		{
			name: "two things of one service changed", change: func(stack *Stack, _ *State) {
				stack.Services[0].Container.Command = []string{"gateway"}
				stack.Services[0].Container.Env = []string{"A=1"}
			},
			want: "recreate lab-minio: its command and environment changed\n",
		},
		{
			name: "a file changed", change: func(stack *Stack, _ *State) { stack.Services[1].Files = []File{{Path: "/x", Content: []byte("x")}} },
			want: "recreate lab-testdb: its files changed\n",
		},
		{
			name: "a limit changed", change: func(stack *Stack, _ *State) { stack.Services[0].Container.Memory = 1 },
			want: "recreate lab-minio: its limits changed\n",
		},
		{
			name: "another image", change: func(_ *Stack, state *State) {
				state.Images["minio"] = ImageState{Ref: "quay.io/minio/minio:1", ID: "sha256:other"}
			},
			want: "recreate lab-minio: its image is another one\n",
		},
		{
			name: "another xtci", change: func(_ *Stack, state *State) {
				state.Images["testdb"] = ImageState{Ref: "xtci.local/xtci:bbbbbbbbbbbb"}
			},
			want: "make image xtci.local/xtci:bbbbbbbbbbbb: it is not here\nrecreate lab-testdb: its image is another one\n",
		},
		{
			name: "it ended", change: container(func(c *docker.ContainerState) { c.Status, c.ExitCode = "exited", 137 }),
			want: "recreate lab-minio: it had ended with code 137\n",
		},
		{
			name: "it was stopped", change: container(func(c *docker.ContainerState) { c.Status, c.ExitCode = "exited", 143 }),
			want: "start lab-minio: it had ended with code 143\n",
		},
		{
			name: "it ends again and again", change: container(func(c *docker.ContainerState) { c.Status, c.ExitCode = "restarting", 3 }),
			want: "recreate lab-minio: it ends again and again, with code 3\n",
		},
		{
			name: "it was created and no more", change: container(func(c *docker.ContainerState) { c.Status = "created" }),
			want: "recreate lab-minio: it was never started\n",
		},
		{
			name: "it is paused", change: container(func(c *docker.ContainerState) { c.Status = "paused" }),
			want: "recreate lab-minio: it is paused\n",
		},
		{
			name: "it was taken off the network", change: container(func(c *docker.ContainerState) { c.Addresses = nil }),
			want: "recreate lab-minio: it is not on the network lab\n",
		},
		{
			name: "a service is not wanted any more", change: func(stack *Stack, _ *State) { stack.Services = stack.Services[1:] },
			want: "remove lab-minio: the site does not want minio any more\n",
		},
		{
			name: "somebody else runs it now", change: func(stack *Stack, _ *State) { stack.Services[0].External = true },
			want: "remove lab-minio: the site does not want minio any more\n",
		},
		{
			name: "wiring became classic", change: func(stack *Stack, _ *State) { stack.Network = "" },
			want: "remove network lab: wiring is classic: containers are on Docker's bridge\n" +
				"recreate lab-minio: its network changed\nrecreate lab-testdb: its network changed\n",
		},
		{
			name: "newer images are looked for", change: func(*Stack, *State) {}, pull: true,
			want: "pull image quay.io/minio/minio:1: --pull looks for a newer one\n",
		},
		{
			name: "the tag was moved", change: func(_ *Stack, state *State) {
				state.Images["minio"] = ImageState{Ref: "quay.io/minio/minio@sha256:1", Moved: true}
			},
			want: "pull image quay.io/minio/minio@sha256:1: quay.io/minio/minio:1 is locked to it, and is another image here (--pull takes the newer one)\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			stack := wanted()
			state := there(stack)
			test.change(stack, state)
			if diff := cmp.Diff(test.want, Reconcile(stack, state, test.pull).String()); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotOursIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		labels map[string]string
		want   string // in the message
	}{
		{"a newer xtci's", map[string]string{labelSchema: "2", labelVersion: "v9", labelPrefix: "/lab"}, "made by a newer xtci (v9"},
		{"another prefix's", map[string]string{labelSchema: "1", labelPrefix: "/other"}, "the prefix /other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := wanted().check("container lab-minio", test.labels)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that says %s", err, test.want)
			}
		})
	}
	if err := wanted().check("container lab-minio", wanted().labels()); err != nil {
		t.Error(err)
	}
}
