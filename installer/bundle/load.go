package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/distribution/reference"

	"github.com/anuket-project/xtci/internal/docker"
)

// LoadOptions say how to load.
type LoadOptions struct {
	Limits Limits
	// Events, if not nil, is told how far everything is.
	Events func(Event)
}

// A LoadedImage is an image that the engine has now.
type LoadedImage struct {
	Image
	// Name is the tag that it was given.
	Name string `json:"name"`
	// EngineID is the engine's id: ID, or the digest of the manifest where
	// the engine keeps images as registries do.
	EngineID string `json:"engine_id"`
	// Present says that the engine had it before.
	Present bool `json:"present"`
}

// Load gives the images of a bundle to an engine, under the names that they
// had. The whole bundle is checked first. After an error, what was loaded
// before stays: loading again goes on.
func Load(ctx context.Context, target Target, r io.ReaderAt, size int64, o LoadOptions) ([]LoadedImage, error) {
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	b, err := Open(r, size, o.Limits)
	if err != nil {
		return nil, &BadBundleError{err}
	}
	if err := b.Verify(ctx, o.Events); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &BadBundleError{err}
	}
	var loaded []LoadedImage
	for _, image := range b.images {
		one, err := b.load(ctx, target, image, o.Events)
		if err != nil {
			return loaded, fmt.Errorf("image %s: %w", image.Ref, err)
		}
		loaded = append(loaded, one)
	}
	return loaded, nil
}

// A BadBundleError is a file that is no bundle, or was damaged or changed.
type BadBundleError struct{ err error }

func (e *BadBundleError) Error() string { return "the bundle cannot be used: " + e.err.Error() }
func (e *BadBundleError) Unwrap() error { return e.err }

// load gives one image to the engine, unless it is there, and names it.
func (b *Bundle) load(ctx context.Context, target Target, image bundledImage, events func(Event)) (LoadedImage, error) {
	one := LoadedImage{Image: image.Image}
	name, err := image.Tag()
	if err != nil {
		return one, err
	}
	one.Name = name
	had, err := image.find(ctx, target)
	one.Present = err == nil
	if errors.Is(err, docker.ErrNotFound) {
		if err := b.give(ctx, target, image, events); err != nil {
			return one, err
		}
		had, err = image.find(ctx, target)
		if errors.Is(err, docker.ErrNotFound) {
			return one, fmt.Errorf("the engine says that it was loaded, and has no image of its digest (%w)", err)
		}
	}
	if err != nil {
		return one, err
	}
	one.EngineID = had.ID
	if err := target.Tag(ctx, had.ID, name); err != nil {
		return one, err
	}
	step := Loaded
	if one.Present {
		step = Present
	}
	events(Event{Name: image.Ref, Step: step, Done: image.Size, Total: image.Size})
	return one, nil
}

// find looks for the image by its digests, not by any name.
func (i *bundledImage) find(ctx context.Context, target Target) (docker.Image, error) {
	image, err := target.Image(ctx, i.ID)
	if errors.Is(err, docker.ErrNotFound) {
		image, err = target.Image(ctx, i.manifest.Digest)
	}
	if err == nil && image.ID != i.ID && image.ID != i.manifest.Digest {
		err = fmt.Errorf("the engine has %s where it was asked for %s", image.ID, i.ID)
	}
	return image, err
}

// give streams one image to the engine, in the form of docker save: engines
// before 25 read its manifest.json, later ones its index.json.
func (b *Bundle) give(ctx context.Context, target Target, image bundledImage, events func(Event)) error {
	stream, size, err := b.stream(image)
	if err != nil {
		return err
	}
	counted := &countingReader{r: stream, each: func(n int64) {
		events(Event{Name: image.Ref, Step: Loading, Done: min(n, size), Total: size})
	}}
	_, err = target.Load(ctx, counted)
	return err
}

// stream is one image in a tar of its own.
func (b *Bundle) stream(image bundledImage) (stream io.Reader, size int64, err error) {
	compat := dockerImage{Config: blobName(image.config.Digest)}
	blobs := []descriptor{image.manifest, image.config}
	for _, l := range image.layers {
		compat.Layers = append(compat.Layers, blobName(l.Digest))
		blobs = append(blobs, l.descriptor)
	}
	var parts []io.Reader
	add := func(name string, content io.Reader, n int64) error {
		header, err := tarHeader(name, 0o644, n)
		parts = append(parts, bytes.NewReader(header), content, bytes.NewReader(make([]byte, (blockSize-n%blockSize)%blockSize)))
		size += blockSize + (n+blockSize-1)/blockSize*blockSize
		return err
	}
	seen := map[string]bool{}
	for _, d := range blobs {
		if name := blobName(d.Digest); !seen[name] {
			seen[name] = true
			at := b.members[name]
			if err := add(name, io.NewSectionReader(b.r, at.offset, at.size), at.size); err != nil {
				return nil, 0, err
			}
		}
	}
	documents, err := image.documents(compat)
	if err != nil {
		return nil, 0, err
	}
	for _, d := range documents {
		if err := add(d.name, bytes.NewReader(d.content), int64(len(d.content))); err != nil {
			return nil, 0, err
		}
	}
	end := bytes.NewReader(make([]byte, 2*blockSize))
	return io.MultiReader(append(parts, end)...), size, nil
}

type namedDocument struct {
	name    string
	content []byte
}

// documents are the lists for an engine. The image gets its name afterwards,
// when it is known to be the right one; an engine that reads the index gives
// it at once.
func (i *bundledImage) documents(compat dockerImage) ([]namedDocument, error) {
	name, err := i.Tag()
	if err != nil {
		return nil, err
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, err
	}
	d := i.manifest
	d.Annotations = map[string]string{noteImageName: named.String()}
	layout, err1 := encode(map[string]string{"imageLayoutVersion": layoutVersion})
	listed, err2 := encode([]dockerImage{compat})
	list, err3 := encode(index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{d}})
	return []namedDocument{{memberLayout, layout}, {memberManifest, listed}, {memberIndex, list}}, errors.Join(err1, err2, err3)
}
