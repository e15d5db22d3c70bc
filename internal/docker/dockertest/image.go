package dockertest

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// A Rootfs is what an image is made of.
type Rootfs struct {
	Files    map[string]string // path in the image: path on the host
	Contents map[string]string // path in the image: what is in the file
	Folders  []string          // in which anybody may write
	Changes  []string          // lines of a Dockerfile, such as ENTRYPOINT ["/xtci"]
}

// Image makes an image, which is removed when the test ends, and returns its
// id. An empty ref leaves it without a name.
func Image(t testing.TB, engine *docker.Engine, ref string, rootfs Rootfs) (id string) {
	t.Helper()
	id = rootfs.load(t, engine, ref)
	t.Cleanup(func() {
		ctx, cancel := after(t)
		defer cancel()
		if ref == "" {
			ref = id
		}
		if err := engine.RemoveImage(ctx, ref); err != nil && !errors.Is(err, docker.ErrNotFound) {
			t.Errorf("clean up: %v", err)
		}
	})
	return id
}

// load has the engine import the image.
func (r Rootfs) load(t testing.TB, engine *docker.Engine, ref string) (id string) {
	t.Helper()
	reader, writer := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = writer.CloseWithError(r.write(writer))
	}()
	id, err := engine.Import(t.Context(), reader, ref, append(slices.Clone(r.Changes), "LABEL "+Label+"=1"))
	_ = reader.Close()
	<-written
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// write writes the tar. It is the same for the same content.
func (r Rootfs) write(w io.Writer) error {
	out := tar.NewWriter(w)
	for _, folder := range slices.Sorted(maps.Keys(r.folders())) {
		mode := int64(0o755)
		if slices.Contains(r.Folders, "/"+folder) {
			mode = 0o1777
		}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: mode}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Contents)) {
		text := r.Contents[name]
		header := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: 0o644, Size: int64(len(text))}
		if err := errors.Join(out.WriteHeader(header), second(io.WriteString(out, text))); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		if err := writeFile(out, strings.TrimPrefix(name, "/"), r.Files[name]); err != nil {
			return err
		}
	}
	return out.Close()
}

func second(_ int, err error) error { return err }

// folders are all that the files need, without a leading slash.
func (r Rootfs) folders() map[string]bool {
	all := map[string]bool{}
	add := func(folder string) {
		for ; folder != "/" && folder != "."; folder = path.Dir(folder) {
			all[strings.TrimPrefix(folder, "/")] = true
		}
	}
	for _, folder := range r.Folders {
		add(folder)
	}
	for name := range r.Files {
		add(path.Dir(name))
	}
	for name := range r.Contents {
		add(path.Dir(name))
	}
	return all
}

func writeFile(out *tar.Writer, name, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}

// Shared makes an image that tests share, if it is not there already, and
// returns its reference, xtci-test/NAME:DIGEST. It is kept.
func Shared(t testing.TB, engine *docker.Engine, name string, rootfs Rootfs) (ref string) {
	t.Helper()
	digest := sha256.New()
	fmt.Fprintf(digest, "%q\n", rootfs.Changes)
	if err := rootfs.write(digest); err != nil {
		t.Fatal(err)
	}
	ref = "xtci-test/" + name + ":" + hex.EncodeToString(digest.Sum(nil))[:16]
	// two at once would leave one of both images without a name
	unlock, err := lock(filepath.Join(CacheDir(t), "image-"+name))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	_, err = engine.Image(t.Context(), ref)
	if errors.Is(err, docker.ErrNotFound) {
		removeOld(t, engine, "xtci-test/"+name+":")
		rootfs.load(t, engine, ref)
		return ref
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// keepTime is how long an image is kept once there is a newer one.
const keepTime = 7 * 24 * time.Hour

// removeOld removes what earlier versions of a shared image have left.
func removeOld(t testing.TB, engine *docker.Engine, prefix string) {
	t.Helper()
	images, err := engine.Images(t.Context(), map[string]string{Label: ""})
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range images {
		for _, tag := range image.Tags {
			if strings.HasPrefix(tag, prefix) && time.Since(image.Created) > keepTime {
				// one that is in use stays
				if err := engine.RemoveImage(t.Context(), tag); err != nil && !errors.Is(err, docker.ErrConflict) && !errors.Is(err, docker.ErrNotFound) {
					t.Fatal(err)
				}
			}
		}
	}
}

// lock keeps other processes, and goroutines, out until it is undone. It uses
// the file path.lock, which stays.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return func() { _ = file.Close() }, nil // which unlocks
}

// builds has what this process has built: a package's path, a function that
// builds it once.
var builds sync.Map

// Build builds the program in a package of this module, such as ./cmd/xtci or
// ./internal/docker/dockertest/testprog, statically, once for each process,
// and returns its path.
func Build(t testing.TB, packagePath string) string {
	t.Helper()
	root := moduleRoot(t)
	sum := sha256.Sum256([]byte(root + "\x00" + packagePath))
	target := filepath.Join(CacheDir(t), "bin", path.Base(packagePath)+"-"+hex.EncodeToString(sum[:6]))
	once, _ := builds.LoadOrStore(packagePath, sync.OnceValue(func() error { return build(root, packagePath, target) }))
	if err := once.(func() error)(); err != nil {
		t.Fatal(err)
	}
	return target
}

func build(root, packagePath, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	unlock, err := lock(target)
	if err != nil {
		return err
	}
	defer unlock()
	// go itself sees whether what is there is what would be built
	command := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", target, packagePath)
	command.Dir = root
	// work on the same disk, so that a target that runs is replaced rather than
	// written over
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOTMPDIR="+filepath.Dir(target))
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", packagePath, err, out)
	}
	return nil
}

// moduleRoot is the folder of the go.mod above the test's.
func moduleRoot(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			t.Fatal("there is no go.mod above this folder")
		}
		folder = filepath.Dir(folder)
	}
}

// Testprog is the reference of a shared image of the program testprog, whose
// arguments say what it does.
func Testprog(t testing.TB, engine *docker.Engine) (ref string) {
	t.Helper()
	return Shared(t, engine, "testprog", Rootfs{
		Files:   map[string]string{"/testprog": Build(t, "./internal/docker/dockertest/testprog")},
		Folders: []string{"/tmp"},
		Changes: []string{`ENTRYPOINT ["/testprog"]`},
	})
}
