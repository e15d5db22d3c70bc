package dockertest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

func TestAnEngineOfItsOwn(t *testing.T) {
	t.Parallel()
	shared := Connect(t)
	var name, folder string
	t.Run("while it runs", func(t *testing.T) {
		e := StartEngine(t, EngineOptions{})
		name, folder = e.name, e.folder
		image := Testprog(t, shared)
		e.Take(shared, image)
		engine := e.Connect()
		network, err := engine.CreateNetwork(t.Context(), docker.Network{Name: "own"})
		if err != nil {
			t.Fatal(err)
		}
		id, err := engine.Create(t.Context(), docker.Container{Name: "own", Image: image, Command: []string{"wait"}, Network: network.Name, RestartUnlessStopped: true})
		if err == nil {
			err = engine.Start(t.Context(), id)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := shared.Container(t.Context(), id); !errors.Is(err, docker.ErrNotFound) {
			t.Errorf("the engine of this machine knows its container: %v", err)
		}
		before, err := engine.Container(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		e.Restart()
		Until(t, 20*time.Second, "the container comes back", func(ctx context.Context) error {
			now, err := engine.Container(ctx, id)
			if err == nil && (!now.Running() || now.Started.Equal(before.Started)) {
				err = errors.New("it is " + now.Status)
			}
			return err
		})
		e.Kill()
		if _, err := engine.Container(t.Context(), id); !errors.Is(err, docker.ErrUnavailable) {
			t.Errorf("a daemon that was killed answers: %v", err)
		}
		e.Start() // Docker 20.10 ends what a daemon that died has left, and leaves it so
		if _, err := engine.Container(t.Context(), id); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is left: %v", err)
	}
	if left, err := filepath.Glob("/sys/fs/cgroup/*/" + name); err != nil || len(left) > 0 {
		t.Errorf("its control groups are left: %v, %v", left, err)
	}
}

func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	shared := Connect(t)
	e := StartEngine(t, EngineOptions{Disk: 64 << 20})
	empty := e.Fill(1 << 20)
	program, err := os.ReadFile(Build(t, "./internal/docker/dockertest/testprog"))
	if err != nil {
		t.Fatal(err)
	}
	engine := e.Connect()
	var tar bytes.Buffer
	if err := (Rootfs{Contents: map[string]string{"/testprog": string(program)}}).write(&tar); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Import(t.Context(), bytes.NewReader(tar.Bytes()), "", nil); !errors.Is(err, docker.ErrNoSpace) {
		t.Errorf("an image is made on a full disk: %v", err)
	}
	empty()
	e.Take(shared, Testprog(t, shared))
}
