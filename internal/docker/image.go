package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Image looks up an image that the engine has, by reference or id.
func (e *Engine) Image(ctx context.Context, ref string) (Image, error) {
	found, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, wrap(err, "look up image %s", ref)
	}
	i := Image{
		ID: found.ID, Tags: found.RepoTags, RepoDigests: found.RepoDigests, Size: found.Size,
		OS: found.Os, Arch: found.Architecture,
	}
	if found.Config != nil {
		i.Labels = found.Config.Labels
	}
	// images may have no time of creation
	i.Created, _ = time.Parse(time.RFC3339Nano, found.Created)
	return i, nil
}

// Images lists the engine's images that have all of the labels. An empty value
// of a label matches any. The OS and architecture are not filled in.
func (e *Engine) Images(ctx context.Context, labels map[string]string) ([]Image, error) {
	found, err := e.api.ImageList(ctx, image.ListOptions{Filters: labelFilter(labels)})
	if err != nil {
		return nil, wrap(err, "list images labelled %s", describe(labels))
	}
	images := make([]Image, 0, len(found))
	for _, summary := range found {
		images = append(images, Image{
			ID: summary.ID, Tags: without(summary.RepoTags, "<none>:<none>"),
			RepoDigests: without(summary.RepoDigests, "<none>@<none>"),
			Labels:      summary.Labels, Size: summary.Size, Created: time.Unix(summary.Created, 0).UTC(),
		})
	}
	return images, nil
}

// without leaves out what the engine writes for no name.
func without(names []string, nothing string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == nothing })
}

// Pull fetches an image from its registry, with the credentials of Docker's
// configuration, even if the engine has one of that name. Progress may be nil.
// An error wraps ErrNotFound, ErrDenied, ErrUnreachable or ErrNoSpace where it
// can be known.
func (e *Engine) Pull(ctx context.Context, ref string, progress func(PullProgress)) (Image, error) {
	named, err := parseReference(ref)
	if err != nil {
		return Image{}, fmt.Errorf("pull: %w", err)
	}
	auth, noAuth := e.config.registryAuth(ctx, named)
	stream, err := e.api.ImagePull(ctx, named.String(), image.PullOptions{RegistryAuth: auth})
	if err == nil {
		err = drain(stream, progress)
	}
	if err != nil {
		return Image{}, explainDenied(wrap(err, "pull image %s", ref), noAuth)
	}
	return e.Image(ctx, named.String())
}

// Push hands an image to the registry that its reference names, and returns
// the digest under which it is there.
func (e *Engine) Push(ctx context.Context, ref string, progress func(PullProgress)) (digest string, err error) {
	named, err := parseReference(ref)
	if err != nil {
		return "", fmt.Errorf("push: %w", err)
	}
	auth, noAuth := e.config.registryAuth(ctx, named)
	if auth == "" {
		auth = "e30=" // {}: the header must be there
	}
	stream, err := e.api.ImagePush(ctx, named.String(), image.PushOptions{RegistryAuth: auth})
	if err == nil {
		defer stream.Close()
		whole := layers{}
		err = readMessages(stream, func(m message) {
			var pushed struct{ Digest string }
			if m.Aux != nil && json.Unmarshal(m.Aux, &pushed) == nil && pushed.Digest != "" {
				digest = pushed.Digest
				return
			}
			if state := whole.add(m); progress != nil {
				progress(state)
			}
		})
	}
	if err != nil {
		return "", explainDenied(wrap(err, "push image %s", ref), noAuth)
	}
	return digest, nil
}

// explainDenied adds to a registry's refusal why it got no credentials.
func explainDenied(err, noAuth error) error {
	if noAuth != nil && errors.Is(err, ErrDenied) {
		return fmt.Errorf("%w; none were sent: %w", err, noAuth)
	}
	return err
}

func drain(stream io.ReadCloser, progress func(PullProgress)) error {
	defer stream.Close()
	whole := layers{}
	return readMessages(stream, func(m message) {
		if state := whole.add(m); progress != nil {
			progress(state)
		}
	})
}

// Distribution asks the registry, through the engine, which digest
// (sha256:...) a reference has now.
func (e *Engine) Distribution(ctx context.Context, ref string) (digest string, err error) {
	named, err := parseReference(ref)
	if err != nil {
		return "", fmt.Errorf("ask for the digest: %w", err)
	}
	auth, noAuth := e.config.registryAuth(ctx, named)
	found, err := e.api.DistributionInspect(ctx, named.String(), auth)
	if err != nil {
		return "", explainDenied(wrap(err, "ask %s for the digest of image %s", reference.Domain(named), ref), noAuth)
	}
	return found.Descriptor.Digest.String(), nil
}

// Import makes an image of one layer out of a tar of its files. The changes
// are lines of a Dockerfile, such as ENTRYPOINT ["/xtci"] or LABEL a=b. An
// empty ref leaves it without a name.
func (e *Engine) Import(ctx context.Context, rootfs io.Reader, ref string, changes []string) (id string, err error) {
	files := &source{from: rootfs}
	from := image.ImportSource{Source: files, SourceName: "-"}
	stream, err := e.api.ImageImport(ctx, from, ref, image.ImportOptions{Changes: changes})
	if err == nil {
		defer stream.Close()
		err = readMessages(stream, func(m message) {
			if strings.HasPrefix(m.Status, "sha256:") {
				id = m.Status
			}
		})
	}
	if err == nil && id == "" {
		err = errors.New("the engine did not say the id of the image")
	}
	if err != nil {
		return "", wrap(files.or(err), "import image %s", ref)
	}
	return id, nil
}

// Tag gives an image one more name.
func (e *Engine) Tag(ctx context.Context, source, target string) error {
	return wrap(e.api.ImageTag(ctx, source, target), "tag image %s as %s", source, target)
}

// Save writes images, as docker save does, in a tar.
func (e *Engine) Save(ctx context.Context, w io.Writer, refs ...string) error {
	stream, err := e.api.ImageSave(ctx, refs)
	if err != nil {
		return wrap(err, "save images %s", strings.Join(refs, ", "))
	}
	defer stream.Close()
	out := &sink{to: w}
	_, err = io.Copy(out, stream)
	if out.err != nil {
		return fmt.Errorf("write images %s: %w", strings.Join(refs, ", "), out.err)
	}
	return wrap(err, "save images %s", strings.Join(refs, ", "))
}

// Load reads images as Save and docker save write them, and returns the names,
// or ids of those without, of what it read.
func (e *Engine) Load(ctx context.Context, r io.Reader) (loaded []string, err error) {
	archive := &source{from: r}
	answer, err := e.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return nil, wrap(archive.or(err), "load images")
	}
	defer answer.Body.Close()
	err = readMessages(answer.Body, func(m message) {
		for line := range strings.Lines(m.Stream) {
			if name, ok := strings.CutPrefix(line, "Loaded image"); ok {
				_, name, _ = strings.Cut(name, ": ")
				loaded = append(loaded, strings.TrimSpace(name))
			}
		}
	})
	return loaded, wrap(archive.or(err), "load images")
}

// RemoveImage removes a name of an image, and the image with its last name. An
// image of which there is a container is ErrConflict.
func (e *Engine) RemoveImage(ctx context.Context, ref string) error {
	_, err := e.api.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	return wrap(err, "remove image %s", ref)
}

// labelFilter asks for all of the labels; an empty value matches any.
func labelFilter(labels map[string]string) filters.Args {
	args := filters.NewArgs()
	for name, value := range labels {
		if value != "" {
			name += "=" + value
		}
		args.Add("label", name)
	}
	return args
}

func describe(labels map[string]string) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, name+"="+labels[name])
	}
	return strings.Join(words, ", ")
}
