package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// connectAs connects with a folder of Docker's configuration.
func connectAs(t *testing.T, folder string) *docker.Engine {
	t.Helper()
	dockertest.Connect(t) // skips without an engine
	engine, err := docker.Connect(t.Context(), docker.Options{Environ: append(os.Environ(), "DOCKER_CONFIG="+folder)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}

// forget removes an image's names from the engine, if it has them.
func forget(t *testing.T, engine *docker.Engine, refs ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	for _, ref := range refs {
		if err := engine.RemoveImage(ctx, ref); err != nil && !errors.Is(err, docker.ErrNotFound) {
			t.Error(err)
		}
	}
}

func TestPullFromARegistry(t *testing.T) {
	t.Parallel()
	engine, ctx := dockertest.Connect(t), t.Context()
	registry := dockertest.StartRegistry(t, engine, nil)
	name := registry.Address + "/lab/greeting"
	ref := name + ":1"
	id := dockertest.Image(t, engine, ref, dockertest.Rootfs{Contents: map[string]string{"/greeting": strings.Repeat(ref, 10000)}})
	digest, err := engine.Push(ctx, ref, nil)
	if err != nil || !strings.HasPrefix(digest, "sha256:") {
		t.Fatalf("pushed as %q, %v", digest, err)
	}
	if asked, err := engine.Distribution(ctx, ref); err != nil || asked != digest {
		t.Errorf("the registry has %q, %v, want %q", asked, err, digest)
	}
	for _, by := range []string{ref, name + "@" + digest, ref + "@" + digest} {
		forget(t, engine, ref, name+"@"+digest)
		if _, err := engine.Image(ctx, id); !errors.Is(err, docker.ErrNotFound) {
			t.Fatalf("it is still there: %v", err)
		}
		var last docker.PullProgress
		steps := 0
		got, err := engine.Pull(ctx, by, func(p docker.PullProgress) { last, steps = p, steps+1 })
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != id || len(got.RepoDigests) != 1 || got.RepoDigests[0] != name+"@"+digest {
			t.Errorf("%s: pulled %+v", by, got)
		}
		if steps < 3 || last.Done != last.Total || last.Status == "" {
			t.Errorf("%s: the last of %d steps is %+v", by, steps, last)
		}
		if again, err := engine.Image(ctx, by); err != nil || again.ID != id {
			t.Errorf("looked up by %s it is %+v, %v", by, again, err)
		}
	}
	// which is there already
	if got, err := engine.Pull(ctx, ref, nil); err != nil || got.ID != id {
		t.Errorf("pulled %+v, %v", got, err)
	}
	forget(t, engine, ref, name+"@"+digest)

	for what, call := range map[string]func() error{
		"pull of no such tag":          func() error { return second(engine.Pull(ctx, name+":gone", nil)) },
		"pull of no such repository":   func() error { return second(engine.Pull(ctx, registry.Address+"/gone:1", nil)) },
		"pull of no such digest":       func() error { return second(engine.Pull(ctx, name+"@sha256:"+strings.Repeat("0", 64), nil)) },
		"digest of no such tag":        func() error { return second(engine.Distribution(ctx, name+":gone")) },
		"digest of no such repository": func() error { return second(engine.Distribution(ctx, registry.Address+"/gone:1")) },
		"push of no such image":        func() error { return second(engine.Push(ctx, name+":gone", nil)) },
	} {
		if err := call(); !errors.Is(err, docker.ErrNotFound) || errors.Is(err, docker.ErrDenied) || !strings.Contains(err.Error(), registry.Address) {
			t.Errorf("%s: error is %v, want that it is not found", what, err)
		}
	}
	for _, bad := range []string{"", "Upper/Case", "a b", "a@sha256:0", strings.Repeat("a", 300)} {
		for what, err := range map[string]error{
			"pull":   second(engine.Pull(ctx, bad, nil)),
			"push":   second(engine.Push(ctx, bad, nil)),
			"digest": second(engine.Distribution(ctx, bad)),
		} {
			if err == nil {
				t.Errorf("%s of %q is no error", what, bad)
			}
		}
	}
}

func TestRegistryThatWantsCredentials(t *testing.T) {
	t.Parallel()
	b := dockertest.Connect(t)
	registry := dockertest.StartRegistry(t, b, map[string]string{"lab": "secret word"})
	known := connectAs(t, registry.Login(t, "lab", "secret word"))
	wrong := connectAs(t, registry.Login(t, "lab", "guess"))
	unknown := connectAs(t, t.TempDir())
	helpless := t.TempDir()
	if err := os.WriteFile(helpless+"/config.json", []byte(`{"credsStore":"xtci-test-gone"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()

	ref := registry.Address + "/lab/private:1"
	id := dockertest.Image(t, b, ref, dockertest.Rootfs{Contents: map[string]string{"/greeting": ref}})
	for who, engine := range map[string]*docker.Engine{"nobody": unknown, "who guesses": wrong, "a helper that is not there": connectAs(t, helpless)} {
		for what, err := range map[string]error{
			"push": second(engine.Push(ctx, ref, nil)), "pull": second(engine.Pull(ctx, ref, nil)), "digest": second(engine.Distribution(ctx, ref)),
		} {
			if !errors.Is(err, docker.ErrDenied) || !strings.Contains(err.Error(), ref) {
				t.Errorf("%s by %s: error is %v, want that it is denied", what, who, err)
			}
			if strings.HasPrefix(who, "a helper") != strings.Contains(fmt.Sprint(err), "docker-credential-xtci-test-gone") {
				t.Errorf("%s by %s: error is %v", what, who, err)
			}
			if strings.Contains(fmt.Sprint(err), "guess") {
				t.Errorf("%s by %s: error %v tells the password", what, who, err)
			}
		}
	}
	digest, err := known.Push(ctx, ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := known.Distribution(ctx, ref); err != nil || got != digest {
		t.Errorf("the registry has %q, %v, want %q", got, err, digest)
	}
	forget(t, b, ref)
	got, err := known.Pull(ctx, ref, nil)
	if err != nil || got.ID != id {
		t.Errorf("pulled %+v, %v", got, err)
	}
}

func TestRegistryThatCannotBeReached(t *testing.T) {
	t.Parallel()
	engine, ctx := dockertest.Connect(t), t.Context()
	nobody := fmt.Sprintf("localhost:%d/a:1", dockertest.Port(t))
	_, err := engine.Pull(ctx, nobody, nil)
	wantIs(t, err, docker.ErrUnreachable, "pull image "+nobody)
	_, err = engine.Distribution(ctx, nobody)
	wantIs(t, err, docker.ErrUnreachable, "for the digest of image "+nobody)
	_, err = engine.Pull(ctx, "registry.invalid/a:1", nil)
	wantIs(t, err, docker.ErrUnreachable, "registry.invalid")
	ref := nobody
	dockertest.Image(t, engine, ref, dockertest.Rootfs{Contents: map[string]string{"/a": "b"}})
	_, err = engine.Push(ctx, ref, nil)
	wantIs(t, err, docker.ErrUnreachable, "push image "+nobody)
}

const (
	manifestType = "application/vnd.docker.distribution.manifest.v2+json"
	someDigest   = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // of nothing
	otherDigest  = "sha256:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b" // of a newline
)

// standInRegistry is a stand-in for a registry with one image, whose layer is
// served as the handler does.
func standInRegistry(t *testing.T, layer http.HandlerFunc) (ref string) {
	t.Helper()
	blob := func(digest string) map[string]any {
		return map[string]any{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1 << 20, "digest": digest}
	}
	config := blob(someDigest)
	config["mediaType"] = "application/vnd.docker.container.image.v1+json"
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []any{blob(otherDigest)},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/manifests/"):
			w.Header().Set("Content-Type", manifestType)
			_, _ = w.Write(manifest)
		case strings.Contains(r.URL.Path, "/blobs/"):
			layer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return "localhost:" + server.URL[strings.LastIndexByte(server.URL, ':')+1:] + "/a/b:1"
}

// A registry that breaks in the middle is told of within a good answer.
func TestPullThatFailsInTheStream(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	ref := standInRegistry(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone mad", http.StatusNotFound) })
	_, err := engine.Pull(t.Context(), ref, nil)
	if err == nil || !strings.Contains(err.Error(), "pull image "+ref+": ") {
		t.Fatalf("error is %v", err)
	}
	if errors.Is(err, docker.ErrUnavailable) {
		t.Errorf("%v blames the engine", err)
	}
	_, err = engine.Image(t.Context(), ref)
	wantIs(t, err, docker.ErrNotFound)
}

func TestPullIsCancelled(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	var asked atomic.Bool
	release := make(chan struct{})
	ref := standInRegistry(t, func(_ http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	t.Cleanup(func() { close(release) }) // before the server is closed, which waits
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- second(engine.Pull(ctx, ref, nil)) }()
	dockertest.Until(t, 30*time.Second, "the registry is asked for a layer", func(context.Context) error {
		if !asked.Load() {
			return errors.New("not yet")
		}
		return nil
	})
	begun := time.Now()
	cancel()
	err := <-ended
	wantIs(t, err, context.Canceled, "pull image "+ref)
	if errors.Is(err, docker.ErrUnavailable) || time.Since(begun) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(begun), err)
	}
}
