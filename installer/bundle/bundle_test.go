package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/anuket-project/xtci/internal/docker"
)

const digestRef = "repo.example/suite@sha256:1111111111111111111111111111111111111111111111111111111111111111"

// sample is an engine with two images on one base, and one of its own with
// two names.
func sample(t testing.TB) (engine *standInEngine, ids map[string]string, items []Item) {
	t.Helper()
	engine = newStandIn()
	base := randomImage(t, empty.Image, 20_000)
	ids = map[string]string{}
	one := engine.add(t, randomImage(t, base, 3000), "opnfv/suite:v1")
	two := engine.add(t, randomImage(t, base, 5000), digestRef)
	three := engine.add(t, randomImage(t, empty.Image, 700), "minio:latest", "quay.io/minio/minio:R1")
	ids["opnfv/suite:v1"], ids["repo.example/suite:sha256-"+digestRef[len(digestRef)-64:]] = one, two
	ids["minio:latest"], ids["quay.io/minio/minio:R1"] = three, three
	items = []Item{{Ref: "opnfv/suite:v1"}, {Ref: digestRef}, {Ref: "minio:latest"}, {Ref: "absent:1", Mirrors: []string{"quay.io/minio/minio:R1"}}, {Ref: "opnfv/suite:v1"}}
	return engine, ids, items
}

// sampleBundle is a bundle of sample and a file.
func sampleBundle(t testing.TB) (raw []byte, ids map[string]string) {
	t.Helper()
	engine, ids, items := sample(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bundle.tar")
	if _, err := Save(t.Context(), engine, file, SaveOptions{Items: items, Files: []File{{"xtci", program}}}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw, ids
}

func load(ctx context.Context, target Target, raw []byte) ([]LoadedImage, error) {
	return Load(ctx, target, bytes.NewReader(raw), int64(len(raw)), LoadOptions{})
}

func TestImagesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	raw, ids := sampleBundle(t)
	target := newStandIn()
	for round := range 2 {
		loaded, err := load(t.Context(), target, raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids, target.tags); diff != "" {
			t.Errorf("tags (-want +got):\n%s", diff)
		}
		for _, one := range loaded {
			if one.ID != ids[one.Name] || one.EngineID != one.ID || one.Present != (round == 1 || one.Name == "quay.io/minio/minio:R1") {
				t.Errorf("round %d: %+v", round, one)
			}
			if want := []string{"repo.example/x@" + one.ID}; !slices.Equal(one.RepoDigests, want) {
				t.Errorf("%s: repo digests %v, want %v", one.Ref, one.RepoDigests, want)
			}
		}
		if len(loaded) != 4 || loaded[1].Ref != digestRef {
			t.Errorf("loaded %v", loaded)
		}
	}
	if target.loads != 3 {
		t.Errorf("%d images were loaded, 3 there are", target.loads)
	}
	for id, image := range target.images {
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestABundleIsAnOCILayout(t *testing.T) {
	t.Parallel()
	raw, ids := sampleBundle(t)
	dir := t.TempDir()
	members := readTar(t, raw)
	seen := map[string]bool{}
	for _, m := range members {
		if seen[m.header.Name] {
			t.Errorf("%s is there twice", m.header.Name)
		}
		seen[m.header.Name] = true
		path := filepath.Join(dir, m.header.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, m.content, fs.FileMode(m.header.Mode))); err != nil {
			t.Fatal(err)
		}
	}
	// 4 layers of two images on a base of 2, 2 of another; 3 manifests and configurations
	if blobs := len(seen) - len([]string{memberLayout, memberIndex, memberManifest, memberSums, "xtci"}); blobs != 4+2+2+6 {
		t.Errorf("%d blobs: %v", blobs, slices.Sorted(maps.Keys(seen)))
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	listed, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, d := range listed.Manifests {
		image, err := index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		names[d.Annotations["org.opencontainers.image.ref.name"]] = config.String()
	}
	want := map[string]string{
		"docker.io/library/minio:latest": ids["minio:latest"], "docker.io/opnfv/suite:v1": ids["opnfv/suite:v1"],
		"quay.io/minio/minio:R1": ids["minio:latest"], "repo.example/suite:sha256-" + digestRef[len(digestRef)-64:]: ids["repo.example/suite:sha256-"+digestRef[len(digestRef)-64:]],
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	program := members[slices.IndexFunc(members, func(m member) bool { return m.header.Name == "xtci" })]
	if program.header.Mode != 0o755 || string(program.content) != "#!/bin/sh\n" {
		t.Errorf("the program: %+v", program)
	}
}

func TestABundleIsWhatDockerSaveWrites(t *testing.T) {
	t.Parallel()
	raw, ids := sampleBundle(t)
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil }
	for _, ref := range []string{"opnfv/suite:v1", "quay.io/minio/minio:R1"} {
		tag, err := name.NewTag(ref)
		if err != nil {
			t.Fatal(err)
		}
		image, err := tarball.Image(open, &tag)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigName()
		if err != nil || config.String() != ids[ref] {
			t.Errorf("%s: %v, %v", ref, config, err)
		}
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestTheSameImagesMakeTheSameBundle(t *testing.T) {
	t.Parallel()
	engine, _, items := sample(t)
	dir := t.TempDir()
	var bundles [2][]byte
	for i := range bundles {
		file := filepath.Join(dir, "bundle.tar")
		if _, err := Save(t.Context(), engine, file, SaveOptions{Items: items}); err != nil {
			t.Fatal(err)
		}
		var err error
		if bundles[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(bundles[0], bundles[1]) {
		t.Error("they differ")
	}
	if info, err := os.Stat(filepath.Join(dir, "bundle.tar")); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestALockedImageIsSavedThoughItsNameMoved(t *testing.T) {
	t.Parallel()
	engine := newStandIn()
	old := engine.add(t, randomImage(t, empty.Image, 100), "a:1")
	moved := engine.add(t, randomImage(t, empty.Image, 100), "a:1")
	file := filepath.Join(t.TempDir(), "bundle.tar")
	for id, want := range map[string]string{"": moved, old: old, moved: moved} {
		images, err := Save(t.Context(), engine, file, SaveOptions{Items: []Item{{Ref: "a:1", ID: id}}})
		if err != nil || len(images) != 1 || images[0].ID != want || images[0].Ref != "a:1" {
			t.Errorf("%s: got %v, %v", id, images, err)
		}
	}
}

func TestMissingImagesAreNamedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	engine, _, _ := sample(t)
	dir := t.TempDir()
	items := []Item{{Ref: "gone:1"}, {Ref: "minio:latest"}, {Ref: "gone:2", Mirrors: []string{"gone:3"}}, {Ref: "a:1", ID: digestOf(nil)}}
	_, err := Save(t.Context(), engine, filepath.Join(dir, "f"), SaveOptions{Items: items})
	missing, ok := errors.AsType[*MissingError](err)
	if !ok || !slices.Equal(missing.Refs, []string{"gone:1", "gone:2", "a:1"}) {
		t.Errorf("got %v", err)
	}
	wantNothing(t, dir)

	pulled := 0
	pull := func(_ context.Context, ref string) (docker.Image, error) {
		pulled++
		engine.add(t, randomImage(t, empty.Image, 100), ref)
		return engine.Image(t.Context(), ref)
	}
	images, err := Save(t.Context(), engine, filepath.Join(dir, "f"), SaveOptions{Items: items[:3], Pull: pull})
	if err != nil || len(images) != 3 || pulled != 2 {
		t.Errorf("got %v, %v, %d pulled", images, err, pulled)
	}
	failed := errors.New("no network")
	_, err = Save(t.Context(), engine, filepath.Join(dir, "g"), SaveOptions{
		Items: []Item{{Ref: "gone:9"}}, Pull: func(context.Context, string) (docker.Image, error) { return docker.Image{}, failed },
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
}

func wantNothing(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, names) {
		t.Errorf("in the folder: %v, want %v", got, names)
	}
}

func TestASaveThatFailsLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	whole := new(bytes.Buffer)
	image := randomImage(t, empty.Image, 4000)
	if err := tarball.Write(name.MustParseReference("a:1"), image, whole); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the engine went away")
	engine := newStandIn()
	engine.add(t, image, "a:1")
	try := func(what string, ctx context.Context, save func(w io.Writer) error, want error) {
		t.Helper()
		engine.save = save
		dir := t.TempDir()
		file := filepath.Join(dir, "bundle.tar")
		if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Save(ctx, engine, file, SaveOptions{Items: []Item{{Ref: "a:1"}}})
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v", what, err)
		}
		wantNothing(t, dir, "bundle.tar")
		if content, err := os.ReadFile(file); err != nil || string(content) != "old" {
			t.Errorf("%s: the file was touched: %.20q, %v", what, content, err)
		}
	}
	listed := readTar(t, whole.Bytes())
	last := listed[len(listed)-1]
	for n := 0; n < int(last.at)+blockSize+len(last.content); n += 1 + whole.Len()/97 {
		try(fmt.Sprint("broken off after ", n), t.Context(), func(w io.Writer) error {
			_, err := w.Write(whole.Bytes()[:n])
			return errors.Join(err, broken)
		}, broken)
		try(fmt.Sprint("ends after ", n), t.Context(), func(w io.Writer) error {
			_, err := w.Write(whole.Bytes()[:n])
			return err
		}, nil)
	}
	other := newStandIn()
	id := other.add(t, randomImage(t, empty.Image, 100))
	try("another image", t.Context(), func(w io.Writer) error { return other.Save(t.Context(), w, id) }, nil)
	try("no tar", t.Context(), func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte("x"), 10_000))
		return err
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	try("interrupted", ctx, func(w io.Writer) error {
		cancel()
		return ctx.Err()
	}, context.Canceled)
}

func TestAPlaceThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	engine, _, items := sample(t)
	_, err := Save(t.Context(), engine, filepath.Join(t.TempDir(), "no", "file"), SaveOptions{Items: items})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []File{{"blobs", "/dev/null"}, {"a/b", "/dev/null"}, {"SHA256SUMS", "/dev/null"}, {"x", "/no/such/file"}} {
		if _, err := Save(t.Context(), engine, filepath.Join(t.TempDir(), "file"), SaveOptions{Files: []File{bad}}); err == nil {
			t.Errorf("%v was saved", bad)
		}
	}
}

// wantBad loads and wants it refused, for a reason, before the engine gets
// anything.
func wantBad(t *testing.T, what string, raw []byte, reason string) {
	t.Helper()
	target := newStandIn()
	_, err := load(t.Context(), target, raw)
	if _, ok := errors.AsType[*BadBundleError](err); !ok || !strings.Contains(fmt.Sprint(err), reason) {
		t.Errorf("%s: got %v, want %q", what, err, reason)
	}
	if target.loads > 0 || len(target.tags) > 0 {
		t.Errorf("%s: the engine got something", what)
	}
}

func TestABundleThatIsCutOffIsRefused(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	wantBad(t, "empty", nil, "not made by xtci bundle save")
	for _, m := range readTar(t, raw) {
		for _, n := range []int64{m.at, m.at + 1, m.at + 511, m.at + 512, m.at + 513, m.at + 512 + int64(len(m.content)) - 1} {
			wantBad(t, fmt.Sprintf("cut at %d, in %s", n, m.header.Name), raw[:n], "")
		}
	}
	wantBad(t, "its last member cut", raw[:len(raw)-2*blockSize-600], memberSums)
}

func TestABundleThatWasDamagedIsRefused(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	for _, m := range readTar(t, raw) {
		for _, n := range []int{0, len(m.content) / 2, len(m.content) - 1} {
			damaged := bytes.Clone(raw)
			damaged[int(m.at)+blockSize+n] ^= 1
			reason := m.header.Name
			if reason == memberSums {
				reason = "member"
			}
			wantBad(t, fmt.Sprintf("byte %d of %s", n, m.header.Name), damaged, reason)
		}
	}
}

func TestHostileBundlesAreRefused(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	members := readTar(t, raw)
	at := func(name string) int {
		return slices.IndexFunc(members, func(m member) bool { return m.header.Name == name })
	}
	file := func(name string) member {
		return member{header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, content: []byte("x")}
	}
	add := func(m member) []byte { return writeTar(t, reseal(append(slices.Clone(members), m))) }
	for _, test := range []struct {
		what, reason string
		raw          []byte
	}{
		{"leads out", `"../evil"`, add(file("../evil"))},
		{"absolute", `"/etc/passwd"`, add(file("/etc/passwd"))},
		{"in a folder", `"x/y"`, add(file("x/y"))},
		{"a blob of no digest", `"blobs/sha256/abc"`, add(file("blobs/sha256/abc"))},
		{"not listed", `"extra" is not listed`, writeTar(t, append(slices.Clone(members), file("extra")))},
		{"twice", `two members are named "oci-layout"`, writeTar(t, append(slices.Clone(members), members[0]))},
		{"link", "no regular file", add(member{header: tar.Header{Typeflag: tar.TypeSymlink, Name: "x", Linkname: "/etc"}})},
		{"hard link", "no regular file", add(member{header: tar.Header{Typeflag: tar.TypeLink, Name: "x", Linkname: "xtci"}})},
		{"device", "no regular file", add(member{header: tar.Header{Typeflag: tar.TypeBlock, Name: "x"}})},
		{"folder", "no regular file", add(member{header: tar.Header{Typeflag: tar.TypeDir, Name: "../"}})},
		{"without index", `"index.json" is missing`, writeTar(t, reseal(slices.Delete(slices.Clone(members), at(memberIndex), at(memberIndex)+1)))},
		{"without sums", "SHA256SUMS", writeTar(t, members[:len(members)-1])},
	} {
		wantBad(t, test.what, test.raw, test.reason)
	}
}

func TestListsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	members := readTar(t, raw)
	at := slices.IndexFunc(members, func(m member) bool { return m.header.Name == memberIndex })
	var i index
	if err := json.Unmarshal(members[at].content, &i); err != nil {
		t.Fatal(err)
	}
	// with returns the bundle with another index
	with := func(change func(i *index)) []byte {
		t.Helper()
		i := i
		i.Manifests = slices.Clone(i.Manifests)
		for n := range i.Manifests {
			i.Manifests[n].Annotations = maps.Clone(i.Manifests[n].Annotations)
		}
		change(&i)
		content, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		changed := slices.Clone(members)
		changed[at].content = content
		return writeTar(t, reseal(changed))
	}
	// image returns the bundle with another image instead of the first
	image := func(change func(m *manifest, config map[string]any)) []byte {
		t.Helper()
		find := func(digest string) []byte {
			return members[slices.IndexFunc(members, func(m member) bool { return m.header.Name == blobName(digest) })].content
		}
		var m manifest
		var config map[string]any
		if err := errors.Join(json.Unmarshal(find(i.Manifests[0].Digest), &m), json.Unmarshal(find(m.Config.Digest), &config)); err != nil {
			if err := json.Unmarshal(find(m.Config.Digest), &config); err != nil {
				t.Fatal(err)
			}
		}
		change(&m, config)
		changed := slices.Clone(members)
		blob := func(v any) descriptor {
			content, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			d := descriptor{MediaType: typeManifest, Digest: digestOf(content), Size: int64(len(content))}
			changed = append(changed, member{header: tar.Header{Typeflag: tar.TypeReg, Name: blobName(d.Digest), Mode: 0o644}, content: content})
			return d
		}
		if config != nil {
			m.Config = blob(config)
		}
		d := blob(m)
		d.Annotations = i.Manifests[0].Annotations
		content, err := json.Marshal(index{SchemaVersion: 2, Manifests: append([]descriptor{d}, i.Manifests[1:]...)})
		if err != nil {
			t.Fatal(err)
		}
		changed[at].content = content
		return writeTar(t, reseal(changed))
	}
	diffIDs := func(config map[string]any) []any { return config["rootfs"].(map[string]any)["diff_ids"].([]any) }
	nowhere := digestOf([]byte("nowhere"))
	for _, test := range []struct {
		what, reason string
		raw          []byte
	}{
		{"version", "no OCI image index", with(func(i *index) { i.SchemaVersion = 1 })},
		{"digest", "is no SHA-256", with(func(i *index) { i.Manifests[0].Digest = "sha256:../../../x" })},
		{"size", "does not hold what its name says", with(func(i *index) { i.Manifests[0].Size++ })},
		{"another size", "is wrong", with(func(i *index) { i.Manifests[3].Size++ })},
		{"negative size", "a size of -1", with(func(i *index) { i.Manifests[0].Size = -1 })},
		{"many platforms", "one platform", with(func(i *index) { i.Manifests[0].MediaType = typeIndex })},
		{"no such manifest", "is missing", with(func(i *index) { i.Manifests[0].Digest = nowhere })},
		{"no name", "it has no name", with(func(i *index) { delete(i.Manifests[0].Annotations, noteReference) })},
		{"bad name", "invalid reference", with(func(i *index) { i.Manifests[0].Annotations[noteReference] = "-v /:/host" })},
		{"long name", "too long", with(func(i *index) { i.Manifests[0].Annotations[noteReference] = strings.Repeat("a", 2000) })},
		{"no such layer", "is missing", image(func(m *manifest, config map[string]any) { m.Layers[0].Digest = nowhere })},
		{"size of a layer", "are expected", image(func(m *manifest, config map[string]any) { m.Layers[0].Size-- })},
		{"foreign layer", "cannot load", image(func(m *manifest, config map[string]any) { m.Layers[0].MediaType = "application/x-evil" })},
		{"packed differently", "two images say differently", image(func(m *manifest, config map[string]any) { m.Layers[0].MediaType = typeLayer })},
		{"fewer layers", "the image has 3", image(func(m *manifest, config map[string]any) { m.Layers = m.Layers[1:] })},
		{"another layer", "it unpacks to", image(func(m *manifest, config map[string]any) { diffIDs(config)[3] = nowhere })},
		{"bad layer id", "is no SHA-256", image(func(m *manifest, config map[string]any) { diffIDs(config)[3] = "x" })},
		{"index in an index", "version 1", image(func(m *manifest, config map[string]any) { m.SchemaVersion = 1 })},
	} {
		wantBad(t, test.what, test.raw, test.reason)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	for reason, change := range map[string]func(*Limits){
		"more than 5 members":                   func(l *Limits) { l.Members = 5 },
		"lists 4 images":                        func(l *Limits) { l.Images = 3 },
		"lists 4 layers":                        func(l *Limits) { l.Layers = 3 },
		"layers unpack to more than is allowed": func(l *Limits) { l.TotalSize = 10_000 },
	} {
		limits := DefaultLimits()
		change(&limits)
		_, err := Load(t.Context(), newStandIn(), bytes.NewReader(raw), int64(len(raw)), LoadOptions{Limits: limits})
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want %q", err, reason)
		}
	}
	big := []member{{header: tar.Header{Typeflag: tar.TypeReg, Name: memberLayout, Mode: 0o644}, content: make([]byte, maxDocument+1)}}
	wantBad(t, "huge document", writeTar(t, reseal(big)), memberLayout)
}

func TestAnEngineThatGivesAnotherImage(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	target := newStandIn()
	if _, err := load(t.Context(), target, raw); err != nil {
		t.Fatal(err)
	}
	target.lie = digestOf(nil)
	if _, err := load(t.Context(), target, raw); err == nil || !strings.Contains(err.Error(), "the engine has "+digestOf(nil)) {
		t.Errorf("got %v", err)
	}
}

func TestInterruptedLoad(t *testing.T) {
	t.Parallel()
	raw, _ := sampleBundle(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := load(ctx, newStandIn(), raw); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEventsCountUp(t *testing.T) {
	t.Parallel()
	engine, _, items := sample(t)
	file := filepath.Join(t.TempDir(), "bundle.tar")
	last := map[string]Event{}
	events := func(e Event) {
		before := last[e.Name]
		if e.Step == before.Step && e.Done < before.Done || e.Total > 0 && e.Done > e.Total {
			t.Errorf("%+v after %+v", e, before)
		}
		last[e.Name] = e
	}
	if _, err := Save(t.Context(), engine, file, SaveOptions{Items: items, Events: events}); err != nil {
		t.Fatal(err)
	}
	for _, item := range items {
		if item.Mirrors == nil && last[item.Ref].Step != Saved {
			t.Errorf("%s: at the end %+v", item.Ref, last[item.Ref])
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	clear(last)
	if _, err := Load(t.Context(), newStandIn(), bytes.NewReader(raw), int64(len(raw)), LoadOptions{Events: events}); err != nil {
		t.Fatal(err)
	}
	if last[Whole].Step != Checked || last["minio:latest"].Step != Loaded {
		t.Errorf("at the end: %v", last)
	}
}

func TestTagsOfReferences(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("1", 64)
	for ref, want := range map[string]string{
		"minio":                     "minio:latest",
		"opnfv/suite:v1":            "opnfv/suite:v1",
		"docker.io/library/minio:1": "minio:1",
		"quay.io/a/b:c":             "quay.io/a/b:c",
		"localhost:5000/a":          "localhost:5000/a:latest",
		"a@" + digest:               "a:sha256-" + strings.Repeat("1", 64),
		"quay.io/a/b:c@" + digest:   "quay.io/a/b:c",
	} {
		if got, err := (Image{Ref: ref}).Tag(); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", ref, got, err, want)
		}
	}
	for _, ref := range []string{"", "A:b", "a b", "../x", "a@sha256:1"} {
		if got, err := (Image{Ref: ref}).Tag(); err == nil {
			t.Errorf("%q: got %s", ref, got)
		}
	}
}
