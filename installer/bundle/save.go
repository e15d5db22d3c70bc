package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"github.com/anuket-project/xtci/internal/atomicfile"
	"github.com/anuket-project/xtci/internal/docker"
)

// An Item is an image to save.
type Item struct {
	Ref string
	// Mirrors do as well where Ref is not there. An image is saved under the
	// name by which it was found.
	Mirrors []string
	// ID is the image that it must be, such as one that is locked. Empty is
	// whatever the engine has under that name.
	ID string
}

// A File is to be saved beside the images.
type File struct {
	Name string // in the bundle
	Path string
}

// SaveOptions say what to save.
type SaveOptions struct {
	Items []Item
	Files []File
	// Pull, if not nil, gets an image that the engine does not have.
	Pull func(ctx context.Context, ref string) (docker.Image, error)
	// Events, if not nil, is told how far everything is.
	Events func(Event)
}

// A MissingError names the images that are to be saved and are not there.
type MissingError struct{ Refs []string }

func (e *MissingError) Error() string {
	if len(e.Refs) == 1 {
		return fmt.Sprintf("image %s is not here", e.Refs[0])
	}
	return fmt.Sprintf("%d images are not here: %s", len(e.Refs), strings.Join(e.Refs, ", "))
}

// Save writes images and files into a bundle, and returns the images. The
// file is there whole, or as it was before. Nothing is written elsewhere, and
// what is held in memory does not depend on the images' size.
func Save(ctx context.Context, source Source, file string, o SaveOptions) ([]Image, error) {
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	found, err := resolve(ctx, source, o)
	if err != nil {
		return nil, err
	}
	out, err := atomicfile.Create(file, 0o644)
	if err != nil {
		return nil, fmt.Errorf("write the bundle: %w", err)
	}
	defer out.Close()
	images, err := save(ctx, source, out, found, o)
	if err != nil {
		return nil, fmt.Errorf("write the bundle %s: %w", file, err)
	}
	return images, out.Commit()
}

// A wanted image, as it was found.
type wanted struct {
	ref   string
	image docker.Image
}

// resolve finds all images, before anything is written.
func resolve(ctx context.Context, source Source, o SaveOptions) ([]wanted, error) {
	var (
		found   []wanted
		missing []string
	)
	for _, item := range o.Items {
		w, err := find(ctx, source, item)
		if errors.Is(err, docker.ErrNotFound) && o.Pull != nil {
			w, err = pull(ctx, item, o.Pull)
		}
		if errors.Is(err, docker.ErrNotFound) && o.Pull == nil {
			missing = append(missing, item.Ref)
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, err := (Image{Ref: w.ref}).Tag(); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(found, func(other wanted) bool { return other.ref == w.ref }) {
			found = append(found, w)
		}
	}
	if len(missing) > 0 {
		return nil, &MissingError{missing}
	}
	return found, nil
}

func find(ctx context.Context, source Source, item Item) (wanted, error) {
	var first error
	for _, ref := range append([]string{item.Ref}, item.Mirrors...) {
		image, err := source.Image(ctx, ref)
		if err == nil && (item.ID == "" || item.ID == image.ID) {
			return wanted{ref, image}, nil
		}
		if err != nil && !errors.Is(err, docker.ErrNotFound) {
			return wanted{}, err
		}
		if first == nil {
			first = err
		}
	}
	if item.ID == "" {
		return wanted{}, first
	}
	image, err := source.Image(ctx, item.ID) // its name was given to another
	return wanted{item.Ref, image}, err
}

// pull gets an image from the first place that has it.
func pull(ctx context.Context, item Item, from func(ctx context.Context, ref string) (docker.Image, error)) (wanted, error) {
	var errs []error
	for _, ref := range append([]string{item.Ref}, item.Mirrors...) {
		image, err := from(ctx, ref)
		if err == nil {
			return wanted{ref, image}, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return wanted{}, errors.Join(errs...)
}

// save writes the members of a bundle.
func save(ctx context.Context, source Source, out output, found []wanted, o SaveOptions) ([]Image, error) {
	w := newLayoutWriter(newTarWriter(out))
	if err := w.document(memberLayout, map[string]string{"imageLayoutVersion": layoutVersion}); err != nil {
		return nil, err
	}
	for _, file := range o.Files {
		if err := w.file(file); err != nil {
			return nil, err
		}
		o.Events(Event{Name: file.Name, Step: Saved})
	}
	saved := map[string]savedImage{} // by the engine's id
	var images []Image
	for _, item := range found {
		one, ok := saved[item.image.ID]
		if !ok {
			var err error
			if one, err = saveImage(ctx, source, w, item, o.Events); err != nil {
				return nil, fmt.Errorf("image %s: %w", item.ref, err)
			}
			saved[item.image.ID] = one
		}
		image := Image{
			Ref: item.ref, ID: one.config.Digest, RepoDigests: item.image.RepoDigests,
			OS: one.platform.OS, Arch: one.platform.Architecture, Size: one.size,
		}
		if err := w.name(one, image); err != nil {
			return nil, fmt.Errorf("image %s: %w", item.ref, err)
		}
		images = append(images, image)
		o.Events(Event{Name: item.ref, Step: Saved})
	}
	return images, w.finish()
}

// saveImage has the engine write an image, and reads what it writes.
func saveImage(ctx context.Context, source Source, w *layoutWriter, item wanted, events func(Event)) (savedImage, error) {
	events(Event{Name: item.ref, Step: Saving, Total: item.image.Size})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		writer.CloseWithError(source.Save(ctx, writer, item.image.ID))
	}()
	counted := &countingReader{r: reader, each: func(n int64) {
		events(Event{Name: item.ref, Step: Saving, Done: min(n, item.image.Size), Total: item.image.Size})
	}}
	one, err := w.image(counted, item.image.ID)
	reader.CloseWithError(err) // the engine stops, if it has not ended
	cancel()
	<-ended
	return one, err
}

// countingReader tells how much was read of it.
type countingReader struct {
	r    io.Reader
	n    int64
	each func(n int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.each(c.n)
	return n, err
}

// file adds a file beside the images.
func (w *layoutWriter) file(file File) error {
	if !isFile(file.Name) {
		return fmt.Errorf("a file in a bundle cannot be named %q", file.Name)
	}
	in, err := os.Open(file.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	start, err := w.tar.begin()
	if err != nil {
		return err
	}
	sum := newSummer()
	if _, err := io.Copy(io.MultiWriter(w.tar, sum), in); err != nil {
		return err
	}
	if w.sums[file.Name] != "" {
		return fmt.Errorf("two files are to be named %q", file.Name)
	}
	w.sums[file.Name] = sum.digest()
	return w.tar.end(start, file.Name, mode)
}

// name lists an image under its name.
func (w *layoutWriter) name(one savedImage, image Image) error {
	tag, err := image.Tag()
	if err != nil {
		return err
	}
	named, err := reference.ParseNormalizedNamed(tag)
	if err != nil {
		return err
	}
	d := one.manifest
	d.Platform = &one.platform
	d.Annotations = map[string]string{noteReference: image.Ref, noteImageName: named.String(), noteRefName: named.String()}
	if len(image.RepoDigests) > 0 {
		d.Annotations[noteRepoDigests] = strings.Join(image.RepoDigests, " ")
	}
	w.index = append(w.index, d)
	for i := range w.docker {
		if w.docker[i].Config == blobName(one.config.Digest) {
			w.docker[i].RepoTags = append(w.docker[i].RepoTags, tag)
		}
	}
	return nil
}
