package artifacts

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
)

// checkLayout writes the zip again from the stored bytes of its files and
// compares it with the archive. What the digests of files do not cover, such
// as headers, gaps, comments and order, differs then.
func checkLayout(ctx context.Context, archive io.ReaderAt, size int64, z *zip.Reader) error {
	same := &comparer{with: bufio.NewReaderSize(io.NewSectionReader(archive, 0, size), 256<<10)}
	again := zip.NewWriter(contextWriter{ctx, same})
	for _, file := range z.File {
		same.at = file.Name
		if err := copyEntry(again, file); err != nil {
			return fmt.Errorf("%s: %w", file.Name, err)
		}
	}
	same.at = "the zip's directory"
	if err := again.Close(); err != nil {
		return fmt.Errorf("%s: %w", same.at, err)
	}
	if same.n != size {
		return fmt.Errorf("%d bytes follow the zip's directory", size-same.n)
	}
	return nil
}

func copyEntry(to *zip.Writer, file *zip.File) error {
	header := entryHeader(file.Name, file.Method)
	w, err := to.CreateRaw(header)
	if err != nil {
		return err
	}
	r, err := file.OpenRaw()
	if err != nil {
		return err
	}
	packed, err := io.Copy(w, r)
	if err != nil {
		return err
	}
	finishEntry(header, file.CRC32, packed, int64(file.UncompressedSize64))
	return to.Flush()
}

// A comparer is written to, and fails at the first byte that differs from
// what it is compared with.
type comparer struct {
	with *bufio.Reader
	at   string
	n    int64
	have []byte
}

func (c *comparer) Write(p []byte) (int, error) {
	if cap(c.have) < len(p) {
		c.have = make([]byte, len(p))
	}
	have := c.have[:len(p)]
	if _, err := io.ReadFull(c.with, have); err != nil {
		return 0, fmt.Errorf("the zip ends early: %w", err)
	}
	if !bytes.Equal(have, p) {
		i := 0
		for have[i] == p[i] {
			i++
		}
		return 0, fmt.Errorf("byte %d of the zip is not as xtci writes it (in or before %s)", c.n+int64(i), c.at)
	}
	c.n += int64(len(p))
	return len(p), nil
}
