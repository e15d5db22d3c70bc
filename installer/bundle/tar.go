package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"
)

// blockSize is the unit of a tar.
const blockSize = 512

// output is where a bundle is written: a file.
type output interface {
	io.Writer
	io.Seeker
	Truncate(size int64) error
}

// A tarWriter writes a tar whose members get their names and sizes when they
// are written: a blob's name is the digest of what it holds. Their headers
// are written last, over the room that was left.
type tarWriter struct {
	out    output
	buffer *bufio.Writer
	at     int64 // bytes written
}

func newTarWriter(out output) *tarWriter {
	return &tarWriter{out: out, buffer: bufio.NewWriterSize(out, 1<<20)}
}

// Write adds to the member that was begun.
func (t *tarWriter) Write(p []byte) (int, error) {
	n, err := t.buffer.Write(p)
	t.at += int64(n)
	return n, err
}

// begin leaves room for a header and returns where.
func (t *tarWriter) begin() (start int64, err error) {
	start = t.at
	_, err = t.Write(make([]byte, blockSize))
	return start, err
}

// end closes the member that began at start.
func (t *tarWriter) end(start int64, name string, mode int64) error {
	size := t.at - start - blockSize
	header, err := tarHeader(name, mode, size)
	if err != nil {
		return err
	}
	if _, err := t.Write(make([]byte, (blockSize-t.at%blockSize)%blockSize)); err != nil {
		return err
	}
	if err := t.buffer.Flush(); err != nil {
		return err
	}
	if _, err := t.out.Seek(start, io.SeekStart); err != nil {
		return err
	}
	if _, err := t.out.Write(header); err != nil {
		return err
	}
	_, err = t.out.Seek(t.at, io.SeekStart)
	return err
}

// drop takes back the member that began at start.
func (t *tarWriter) drop(start int64) error {
	if err := t.buffer.Flush(); err != nil {
		return err
	}
	if err := t.out.Truncate(start); err != nil {
		return err
	}
	t.at = start
	_, err := t.out.Seek(start, io.SeekStart)
	return err
}

// close ends the tar, with two empty blocks.
func (t *tarWriter) close() error {
	if _, err := t.Write(make([]byte, 2*blockSize)); err != nil {
		return err
	}
	return t.buffer.Flush()
}

// tarHeader is the block before a member, the same for the same member.
func tarHeader(name string, mode, size int64) ([]byte, error) {
	var block bytes.Buffer
	err := tar.NewWriter(&block).WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0),
		Format: tar.FormatGNU, // sizes beyond 8 GiB in the same one block
	})
	if err == nil && block.Len() != blockSize {
		err = errors.New("its header takes more than one block")
	}
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", name, err)
	}
	return block.Bytes(), nil
}

// A section is a member of a tar that can be read at any time.
type section struct {
	offset, size int64
}

// scan finds the members of a tar. It reads their headers alone, and refuses
// whatever a bundle does not have.
func scan(r io.ReaderAt, size int64, limits Limits) (map[string]section, error) {
	whole := io.NewSectionReader(r, 0, size)
	reader := tar.NewReader(whole) // seeks over what members hold
	members := map[string]section{}
	last := ""
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return members, nil
		}
		if err != nil {
			if last == "" {
				return nil, fmt.Errorf("it is no tar, or its beginning is damaged: %w", err)
			}
			return nil, fmt.Errorf("it is cut off or damaged in or after member %q: %w", last, err)
		}
		if len(members) >= limits.Members {
			return nil, fmt.Errorf("it has more than %d members", limits.Members)
		}
		last = header.Name
		if err := checkMember(header, members); err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		offset, err := whole.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if header.Size > size-offset {
			return nil, fmt.Errorf("it is cut off in member %q", header.Name)
		}
		members[header.Name] = section{offset, header.Size}
	}
}

func checkMember(header *tar.Header, members map[string]section) error {
	name := header.Name
	if header.Typeflag == tar.TypeDir && (name == "blobs/" || name == blobFolder) {
		return nil
	}
	if header.Typeflag != tar.TypeReg {
		return fmt.Errorf("member %.200q is no regular file (type %q)", name, header.Typeflag)
	}
	for key := range header.PAXRecords {
		if len(key) > 4 && key[:4] == "GNU." {
			return fmt.Errorf("member %.200q is a sparse file", name)
		}
	}
	switch name {
	case memberLayout, memberIndex, memberManifest, memberSums:
	default:
		if !blobForm.MatchString(name) && !isFile(name) {
			return fmt.Errorf("member %.200q is nothing that a bundle has", name)
		}
	}
	if _, ok := members[name]; ok {
		return fmt.Errorf("two members are named %q", name)
	}
	return nil
}

// document reads a small member.
func document(r io.ReaderAt, members map[string]section, name string) ([]byte, error) {
	at, ok := members[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("member %q is missing", name)
	case at.size > maxDocument:
		return nil, fmt.Errorf("member %q has %d bytes, more than %d", name, at.size, maxDocument)
	}
	raw := make([]byte, at.size)
	if _, err := io.ReadFull(io.NewSectionReader(r, at.offset, at.size), raw); err != nil {
		return nil, fmt.Errorf("read member %q: %w", name, err)
	}
	return raw, nil
}

// blob reads a small blob and checks it.
func blob(r io.ReaderAt, members map[string]section, d descriptor) ([]byte, error) {
	name := blobName(d.Digest)
	raw, err := document(r, members, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(raw)
	if int64(len(raw)) != d.Size || formatDigest(sum[:]) != d.Digest {
		return nil, fmt.Errorf("member %q does not hold what its name says: it was damaged or changed", name)
	}
	return raw, nil
}
