package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

func tarOf(t *testing.T, files map[string]string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func untar(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for in := tar.NewReader(r); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
}

func TestLifeOfAnImage(t *testing.T) {
	t.Parallel()
	engine, ctx := dockertest.Connect(t), t.Context()
	name := dockertest.Name(t)
	ref := name + ":1"
	id := dockertest.Image(t, engine, ref, dockertest.Rootfs{
		Contents: map[string]string{"/etc/greeting": name},
		Changes:  []string{`LABEL one="1 of 2" two=` + name, "USER 1000", `ENTRYPOINT ["/nothing"]`},
	})
	got, err := engine.Image(ctx, ref)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != id || !slices.Equal(got.Tags, []string{ref}) || len(got.RepoDigests) != 0 || got.Labels["one"] != "1 of 2" ||
		got.Size == 0 || got.OS != "linux" || got.Arch == "" || time.Since(got.Created) > time.Hour {
		t.Errorf("it is %+v", got)
	}
	other := name + ":2"
	if err := engine.Tag(ctx, ref, other); err != nil {
		t.Fatal(err)
	}
	listed, err := engine.Images(ctx, map[string]string{"two": name, "one": ""})
	if err != nil || len(listed) != 1 || listed[0].ID != id || len(listed[0].Tags) != 2 || len(listed[0].RepoDigests) != 0 {
		t.Errorf("listed are %+v, %v", listed, err)
	}
	var saved bytes.Buffer
	if err := engine.Save(ctx, &saved, ref, other); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ref, other} {
		if err := engine.RemoveImage(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	_, err = engine.Image(ctx, id)
	wantIs(t, err, docker.ErrNotFound, "look up image "+id)

	loaded, err := engine.Load(ctx, &saved)
	slices.Sort(loaded)
	if err != nil || !slices.Equal(loaded, []string{ref, other}) {
		t.Errorf("loaded are %q, %v", loaded, err)
	}
	if again, err := engine.Image(ctx, other); err != nil || again.ID != id {
		t.Errorf("it came back as %+v, %v", again, err)
	}
	if err := engine.RemoveImage(ctx, other); err != nil {
		t.Error(err)
	}
}

func TestImagesThatAreNotThere(t *testing.T) {
	t.Parallel()
	engine, ctx := dockertest.Connect(t), t.Context()
	gone := dockertest.Name(t)
	for what, err := range map[string]error{
		"look up": second(engine.Image(ctx, gone)),
		"tag":     engine.Tag(ctx, gone, gone+":2"),
		"save":    engine.Save(ctx, io.Discard, gone),
		"remove":  engine.RemoveImage(ctx, gone),
	} {
		if !errors.Is(err, docker.ErrNotFound) || !strings.Contains(err.Error(), gone) {
			t.Errorf("%s: error is %v, want that %s is not found", what, err, gone)
		}
	}
}

func TestImageInUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := dockertest.Name(t)
	id := dockertest.Image(t, b.Engine, ref, dockertest.Rootfs{Contents: map[string]string{"/a": ref}})
	// registered later, so removed before
	dockertest.Cleanup(t, b.Engine, b.labels)
	b.make(docker.Container{Image: ref, Command: []string{"/a"}})
	wantIs(t, b.RemoveImage(t.Context(), ref), docker.ErrConflict, "remove image "+ref)
	if _, err := b.Image(t.Context(), id); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoImage(t *testing.T) {
	t.Parallel()
	engine, ctx := dockertest.Connect(t), t.Context()
	broken := errors.New("the disk is gone")
	failing := func() io.Reader { return readerFunc(func([]byte) (int, error) { return 0, broken }) }

	_, err := engine.Import(ctx, strings.NewReader("this is no tar"), dockertest.Name(t), nil)
	if err == nil || !strings.Contains(err.Error(), "import image") {
		t.Errorf("import of no tar: %v", err)
	}
	_, err = engine.Import(ctx, tarOf(t, nil), dockertest.Name(t), []string{"NONSENSE"})
	if err == nil || !strings.Contains(err.Error(), "nonsense is not a valid change") {
		t.Errorf("import with nonsense: %v", err)
	}
	_, err = engine.Import(ctx, tarOf(t, nil), "Not A Reference", nil)
	if err == nil {
		t.Error("import as something that is no reference is no error")
	}
	_, err = engine.Import(ctx, failing(), dockertest.Name(t), nil)
	wantIs(t, err, broken, "import image")

	if _, err := engine.Load(ctx, strings.NewReader("this is no tar")); err == nil || !strings.Contains(err.Error(), "load images") {
		t.Errorf("load of no tar: %v", err)
	}
	_, err = engine.Load(ctx, failing())
	wantIs(t, err, broken, "load images")

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = engine.Image(gone, "a")
	wantIs(t, err, context.Canceled, "look up image a")

	full := errors.New("disk full")
	image := dockertest.Testprog(t, engine)
	err = engine.Save(ctx, writerFunc(func([]byte) (int, error) { return 0, full }), image)
	wantIs(t, err, full, "write images "+image)
}

func TestInfo(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	info, err := engine.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Version == "" || info.APIVersion == "" || info.OS != "linux" || info.Arch == "" || strings.Contains(info.Arch, "_") ||
		info.RootDir == "" || info.CPUs == 0 || info.Memory < 1<<20 || info.Kernel == "" || info.StorageDriver == "" {
		t.Errorf("it says %+v", info)
	}
	if d := time.Since(info.Time); d.Abs() > time.Minute {
		t.Errorf("its clock is off by %s", d)
	}
	if engine.SocketPath() == "" {
		t.Skip("the engine is not on a socket")
	}
	if !strings.HasPrefix(engine.SocketPath(), "/") {
		t.Errorf("its socket is %q", engine.SocketPath())
	}
}
