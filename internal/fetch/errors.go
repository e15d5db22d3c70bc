package fetch

import (
	"errors"
	"fmt"
	"net/url"
)

var (
	// ErrUnfit is that something was got, and is not what was asked for: its
	// digest differs, it is too large, a web page, a link.
	ErrUnfit = errors.New("not what was asked for")
	// ErrNotCached is that there is no copy of a source.
	ErrNotCached = errors.New("no copy of it is kept")
)

// An unfit error is an ErrUnfit that says why.
type unfit struct{ text string }

func (u *unfit) Error() string        { return u.text }
func (u *unfit) Is(target error) bool { return target == ErrUnfit }

func unfitf(format string, args ...any) error { return &unfit{fmt.Sprintf(format, args...)} }

// A failure is what went wrong with a source, without its credentials.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

// failed says what was tried on which source.
func (s Source) failed(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if request, ok := errors.AsType[*url.Error](err); ok { // it repeats the address
		text = request.Err.Error()
	}
	return &failure{"fetch " + s.String() + ": " + s.redact(text), err}
}
