package bundle

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
)

// A Bundle is one that was opened: its lists were read and fit together, what
// its blobs hold was not looked at.
type Bundle struct {
	r       io.ReaderAt
	members map[string]section
	images  []bundledImage
	sums    map[string]string // digests by member
	limits  Limits
}

// A bundledImage is an image and where its parts are.
type bundledImage struct {
	Image
	manifest descriptor
	config   descriptor
	layers   []layer
}

// Open reads the lists of a bundle. Errors name the member that is wrong.
func Open(r io.ReaderAt, size int64, limits Limits) (*Bundle, error) {
	members, err := scan(r, size, limits)
	if err != nil {
		return nil, err
	}
	b := &Bundle{r: r, members: members, limits: limits}
	if err := b.checkMembers(); err != nil {
		return nil, err
	}
	if err := b.checkLayout(); err != nil {
		return nil, err
	}
	raw, err := document(r, members, memberIndex)
	if err != nil {
		return nil, err
	}
	i, err := parseIndex(raw, limits)
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", memberIndex, err)
	}
	held := 0
	seen := map[string]bundledImage{} // by manifest: an image may have many names
	for _, d := range i.Manifests {
		image, ok := seen[d.Digest]
		if !ok {
			if image, err = b.image(d, &held); err != nil {
				return nil, err
			}
			seen[d.Digest] = image
		}
		if image.manifest.Size != d.Size {
			return nil, fmt.Errorf("member %q: the size of %s is wrong", memberIndex, d.Digest)
		}
		if err := image.describe(d.Annotations); err != nil {
			return nil, fmt.Errorf("member %q: image %s: %w", memberIndex, d.Digest, err)
		}
		b.images = append(b.images, image)
	}
	return b, nil
}

// Images are those of the bundle, each as often as it has names.
func (b *Bundle) Images() []Image {
	images := make([]Image, 0, len(b.images))
	for _, image := range b.images {
		images = append(images, image.Image)
	}
	return images
}

// checkMembers refuses members that are in the tar or in SHA256SUMS alone.
func (b *Bundle) checkMembers() error {
	raw, err := document(b.r, b.members, memberSums)
	if err != nil {
		return fmt.Errorf("it was not made by xtci bundle save, or it is cut off: %w", err)
	}
	if b.sums, err = parseSums(raw); err != nil {
		return fmt.Errorf("member %q: %w", memberSums, err)
	}
	for name := range b.sums {
		if _, ok := b.members[name]; !ok {
			return fmt.Errorf("member %q is missing", name)
		}
	}
	for name := range b.members {
		if b.sums[name] == "" && name != memberSums {
			return fmt.Errorf("member %q is not listed in member %q", name, memberSums)
		}
	}
	return nil
}

func (b *Bundle) checkLayout() error {
	raw, err := document(b.r, b.members, memberLayout)
	if err != nil {
		return err
	}
	var layout struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(raw, &layout); err != nil {
		return fmt.Errorf("member %q: %w", memberLayout, err)
	}
	if layout.Version != layoutVersion {
		return fmt.Errorf("member %q: version %.80q is not known; it may need a newer xtci", memberLayout, layout.Version)
	}
	return nil
}

// image reads the lists of one image. held counts bytes of documents.
func (b *Bundle) image(d descriptor, held *int) (bundledImage, error) {
	raw, err := blob(b.r, b.members, d)
	if err != nil {
		return bundledImage{}, err
	}
	m, err := parseManifest(raw, b.limits)
	if err != nil {
		return bundledImage{}, fmt.Errorf("member %q: %w", blobName(d.Digest), err)
	}
	*held += len(raw)
	if raw, err = blob(b.r, b.members, m.Config); err != nil {
		return bundledImage{}, err
	}
	config, err := parseConfig(raw, len(m.Layers))
	if err != nil {
		return bundledImage{}, fmt.Errorf("member %q: %w", blobName(m.Config.Digest), err)
	}
	if *held += len(raw); *held > maxDocuments {
		return bundledImage{}, fmt.Errorf("its manifests and configurations have more than %d bytes", maxDocuments)
	}
	image := bundledImage{
		Image:    Image{ID: m.Config.Digest, OS: config.OS, Arch: config.Architecture},
		manifest: d, config: m.Config,
	}
	for i, l := range m.Layers {
		at, ok := b.members[blobName(l.Digest)]
		if !ok {
			return bundledImage{}, fmt.Errorf("member %q is missing", blobName(l.Digest))
		}
		if at.size != l.Size {
			return bundledImage{}, fmt.Errorf("member %q has %d bytes, and %d are expected", blobName(l.Digest), at.size, l.Size)
		}
		image.layers = append(image.layers, layer{l, config.RootFS.DiffIDs[i]})
		image.Size += l.Size
	}
	return image, nil
}

// describe takes over how the index names an image.
func (i *bundledImage) describe(notes map[string]string) error {
	i.Ref = notes[noteReference]
	if i.Ref == "" {
		return errors.New("it has no name")
	}
	if len(i.Ref) > 1024 {
		return errors.New("its name is too long")
	}
	i.RepoDigests = strings.Fields(notes[noteRepoDigests])
	if len(i.RepoDigests) == 0 {
		i.RepoDigests = nil
	}
	_, err := i.Tag()
	return err
}

// Verify reads all members and compares their digests.
func (b *Bundle) Verify(ctx context.Context, events func(Event)) error {
	checks := map[string]func(io.Reader) error{} // by member
	layers := map[string]layer{}                 // by the same
	var budget atomic.Int64                      // bytes that they may still unpack to
	budget.Store(b.limits.TotalSize)
	for _, image := range b.images {
		for _, l := range image.layers {
			name := blobName(l.Digest)
			if had, ok := layers[name]; ok && (had.diffID != l.diffID || had.MediaType != l.MediaType) {
				return fmt.Errorf("member %q: two images say differently what it unpacks to", name)
			}
			layers[name] = l
			checks[name] = func(r io.Reader) error { return l.verify(r, &budget) }
		}
	}
	for name, digest := range b.sums {
		if checks[name] == nil {
			checks[name] = func(r io.Reader) error { return verifyDigest(r, digest) }
		}
	}
	var total, done int64
	for name := range checks {
		total += b.members[name].size
	}
	var told sync.Mutex
	progress := func(n int) {
		told.Lock()
		defer told.Unlock()
		done += int64(n)
		events(Event{Name: Whole, Step: Checking, Done: done, Total: total})
	}
	err := b.each(ctx, checks, progress)
	if err == nil {
		events(Event{Name: Whole, Step: Checked, Done: total, Total: total})
	}
	return err
}

// each runs the checks, several at once, until one fails.
func (b *Bundle) each(ctx context.Context, checks map[string]func(io.Reader) error, progress func(n int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	names := make(chan string)
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(checks)) {
		group.Go(func() {
			for name := range names {
				at := b.members[name]
				r := &watchedReader{ctx: ctx, r: io.NewSectionReader(b.r, at.offset, at.size), read: progress}
				if err := checks[name](bufio.NewReaderSize(r, 256<<10)); err != nil {
					cancel(fmt.Errorf("member %q: %w", name, err))
				}
			}
		})
	}
	for name := range checks {
		select {
		case names <- name:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(names)
	group.Wait()
	return context.Cause(ctx)
}

// watchedReader reads until its context ends, and tells how much it read.
type watchedReader struct {
	ctx  context.Context //nolint:containedctx // of the one call in which it is read
	r    io.Reader
	read func(n int)
}

func (w *watchedReader) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	n, err := w.r.Read(p)
	w.read(n)
	return n, err
}

// verify reads a layer and compares both of its digests.
func (l layer) verify(r io.Reader, budget *atomic.Int64) error {
	sum := newSummer()
	tee := io.TeeReader(r, sum)
	unpacked := tee
	if l.MediaType == typeLayerGzip || l.MediaType == typeDockerGzip {
		g, err := gzip.NewReader(tee)
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		unpacked = g
	}
	inner := newSummer()
	if _, err := io.Copy(&budgetWriter{inner, budget}, unpacked); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if _, err := io.Copy(io.Discard, tee); err != nil {
		return err
	}
	if sum.digest() != l.Digest {
		return errors.New("it does not hold what its name says: it was damaged or changed")
	}
	if inner.digest() != l.diffID {
		return fmt.Errorf("it unpacks to %s, and the image says %s", inner.digest(), l.diffID)
	}
	return nil
}

// budgetWriter refuses to write more than a budget.
type budgetWriter struct {
	io.Writer
	left *atomic.Int64
}

func (w *budgetWriter) Write(p []byte) (int, error) {
	if w.left.Add(-int64(len(p))) < 0 {
		return 0, errors.New("layers unpack to more than is allowed: refused")
	}
	return w.Writer.Write(p)
}

func verifyDigest(r io.Reader, want string) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return err
	}
	if got := formatDigest(sum.Sum(nil)); got != want {
		return fmt.Errorf("it has the digest %s, and %s is expected: it was damaged or changed", got, want)
	}
	return nil
}
