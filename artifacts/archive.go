package artifacts

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"github.com/klauspost/compress/flate"

	"github.com/anuket-project/xtci/testcases"
)

// Names of the files that an archive has beside the campaign's own.
const (
	ReportHTML  = "report.html"
	ReportJSON  = "report.json"
	JUnitXML    = "junit.xml"
	Provenance  = "provenance.json"
	Manifest    = "manifest.json"
	Attestation = "attestation.json"
)

var members = []string{ReportHTML, ReportJSON, JUnitXML, Provenance, Manifest, Attestation}

// ArchiveName is the name of a campaign's archive in a store.
func ArchiveName(tag string) string { return tag + ".zip" }

// A Document is a file of an archive that is made for it, such as the report.
type Document struct {
	Name  string
	Write func(io.Writer) error
}

// WriteArchive writes the archive of a campaign in one pass: the index with
// links made relative, all files as they are, the documents, the manifest,
// and the attestation signed with the key. The same campaign and documents
// give the same bytes, the attestation apart. It holds no file in memory.
func (c *Campaign) WriteArchive(ctx context.Context, w io.Writer, documents []Document, verdict testcases.CampaignVerdict, key *Key) error {
	return c.writeArchive(ctx, w, key, func() ([]Document, testcases.CampaignVerdict, error) { return documents, verdict, nil })
}

// writeArchive asks for what is said of the campaign when its files are in.
func (c *Campaign) writeArchive(ctx context.Context, w io.Writer, key *Key, judged func() ([]Document, testcases.CampaignVerdict, error)) error {
	a, err := newArchiveWriter(w)
	if err != nil {
		return err
	}
	if err := a.add(IndexName(c.Tag), zip.Deflate, func(w io.Writer) error { return writeIndex(w, c.Index.relative(c.Tag)) }); err != nil {
		return err
	}
	if err := a.addFolder(ctx, c.files, c.Tag); err != nil {
		return err
	}
	documents, verdict, err := judged()
	if err != nil {
		return err
	}
	for _, document := range documents {
		if err := a.add(document.Name, zip.Deflate, document.Write); err != nil {
			return err
		}
	}
	manifest, err := a.manifest.encode()
	if err != nil {
		return err
	}
	if err := a.addBytes(Manifest, manifest); err != nil {
		return err
	}
	attestation, err := attest(ctx, key, c.Tag, verdict, manifest)
	if err != nil {
		return err
	}
	if err := a.addBytes(Attestation, attestation); err != nil {
		return err
	}
	return a.close()
}

// archiveWriter writes files into a zip and remembers their digests, of what
// they hold and of the bytes that are stored. It compresses by itself and
// hands raw bytes to the zip, so that a review can write the same zip again
// from the stored bytes and compare (layout.go).
type archiveWriter struct {
	zip      *zip.Writer
	deflate  *flate.Writer // its tables are reused from file to file
	manifest manifest
}

// compression is the level that packs logs fastest for its size: measured
// with make bench, docs/archive.md.
const compression = 3

func newArchiveWriter(w io.Writer) (*archiveWriter, error) {
	deflate, err := flate.NewWriter(io.Discard, compression)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return &archiveWriter{zip: zip.NewWriter(w), deflate: deflate}, nil
}

// add writes one file. What fill writes is not held in memory.
func (a *archiveWriter) add(name string, method uint16, fill func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("archive %s: %w", name, err)
		}
	}()
	header := entryHeader(name, method)
	raw, err := a.zip.CreateRaw(header)
	if err != nil {
		return err
	}
	packed, content := newDigest(), newDigest()
	crc := crc32.NewIEEE()
	if method == zip.Store {
		err = fill(io.MultiWriter(raw, packed, content, crc))
	} else {
		a.deflate.Reset(io.MultiWriter(raw, packed))
		if err = fill(io.MultiWriter(a.deflate, content, crc)); err == nil {
			err = a.deflate.Close()
		}
	}
	if err != nil {
		return err
	}
	finishEntry(header, crc.Sum32(), packed.n, content.n)
	a.manifest.Files = append(a.manifest.Files, manifestEntry{Path: name, Size: content.n, SHA256: content.String(), PackedSHA256: packed.String()})
	return nil
}

// entryHeader is the one form that entries of an archive have. One fixed date
// makes the archive the same whenever it is made; a date without an extra
// field is the shortest form that all tools read.
func entryHeader(name string, method uint16) *zip.FileHeader {
	const (
		sizesBehind = 1 << 3  // sizes follow the data, since it is streamed
		utf8Name    = 1 << 11 // the name is UTF-8
		january1980 = 1<<5 | 1
		zip20       = 20
	)
	return &zip.FileHeader{
		Name: name, Method: method, Flags: sizesBehind | utf8Name,
		CreatorVersion: zip20, ReaderVersion: zip20,
		ModifiedDate: january1980, //nolint:staticcheck // Modified would add an extra field
	}
}

// finishEntry states what is known when the data has been written.
func finishEntry(header *zip.FileHeader, crc uint32, packed, size int64) {
	const zip45 = 45 // sizes of 64 bits
	header.CRC32 = crc
	header.CompressedSize64, header.UncompressedSize64 = uint64(packed), uint64(size)
	header.CompressedSize = uint32(min(header.CompressedSize64, math.MaxUint32))     //nolint:staticcheck // what the descriptor behind the data is written from
	header.UncompressedSize = uint32(min(header.UncompressedSize64, math.MaxUint32)) //nolint:staticcheck // the same
	if max(packed, size) >= math.MaxUint32 {
		header.ReaderVersion = zip45
	}
}

// A digest is a SHA-256 of what is written to it, with its length.
type digest struct {
	hash.Hash
	n int64
}

func newDigest() *digest { return &digest{Hash: sha256.New()} }

func (d *digest) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return d.Hash.Write(p)
}

// String is the digest in hexadecimal.
func (d *digest) String() string { return hex.EncodeToString(d.Sum(nil)) }

func (a *archiveWriter) addBytes(name string, content []byte) error {
	return a.add(name, zip.Store, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// addFolder writes all files under a folder, sorted by name.
func (a *archiveWriter) addFolder(ctx context.Context, files fs.FS, root string) error {
	var names []string
	err := fs.WalkDir(files, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is no regular file: an archive holds no links or devices", name)
		case !strings.HasPrefix(entry.Name(), ".part-"): // what a crash left half-written
			names = append(names, name)
		}
		return nil
	})
	nothing := errors.Is(err, fs.ErrNotExist) && len(names) == 0 // a campaign may have left no file at all
	if err != nil && !nothing {
		return fmt.Errorf("list the campaign's files: %w", err)
	}
	slices.Sort(names)
	return a.addFiles(ctx, files, names)
}

func (a *archiveWriter) close() error {
	if err := a.zip.Close(); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	return nil
}

// relative returns the index with links relative to the archive's root, and
// as the one page that it is.
func (x Index) relative(tag string) Index {
	out := Index{Pagination: Pagination{CurrentPage: 1, TotalPages: 1}, Results: slices.Clone(x.Results)}
	if x.Pagination.TotalPages > 1 {
		out.Pagination = x.Pagination // a page of several stays what it is
	}
	if out.Results == nil {
		out.Results = []testcases.Record{}
	}
	for i := range out.Results {
		out.Results[i].Details = relativeLinks(out.Results[i].Details, tag)
	}
	return out
}

// relativeLinks cuts the lab's address from details.links: what leads into
// the campaign's folder is a path in the archive.
func relativeLinks(details json.RawMessage, tag string) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(details, &object) != nil || object["links"] == nil {
		return details
	}
	var links []string
	if json.Unmarshal(object["links"], &links) != nil {
		return details
	}
	for i, link := range links {
		if _, inside, ok := strings.Cut(link, "/"+tag+"/"); ok && strings.Contains(link, "://") {
			links[i] = tag + "/" + inside
		}
	}
	var err error
	if object["links"], err = json.Marshal(links); err != nil {
		return details
	}
	changed, err := json.Marshal(object)
	if err != nil {
		return details
	}
	return changed
}

// A manifest lists every file of an archive but itself and the attestation.
type manifest struct {
	Schema int             `json:"schema"`
	Files  []manifestEntry `json:"files"`
}

// A manifestEntry says what a file holds, and which bytes of the archive hold it.
type manifestEntry struct {
	Path         string `json:"path"`
	Size         int64  `json:"size"`
	SHA256       string `json:"sha256"`
	PackedSHA256 string `json:"packed_sha256"`
}

const manifestSchema = 1

func (m *manifest) encode() ([]byte, error) {
	m.Schema = manifestSchema
	return json.MarshalIndent(m, "", " ")
}
