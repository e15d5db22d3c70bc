package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A layoutWriter writes an OCI layout out of what docker save writes.
type layoutWriter struct {
	tar    *tarWriter
	layers map[string]layer // by the digest of what is in them
	// known are the layers of earlier images by the name and size that they
	// have in what docker save writes: a digest of the layer and those below
	// it. They are not packed again.
	known  map[string]layer
	index  []descriptor
	docker []dockerImage
	sums   map[string]string // digests by member
}

// A layer is a blob, and the digest of what it unpacks to.
type layer struct {
	descriptor
	diffID string
}

// A savedImage is an image that was written.
type savedImage struct {
	manifest, config descriptor
	platform         platform
	size             int64
}

func newLayoutWriter(t *tarWriter) *layoutWriter {
	return &layoutWriter{
		tar: t, layers: map[string]layer{}, known: map[string]layer{},
		index: []descriptor{}, docker: []dockerImage{}, sums: map[string]string{},
	}
}

// document adds a document that is no blob.
func (w *layoutWriter) document(name string, v any) error {
	raw, err := encode(v)
	if err != nil {
		return fmt.Errorf("member %q: %w", name, err)
	}
	return w.member(name, raw)
}

func (w *layoutWriter) member(name string, content []byte) error {
	start, err := w.tar.begin()
	if err != nil {
		return err
	}
	if _, err := w.tar.Write(content); err != nil {
		return err
	}
	w.sums[name] = digestOf(content)
	return w.tar.end(start, name, 0o644)
}

// blob adds a small blob, unless it is there.
func (w *layoutWriter) blob(mediaType string, content []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digestOf(content), Size: int64(len(content))}
	if w.sums[blobName(d.Digest)] != "" {
		return d, nil
	}
	return d, w.member(blobName(d.Digest), content)
}

// finish writes what lists the images.
func (w *layoutWriter) finish() error {
	if err := w.document(memberManifest, w.docker); err != nil {
		return err
	}
	if err := w.document(memberIndex, index{SchemaVersion: 2, MediaType: typeIndex, Manifests: w.index}); err != nil {
		return err
	}
	if err := w.member(memberSums, formatSums(w.sums)); err != nil {
		return err
	}
	return w.tar.close()
}

// A dockerArchive is what was read of docker save's tar, by member: layers
// were written already, documents are small.
type dockerArchive struct {
	layers    map[string]layer
	names     map[string]string // of layers, by what known has them under
	documents map[string][]byte
	held      int               // bytes of documents
	links     map[string]string // members that are others
}

// image writes the one image that docker save wrote.
func (w *layoutWriter) image(r io.Reader, id string) (savedImage, error) {
	archive, err := w.read(r)
	if err != nil {
		return savedImage{}, err
	}
	var listed []dockerImage
	if err := json.Unmarshal(archive.documents[memberManifest], &listed); err != nil {
		return savedImage{}, fmt.Errorf("%s of what the engine wrote: %w", memberManifest, err)
	}
	if len(listed) != 1 {
		return savedImage{}, fmt.Errorf("the engine wrote %d images where it was asked for one", len(listed))
	}
	raw := archive.documents[path.Clean(listed[0].Config)]
	config, err := parseConfig(raw, len(listed[0].Layers))
	if err != nil {
		return savedImage{}, fmt.Errorf("its configuration: %w", err)
	}
	one := savedImage{platform: platform{config.OS, config.Architecture}}
	if one.config, err = w.blob(typeConfig, raw); err != nil {
		return savedImage{}, err
	}
	if !archive.is(one.config.Digest, id) {
		return savedImage{}, fmt.Errorf("the engine wrote image %s where it was asked for %s", one.config.Digest, id)
	}
	m := manifest{SchemaVersion: 2, MediaType: typeManifest, Config: one.config}
	compat := dockerImage{Config: blobName(one.config.Digest)}
	for i, name := range listed[0].Layers {
		l, err := w.find(archive, name)
		if err == nil && l.diffID != config.RootFS.DiffIDs[i] {
			err = fmt.Errorf("the engine wrote %s where its configuration says %s", l.diffID, config.RootFS.DiffIDs[i])
		}
		if err != nil {
			return savedImage{}, fmt.Errorf("layer %d (%s): %w", i+1, name, err)
		}
		m.Layers = append(m.Layers, l.descriptor)
		compat.Layers = append(compat.Layers, blobName(l.Digest))
		one.size += l.Size
	}
	for name, key := range archive.names {
		w.known[key] = archive.layers[name]
	}
	if raw, err = encode(m); err != nil {
		return savedImage{}, err
	}
	w.docker = append(w.docker, compat)
	one.manifest, err = w.blob(typeManifest, raw)
	return one, err
}

// is says whether the image with that configuration is the one of that id:
// the configuration's digest, or, for engines that keep images as registries
// do, that of a manifest which they wrote too.
func (a *dockerArchive) is(config, id string) bool {
	if config == id || !digestForm.MatchString(id) {
		return config == id
	}
	raw, ok := a.documents[blobName(id)]
	return ok && digestOf(raw) == id
}

// find returns a layer that was read, wherever its name leads.
func (w *layoutWriter) find(archive *dockerArchive, name string) (layer, error) {
	name = path.Clean(name)
	for range len(archive.links) + 1 {
		target, ok := archive.links[name]
		if !ok {
			break
		}
		name = target
	}
	if l, ok := archive.layers[name]; ok {
		return l, nil
	}
	content, ok := archive.documents[name] // a layer that begins as a document does
	if !ok {
		return layer{}, errors.New("the engine did not write it")
	}
	return w.layer(bytes.NewReader(content))
}

// read writes the layers of docker save's tar, and keeps its documents.
func (w *layoutWriter) read(r io.Reader) (*dockerArchive, error) {
	archive := &dockerArchive{
		layers: map[string]layer{}, names: map[string]string{}, documents: map[string][]byte{}, links: map[string]string{},
	}
	reader := tar.NewReader(r)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r) // so that the engine can end
			return archive, err
		}
		if err != nil {
			return nil, fmt.Errorf("read what the engine writes: %w", err)
		}
		name := path.Clean(header.Name)
		switch header.Typeflag {
		case tar.TypeSymlink: // the same layer as another image's
			archive.links[name] = path.Join(path.Dir(name), header.Linkname)
		case tar.TypeLink:
			archive.links[name] = path.Clean(header.Linkname)
		case tar.TypeReg:
			if err := w.readMember(archive, name, header.Size, reader); err != nil {
				return nil, fmt.Errorf("read %s of what the engine writes: %w", name, err)
			}
		}
	}
}

func (w *layoutWriter) readMember(archive *dockerArchive, name string, size int64, r io.Reader) error {
	switch path.Base(name) {
	case "VERSION", "json": // of images before 1.10
		return nil
	}
	key := fmt.Sprintf("%s %d", name, size)
	if l, ok := w.known[key]; ok {
		archive.layers[name] = l
		return nil
	}
	buffered := bufio.NewReaderSize(r, 64<<10)
	first, err := buffered.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.ContainsAny(string(first), "{[") && size <= maxDocument {
		if archive.held += int(size); archive.held > maxDocuments {
			return fmt.Errorf("there are more than %d bytes of documents", maxDocuments)
		}
		archive.documents[name], err = io.ReadAll(buffered)
		return err
	}
	l, err := w.layer(buffered)
	archive.layers[name], archive.names[name] = l, key
	return err
}

// layer writes a layer, packed, unless it is there.
func (w *layoutWriter) layer(r io.Reader) (layer, error) {
	start, err := w.tar.begin()
	if err != nil {
		return layer{}, err
	}
	blob := newSummer()
	unpacked, err := pack(io.MultiWriter(w.tar, blob), r)
	if err != nil {
		return layer{}, err
	}
	l := layer{descriptor{MediaType: typeLayerGzip, Digest: blob.digest(), Size: blob.n}, unpacked}
	if had, ok := w.layers[l.diffID]; ok {
		return had, w.tar.drop(start)
	}
	w.layers[l.diffID] = l
	if w.sums[blobName(l.Digest)] != "" {
		return l, w.tar.drop(start)
	}
	w.sums[blobName(l.Digest)] = l.Digest
	return l, w.tar.end(start, blobName(l.Digest), 0o644)
}

// maxWindow bounds the memory that unpacking zstd takes.
const maxWindow = 128 << 20

// pack writes a layer with gzip, which every engine reads, and returns the
// digest of the layer itself. One that is packed so already stays as it is.
func pack(w io.Writer, r io.Reader) (digest string, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	magic, err := in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	sum := newSummer()
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		tee := io.TeeReader(in, w)
		unpacked, err := gzip.NewReader(tee)
		if err != nil {
			return "", err
		}
		if _, err := io.Copy(sum, unpacked); err != nil {
			return "", err
		}
		_, err = io.Copy(io.Discard, tee)
		return sum.digest(), err
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unpacked, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return "", err
		}
		defer unpacked.Close()
		r = unpacked
	default:
		r = in
	}
	packed, err := gzip.NewWriterLevel(w, packLevel)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(io.MultiWriter(packed, sum), r); err != nil {
		return "", err
	}
	return sum.digest(), packed.Close()
}

// packLevel is the fastest: the next ones save a few percent and take twice
// the time.
const packLevel = gzip.BestSpeed

// A summer computes the digest of what is written to it.
type summer struct {
	hash hash.Hash
	n    int64
}

func newSummer() *summer { return &summer{hash: sha256.New()} }

func (s *summer) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return s.hash.Write(p)
}

func (s *summer) digest() string { return formatDigest(s.hash.Sum(nil)) }
