package bundle

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func FuzzBundle(f *testing.F) {
	raw := smallBundle(f)
	f.Add(raw)
	members := readTar(f, raw)
	f.Add(writeTar(f, members[:1]))
	f.Add(writeTar(f, reseal(members[:2])))
	limits := Limits{Members: 100, Images: 10, Layers: 10, TotalSize: 1 << 20}
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := Open(bytes.NewReader(raw), int64(len(raw)), limits)
		if err != nil {
			return
		}
		_ = b.Verify(t.Context(), func(Event) {})
		for _, image := range b.images {
			if _, err := image.Tag(); err != nil {
				t.Errorf("image %q cannot be named: %v", image.Ref, err)
			}
			if _, _, err := b.stream(image); err != nil {
				t.Errorf("image %q: %v", image.Ref, err)
			}
		}
	})
}

// smallBundle is of one image with small layers.
func smallBundle(f *testing.F) []byte {
	f.Helper()
	engine := newStandIn()
	engine.add(f, randomImage(f, empty.Image, 10), "a:1")
	file := filepath.Join(f.TempDir(), "bundle.tar")
	if _, err := Save(f.Context(), engine, file, SaveOptions{Items: []Item{{Ref: "a:1"}}}); err != nil {
		f.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

// FuzzDockerSave reads what an engine may write.
func FuzzDockerSave(f *testing.F) {
	f.Add(smallBundle(f)) // has the form of later engines
	image := randomImage(f, empty.Image, 10)
	id, err := image.ConfigName()
	if err != nil {
		f.Fatal(err)
	}
	var archive bytes.Buffer
	if err := tarball.Write(name.MustParseReference("a:1"), image, &archive); err != nil {
		f.Fatal(err)
	}
	f.Add(archive.Bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		out := &memoryOutput{}
		w := newLayoutWriter(newTarWriter(out))
		one, err := w.image(bytes.NewReader(raw), id.String())
		if err != nil {
			return
		}
		if err := errors.Join(w.document(memberLayout, map[string]string{"imageLayoutVersion": layoutVersion}), w.name(one, Image{Ref: "a:1"}), w.finish()); err != nil {
			t.Fatal(err)
		}
		b, err := Open(bytes.NewReader(out.content), int64(len(out.content)), DefaultLimits())
		if err == nil {
			err = b.Verify(t.Context(), func(Event) {})
		}
		if err != nil {
			t.Errorf("the bundle cannot be read: %v", err)
		}
	})
}

// memoryOutput is a stand-in for a file.
type memoryOutput struct {
	content []byte
	at      int64
}

func (m *memoryOutput) Write(p []byte) (int, error) {
	m.content = append(m.content[:m.at:m.at], append(bytes.Clone(p), m.content[min(m.at+int64(len(p)), int64(len(m.content))):]...)...)
	m.at += int64(len(p))
	return len(p), nil
}

func (m *memoryOutput) Seek(offset int64, _ int) (int64, error) {
	m.at = offset
	return offset, nil
}

func (m *memoryOutput) Truncate(size int64) error {
	m.content = m.content[:size]
	return nil
}

func FuzzLists(f *testing.F) {
	raw, _ := sampleBundle(f)
	for _, m := range readTar(f, raw) {
		if len(m.content) < 4000 {
			f.Add(m.content)
		}
	}
	limits := DefaultLimits()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if i, err := parseIndex(raw, limits); err == nil {
			for _, d := range i.Manifests {
				if !blobForm.MatchString(blobName(d.Digest)) {
					t.Errorf("digest %q leads to %q", d.Digest, blobName(d.Digest))
				}
			}
		}
		if m, err := parseManifest(raw, limits); err == nil {
			for _, d := range m.Layers {
				if !blobForm.MatchString(blobName(d.Digest)) || d.Size < 0 {
					t.Errorf("layer %+v", d)
				}
			}
		}
		if c, err := parseConfig(raw, 2); err == nil && len(c.RootFS.DiffIDs) != 2 {
			t.Errorf("config %+v", c)
		}
		if sums, err := parseSums(raw); err == nil {
			again, err := parseSums(formatSums(sums))
			if err != nil || len(again) != len(sums) {
				t.Errorf("sums %v came back as %v, %v", sums, again, err)
			}
		}
	})
}
