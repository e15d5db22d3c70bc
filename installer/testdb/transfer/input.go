package transfer

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
)

// An input is read once, from the beginning, uncompressed.
type input struct {
	r    *bufio.Reader
	name string
	// offset is how many bytes were read.
	offset int64
}

// open begins to read an input, which may be compressed with gzip.
func open(ctx context.Context, r io.Reader, name string) (*input, error) {
	in := &input{r: bufio.NewReaderSize(reader{ctx, r}, 64<<10), name: name}
	head, err := in.r.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, in.failure(err)
	}
	if string(head) != "\x1f\x8b" {
		return in, nil
	}
	unzipped, err := gzip.NewReader(in.r)
	if err != nil {
		return nil, in.failure(err)
	}
	in.r = bufio.NewReaderSize(unzipped, 64<<10)
	return in, nil
}

// A reader ends when its context does.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives as long as one import
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// failure names the input and the place where reading it went wrong.
func (in *input) failure(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s ends at byte %d, in the middle: it was cut off, so copy or dump it again: %w", in.name, in.offset, io.ErrUnexpectedEOF)
	}
	if errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		return fmt.Errorf("%s is damaged near byte %d of what it unpacks to: copy or dump it again: %w", in.name, in.offset, err)
	}
	return fmt.Errorf("read %s, at byte %d: %w", in.name, in.offset, err)
}

// wrong says what is not as it should be at an offset.
func (in *input) wrong(offset int64, format string, args ...any) error {
	return fmt.Errorf("%s, at byte %d: %w", in.name, offset, fmt.Errorf(format, args...))
}

// readByte reads one byte, or returns io.EOF.
func (in *input) readByte() (byte, error) {
	c, err := in.r.ReadByte()
	if err == nil {
		in.offset++
	}
	return c, err
}

// unreadByte takes the last byte back.
func (in *input) unreadByte() {
	if in.r.UnreadByte() == nil {
		in.offset--
	}
}

// readFull fills p, or returns io.EOF if there was nothing more, and
// io.ErrUnexpectedEOF if there was too little.
func (in *input) readFull(p []byte) error {
	n, err := io.ReadFull(in.r, p)
	in.offset += int64(n)
	return err
}
