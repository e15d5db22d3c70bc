package bundle

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/distribution/reference"

	"github.com/anuket-project/xtci/internal/docker"
)

// A Source is the engine from which images are saved.
type Source interface {
	Image(ctx context.Context, ref string) (docker.Image, error)
	Save(ctx context.Context, w io.Writer, refs ...string) error
}

// A Target is the engine into which images are loaded.
type Target interface {
	Image(ctx context.Context, ref string) (docker.Image, error)
	Load(ctx context.Context, r io.Reader) ([]string, error)
	Tag(ctx context.Context, source, target string) error
}

// An Image of a bundle.
type Image struct {
	Ref string `json:"ref"` // as it was asked for when it was saved
	// ID is the digest of its configuration, the engine's id.
	ID string `json:"id"`
	// RepoDigests are what registries call it: repo@sha256:...
	RepoDigests []string `json:"repo_digests,omitempty"`
	OS          string   `json:"os"`
	Arch        string   `json:"arch"`
	Size        int64    `json:"size"` // bytes of its layers in the bundle
}

// Tag is the name that the image has in an engine after Load. One that was
// saved by its digest alone is given a tag, since engines name no loaded
// image by a digest, and remove those without a name.
func (i Image) Tag() (string, error) {
	named, err := reference.ParseDockerRef(i.Ref)
	if err != nil {
		return "", fmt.Errorf("image %q: %w", i.Ref, err)
	}
	digested, ok := named.(reference.Digested)
	if !ok {
		return reference.FamiliarString(reference.TagNameOnly(named)), nil
	}
	if whole, err := reference.ParseNormalizedNamed(i.Ref); err == nil {
		if tagged, ok := whole.(reference.Tagged); ok {
			return reference.FamiliarName(whole) + ":" + tagged.Tag(), nil
		}
	}
	digest := digested.Digest()
	return reference.FamiliarName(named) + ":" + strings.ReplaceAll(digest.String(), ":", "-"), nil
}

// A Step is what is being done.
type Step string

// Steps of Save and Load.
const (
	Saving   Step = "saving"
	Saved    Step = "saved"
	Checking Step = "checking"
	Checked  Step = "checked"
	Loading  Step = "loading"
	Loaded   Step = "loaded"
	Present  Step = "already here" // the engine has it
)

// An Event says how far one thing is.
type Event struct {
	Name        string // an image, as it was asked for; a file; or Whole
	Step        Step
	Done, Total int64 // bytes; a Total of 0 is not known
}

// Whole is the name of the bundle itself in events.
const Whole = "bundle"

// Limits bound what is read of a bundle that anybody may have made.
type Limits struct {
	Members   int   // of the tar
	Images    int   // in the index
	Layers    int   // of one image
	TotalSize int64 // bytes of all layers, unpacked
}

// DefaultLimits leave room for all suites of many releases.
func DefaultLimits() Limits {
	return Limits{Members: 20_000, Images: 1000, Layers: 500, TotalSize: 512 << 30}
}

const (
	// maxDocument bounds index, manifests and configurations, which are
	// read into memory. Registries take 4 MiB.
	maxDocument = 4 << 20
	// maxDocuments bounds all of them.
	maxDocuments = 128 << 20
)
