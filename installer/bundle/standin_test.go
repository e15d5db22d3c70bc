package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/anuket-project/xtci/internal/docker"
)

// standInEngine is a stand-in for Docker Engine: it keeps images in memory,
// and writes them as docker save does, by the code of others.
type standInEngine struct {
	mu     sync.Mutex
	images map[string]v1.Image // by id
	tags   map[string]string   // ids by reference
	loads  int
	// save, if not nil, is called instead of Save
	save func(w io.Writer) error
	// lie is the id that it says of every image it has
	lie string
}

func newStandIn() *standInEngine {
	return &standInEngine{images: map[string]v1.Image{}, tags: map[string]string{}}
}

func (e *standInEngine) add(t testing.TB, image v1.Image, refs ...string) (id string) {
	t.Helper()
	digest, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	e.images[digest.String()] = image
	for _, ref := range refs {
		e.tags[ref] = digest.String()
	}
	return digest.String()
}

func (e *standInEngine) Image(_ context.Context, ref string) (docker.Image, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := e.tags[ref]
	if e.images[ref] != nil {
		id = ref
	}
	if id == "" {
		return docker.Image{}, fmt.Errorf("look up image %s: %w", ref, docker.ErrNotFound)
	}
	if e.lie != "" {
		id = e.lie
	}
	return docker.Image{ID: id, RepoDigests: []string{"repo.example/x@" + id}, Size: 3000}, nil
}

func (e *standInEngine) Save(_ context.Context, w io.Writer, refs ...string) error {
	if e.save != nil {
		return e.save(w)
	}
	if len(refs) != 1 || e.images[refs[0]] == nil {
		return fmt.Errorf("save images %v: %w", refs, docker.ErrNotFound)
	}
	return tarball.Write(name.MustParseReference("stand.in/image:tag"), e.images[refs[0]], w)
}

func (e *standInEngine) Load(_ context.Context, r io.Reader) ([]string, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	image, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }, nil)
	if err != nil {
		return nil, err
	}
	digest, err := image.ConfigName()
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loads++
	e.images[digest.String()] = image
	return []string{digest.String()}, nil
}

func (e *standInEngine) Tag(_ context.Context, source, target string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.images[source] == nil {
		return docker.ErrNotFound
	}
	e.tags[target] = source
	return nil
}

// randomImage has two layers that no other has, on those of a base.
func randomImage(t testing.TB, base v1.Image, size int64) v1.Image {
	t.Helper()
	for range 2 {
		layer, err := random.Layer(size, "application/vnd.docker.image.rootfs.diff.tar.gzip")
		if err != nil {
			t.Fatal(err)
		}
		if base, err = mutate.AppendLayers(base, layer); err != nil {
			t.Fatal(err)
		}
	}
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	if base, err = mutate.ConfigFile(base, config); err != nil {
		t.Fatal(err)
	}
	return base
}

// A member of a tar.
type member struct {
	header  tar.Header
	content []byte
	at      int64 // where its header begins
}

func readTar(t testing.TB, raw []byte) []member {
	t.Helper()
	in := bytes.NewReader(raw)
	reader := tar.NewReader(in)
	var members []member
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return members
		}
		if err != nil {
			t.Fatal(err)
		}
		at := in.Size() - int64(in.Len()) - blockSize
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, member{*header, content, at})
	}
}

func writeTar(t testing.TB, members []member) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		header := m.header
		if header.Typeflag == tar.TypeReg {
			header.Size = int64(len(m.content))
		}
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// reseal makes SHA256SUMS anew, so that what else is wrong is what is found.
func reseal(members []member) []member {
	sums := map[string]string{}
	members = slices.DeleteFunc(members, func(m member) bool { return m.header.Name == memberSums })
	for _, m := range members {
		sums[m.header.Name] = digestOf(m.content)
		if blobForm.MatchString(m.header.Name) {
			sums[m.header.Name] = "sha256:" + m.header.Name[len(blobFolder):]
		}
	}
	return append(members, member{header: tar.Header{Typeflag: tar.TypeReg, Name: memberSums, Mode: 0o644}, content: formatSums(sums)})
}
