package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// An s3Object reads an object: on from an offset with one request, as long as
// it is read in order, and at any place with a request each.
type s3Object struct {
	ctx    context.Context //nolint:containedctx // the task for which the object was opened
	store  *S3Store
	key    string
	entry  Entry
	offset int64
	body   io.ReadCloser // from offset on; nil before it is asked for
	closed bool
}

func (o *s3Object) Entry() Entry { return o.entry }

func (o *s3Object) Read(p []byte) (int, error) {
	if o.closed {
		return 0, fs.ErrClosed
	}
	if o.offset >= o.entry.Size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if o.body == nil {
		body, err := o.store.get(o.ctx, o.key, o.entry.ETag, o.offset, -1)
		if err != nil {
			return 0, o.store.failed(o.ctx, "read", o.key, err)
		}
		o.body = body
	}
	n, err := o.body.Read(p)
	o.offset += int64(n)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		if o.offset >= o.entry.Size {
			return n, io.EOF
		}
		err = io.ErrUnexpectedEOF // a part is not the whole
	}
	return n, o.store.failed(o.ctx, "read", o.key, err)
}

// Seek sets where the next Read begins. It asks for nothing.
func (o *s3Object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.entry.Size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek in %s: %w", o.key, fs.ErrInvalid)
	}
	if offset != o.offset {
		o.offset = offset
		return offset, o.drop()
	}
	return offset, nil
}

// ReadAt reads at a place, apart from Read. It may be called at once.
func (o *s3Object) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, fmt.Errorf("read %s: %w", o.key, fs.ErrInvalid)
	}
	if offset >= o.entry.Size {
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), o.entry.Size-offset)]
	if len(want) == 0 {
		return 0, nil
	}
	body, err := o.store.get(o.ctx, o.key, o.entry.ETag, offset, int64(len(want)))
	if err != nil {
		return 0, o.store.failed(o.ctx, "read", o.key, err)
	}
	n, err = io.ReadFull(body, want)
	if err = errors.Join(err, body.Close()); err != nil {
		return n, o.store.failed(o.ctx, "read", o.key, err)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// drop ends the request that is under way.
func (o *s3Object) drop() error {
	if o.body == nil {
		return nil
	}
	err := o.body.Close()
	o.body = nil
	return err
}

func (o *s3Object) Close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	return o.drop()
}
