package bundle

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// engineImage gives an image to the engine until the test ends.
func engineImage(t *testing.T, engine *docker.Engine, ref string, image v1.Image) (id string) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.Config.Labels = map[string]string{dockertest.Label: "1"}
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(tarball.Write(tag, image, writer)) }()
	if _, err := engine.Load(t.Context(), reader); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, engine, ref) })
	digest, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

func remove(t *testing.T, engine *docker.Engine, refs ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	for _, ref := range refs {
		if err := engine.RemoveImage(ctx, ref); err != nil && !errors.Is(err, docker.ErrNotFound) {
			t.Errorf("clean up: %v", err)
		}
	}
}

func TestRealEngine(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	repo := dockertest.Name(t)
	base := randomImage(t, empty.Image, 300_000)
	ids := map[string]string{
		repo + ":one":   engineImage(t, engine, repo+":one", randomImage(t, base, 100_000)),
		repo + ":two":   engineImage(t, engine, repo+":two", randomImage(t, base, 200_000)),
		repo + ":other": dockertest.Image(t, engine, repo+":other", dockertest.Rootfs{Contents: map[string]string{"/greeting": repo}}),
	}
	ids[repo+":alias"] = ids[repo+":one"]
	if err := engine.Tag(t.Context(), repo+":one", repo+":alias"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, engine, repo+":alias") })
	var items []Item
	for ref := range ids {
		items = append(items, Item{Ref: ref})
	}
	file := filepath.Join(t.TempDir(), "bundle.tar")
	if _, err := Save(t.Context(), engine, file, SaveOptions{Items: items}); err != nil {
		t.Fatal(err)
	}
	gone := func() {
		t.Helper()
		for ref, id := range ids {
			remove(t, engine, ref)
			if _, err := engine.Image(t.Context(), id); !errors.Is(err, docker.ErrNotFound) && ref != repo+":alias" && ref != repo+":one" {
				t.Fatalf("%s is still there: %v", ref, err)
			}
		}
	}
	back := func(how string) {
		t.Helper()
		for ref, id := range ids {
			if image, err := engine.Image(t.Context(), ref); err != nil || image.ID != id {
				t.Errorf("%s: %s is %s, %v; want %s", how, ref, image.ID, err, id)
			}
		}
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for _, present := range []bool{false, true} {
		if !present {
			gone()
		}
		loaded, err := Load(t.Context(), engine, f, info.Size(), LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		back("xtci bundle load")
		if i := slices.IndexFunc(loaded, func(one LoadedImage) bool { return one.Ref == repo+":two" }); loaded[i].Present != present {
			t.Errorf("got %+v", loaded[i])
		}
	}

	gone()
	if _, err := engine.Load(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	back("docker load")
}
