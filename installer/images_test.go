package installer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// push makes an image of MinIO that differs from others by a label, and
// pushes it: a release of MinIO. It is not here any more then.
func push(t *testing.T, engine *docker.Engine, ref, release string) (id, digest string) {
	t.Helper()
	id = dockertest.Image(t, engine, ref, dockertest.Rootfs{
		Files: map[string]string{"/minio": dockertest.MinioBinary(t)}, Folders: []string{"/tmp"},
		Changes: []string{`ENTRYPOINT ["/minio"]`, "LABEL release=" + release},
	})
	digest, err := engine.Push(t.Context(), ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.RemoveImage(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	return id, digest
}

func (l *lab) imageOf(service string) string {
	l.t.Helper()
	container, err := l.engine.Container(l.t.Context(), l.ids()[service])
	if err != nil {
		l.t.Fatal(err)
	}
	return container.ImageID
}

// forget removes images that a test pulled.
func (l *lab) forget(refs ...string) {
	l.t.Helper()
	for _, ref := range refs {
		if err := l.engine.RemoveImage(l.t.Context(), ref); err != nil && !errors.Is(err, docker.ErrNotFound) {
			l.t.Errorf("forget %s: %v", ref, err)
		}
	}
}

func (l *lab) down() {
	l.t.Helper()
	if err := Down(l.t.Context(), l.engine, l.stack(), func(Event) {}); err != nil {
		l.t.Fatal(err)
	}
}

func TestImagesAreLockedByDigest(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.TestDB.Enabled = false
	registry := dockertest.StartRegistry(t, l.engine, nil)
	ref := registry.Address + "/minio:lts"
	l.site.Stack.Minio.Image = ref
	first, digest := push(t, l.engine, ref, "1")

	if plan := l.up(); !strings.Contains(plan, "pull image "+ref+": it is not here\n") {
		t.Errorf("plan: %s", plan)
	}
	if l.imageOf("minio") != first {
		t.Error("another image runs")
	}
	lock, err := ReadLock(l.site.Stack.Prefix)
	want := registry.Address + "/minio@" + digest
	if err != nil || lock.Images[ref].Digest != want || lock.Images[ref].ID != first {
		t.Errorf("the lock has %+v, %v: want %s", lock.Images, err, want)
	}

	// the tag moves in the registry: the stack stays, and comes back after
	// its image was lost
	second, _ := push(t, l.engine, ref, "2")
	if plan := l.up(); plan != "" {
		t.Errorf("a moved tag changes the stack: %s", plan)
	}
	l.down()
	l.forget(ref, want)
	l.up()
	if l.imageOf("minio") != first {
		t.Error("the lock was not honoured")
	}

	// asked for, the newer one is taken
	plan := l.up(func(o *Options) { o.Pull = true })
	if !strings.Contains(plan, "--pull looks for a newer one") || !strings.Contains(plan, "recreate "+l.site.Stack.Name+"-minio: its image is another one") {
		t.Errorf("plan: %s", plan)
	}
	if l.imageOf("minio") != second {
		t.Error("--pull did not take the newer one")
	}
	if plan := l.up(); plan != "" {
		t.Errorf("then again: %s", plan)
	}

	// the tag stands for another image here: the locked one runs on
	if err := l.engine.Tag(t.Context(), dockertest.Testprog(t, l.engine), ref); err != nil {
		t.Fatal(err)
	}
	l.down()
	l.up()
	if l.imageOf("minio") != second {
		t.Error("a tag that was moved here changes what runs")
	}
	l.down()
	l.forget(ref, second)
}

func TestImagesFromMirrors(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.TestDB.Enabled = false
	registry := dockertest.StartRegistry(t, l.engine, nil)
	mirror := registry.Address + "/mirror/minio:1"
	_, _ = push(t, l.engine, mirror, "1")
	missing := registry.Address + "/minio:1"
	l.site.Stack.Minio.Image = missing
	l.site.Stack.Minio.Mirrors = []string{fmt.Sprintf("127.0.0.1:%d/minio:1", dockertest.Port(t)), mirror}
	l.up()
	l.healthy()
	lock, err := ReadLock(l.site.Stack.Prefix)
	if err != nil || !strings.HasPrefix(lock.Images[missing].Digest, registry.Address+"/mirror/minio@sha256:") {
		t.Errorf("the lock has %+v, %v", lock.Images, err)
	}
	if plan := l.up(); plan != "" {
		t.Errorf("again: %s", plan)
	}
	l.down()
	l.forget(mirror, lock.Images[missing].ID)
}

func TestImagesByDigestOfAPrivateRegistry(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.TestDB.Enabled = false
	registry := dockertest.StartRegistry(t, l.engine, map[string]string{"lab": "open sesame"})
	login := func(password string) *docker.Engine {
		t.Helper()
		environ := append(os.Environ(), "DOCKER_CONFIG="+registry.Login(t, "lab", password))
		engine, err := docker.Connect(t.Context(), docker.Options{Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = engine.Close() })
		return engine
	}
	known := login("open sesame")
	id, digest := push(t, known, registry.Address+"/minio:1", "1")
	l.site.Stack.Minio.Image = registry.Address + "/minio@" + digest

	_ = l.fails("minio: no place has its image", registry.Address+"/minio@"+digest)
	l.engine = login("wrong")
	_ = l.fails("minio: no place has its image")
	l.engine = known
	l.up()
	if l.imageOf("minio") != id {
		t.Error("another image runs")
	}
	l.down()
	l.forget(l.site.Stack.Minio.Image, id)
}

func TestReadLock(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, content, want string }{
		{"not YAML", "\t", "xtci.lock"},
		{"a key that it does not have", "imgs: {}\n", "imgs"},
		{"a wrong type", "images: []\n", "line 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			prefix := t.TempDir()
			if err := os.WriteFile(filepath.Join(prefix, lockFile), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := ReadLock(prefix); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error that names %s", err, test.want)
			}
		})
	}
	lock, err := ReadLock(t.TempDir())
	if err != nil || lock.Images == nil || len(lock.References()) > 0 {
		t.Errorf("no lock: %+v, %v", lock, err)
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for ref, want := range map[string]string{
		"minio": "minio", "minio:1": "minio", "localhost:5000/minio": "localhost:5000/minio", "localhost:5000/minio:1": "localhost:5000/minio",
		"quay.io/minio/minio@sha256:ab": "quay.io/minio/minio", "quay.io/minio/minio:1@sha256:ab": "quay.io/minio/minio",
	} {
		if got := repository(ref); got != want {
			t.Errorf("%s is of %s, want %s", ref, got, want)
		}
	}
}
