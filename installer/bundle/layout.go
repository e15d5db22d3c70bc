package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Members of the tar, beside the blobs and files.
const (
	memberLayout   = "oci-layout"
	memberIndex    = "index.json"
	memberManifest = "manifest.json" // docker save's
	memberSums     = "SHA256SUMS"    // of all others, as sha256sum writes it
	blobFolder     = "blobs/sha256/"
)

// layoutVersion is what oci-layout says, of every OCI layout up to now.
const layoutVersion = "1.0.0"

// Types of blobs, by the OCI image specification, and Docker's of the same.
const (
	typeIndex          = "application/vnd.oci.image.index.v1+json"
	typeManifest       = "application/vnd.oci.image.manifest.v1+json"
	typeConfig         = "application/vnd.oci.image.config.v1+json"
	typeLayer          = "application/vnd.oci.image.layer.v1.tar"
	typeLayerGzip      = "application/vnd.oci.image.layer.v1.tar+gzip"
	typeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	typeDockerLayer    = "application/vnd.docker.image.rootfs.diff.tar"
	typeDockerGzip     = "application/vnd.docker.image.rootfs.diff.tar.gzip"
)

// Annotations of the images in the index.
const (
	noteReference   = "io.xtci.bundle.reference"    // as it was asked for
	noteRepoDigests = "io.xtci.bundle.repo-digests" // separated by spaces
	noteImageName   = "io.containerd.image.name"    // the whole name, for containerd and docker load
	noteRefName     = "org.opencontainers.image.ref.name"
)

// A descriptor names a blob (descriptor.md of the OCI image specification).
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// An index lists images (image-index.md).
type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

// A manifest is an image: its configuration and its layers (manifest.md).
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

// imageConfig is what is needed of an image's configuration (config.md).
type imageConfig struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"` // digests of the layers, unpacked
	} `json:"rootfs"`
}

// A dockerImage is an entry of docker save's manifest.json.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

var (
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	blobForm   = regexp.MustCompile(`^blobs/sha256/[0-9a-f]{64}$`)
	fileForm   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)
)

// isFile says whether a member's name is that of a file beside the images.
func isFile(name string) bool {
	switch name {
	case memberLayout, memberIndex, memberManifest, memberSums, "blobs":
		return false
	}
	return fileForm.MatchString(name)
}

// blobName is the member that has a blob.
func blobName(digest string) string { return blobFolder + digest[len("sha256:"):] }

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return formatDigest(sum[:])
}

func formatDigest(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// check refuses descriptors that name no blob.
func (d descriptor) check() error {
	if !digestForm.MatchString(d.Digest) {
		return fmt.Errorf("digest %.80q is no SHA-256", d.Digest)
	}
	if d.Size < 0 {
		return fmt.Errorf("blob %s has a size of %d", d.Digest, d.Size)
	}
	return nil
}

// parseIndex reads index.json.
func parseIndex(raw []byte, limits Limits) (*index, error) {
	var i index
	if err := json.Unmarshal(raw, &i); err != nil {
		return nil, err
	}
	if i.SchemaVersion != 2 || i.MediaType != "" && i.MediaType != typeIndex {
		return nil, fmt.Errorf("it is no OCI image index (version %d, type %.80q)", i.SchemaVersion, i.MediaType)
	}
	if len(i.Manifests) > limits.Images {
		return nil, fmt.Errorf("it lists %d images, more than %d", len(i.Manifests), limits.Images)
	}
	for _, d := range i.Manifests {
		if err := d.check(); err != nil {
			return nil, err
		}
		if d.MediaType != typeManifest && d.MediaType != typeDockerManifest {
			return nil, fmt.Errorf("%s has the type %.80q: only images of one platform can be loaded", d.Digest, d.MediaType)
		}
	}
	return &i, nil
}

// parseManifest reads the manifest of an image.
func parseManifest(raw []byte, limits Limits) (*manifest, error) {
	var m manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	if m.SchemaVersion != 2 {
		return nil, fmt.Errorf("version %d of manifests is not known", m.SchemaVersion)
	}
	if len(m.Layers) > limits.Layers {
		return nil, fmt.Errorf("it lists %d layers, more than %d", len(m.Layers), limits.Layers)
	}
	for _, d := range append([]descriptor{m.Config}, m.Layers...) {
		if err := d.check(); err != nil {
			return nil, err
		}
	}
	for _, d := range m.Layers {
		switch d.MediaType {
		case typeLayer, typeLayerGzip, typeDockerLayer, typeDockerGzip:
		default:
			return nil, fmt.Errorf("layer %s has the type %.80q, which Docker Engine cannot load", d.Digest, d.MediaType)
		}
	}
	return &m, nil
}

// parseConfig reads the configuration of an image with that many layers.
func parseConfig(raw []byte, layers int) (*imageConfig, error) {
	var c imageConfig
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, err
	}
	if len(c.RootFS.DiffIDs) != layers {
		return nil, fmt.Errorf("it is of %d layers, and the image has %d", len(c.RootFS.DiffIDs), layers)
	}
	for _, id := range c.RootFS.DiffIDs {
		if !digestForm.MatchString(id) {
			return nil, fmt.Errorf("digest %.80q of a layer is no SHA-256", id)
		}
	}
	return &c, nil
}

// parseSums reads SHA256SUMS: digests by member. Every blob's is its name.
func parseSums(raw []byte) (map[string]string, error) {
	sums := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		hex, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		digest := "sha256:" + hex
		switch {
		case !ok || !digestForm.MatchString(digest):
			return nil, fmt.Errorf("line %d is no digest and name", len(sums)+1)
		case sums[name] != "":
			return nil, fmt.Errorf("%.200q is in it twice", name)
		case blobForm.MatchString(name) && name != blobName(digest):
			return nil, fmt.Errorf("%q has another digest than its name says", name)
		}
		sums[name] = digest
	}
	return sums, nil
}

// formatSums writes SHA256SUMS.
func formatSums(sums map[string]string) []byte {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		text.WriteString(strings.TrimPrefix(sums[name], "sha256:") + "  " + name + "\n")
	}
	return []byte(text.String())
}

// encode writes a document of the layout.
func encode(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err == nil && len(raw) > maxDocument {
		err = errors.New("it is too large")
	}
	return raw, err
}
