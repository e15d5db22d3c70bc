package backup

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/anuket-project/xtci/internal/term"
)

// RestoreOptions say where to restore to.
type RestoreOptions struct {
	Prefix string
	Names  []string // that may be under the prefix
	// Force lets what is there be moved aside.
	Force bool
	// Running tells which services of the stack run: nothing is restored
	// under their feet.
	Running func(ctx context.Context) ([]string, error)
	// Lock keeps others from changing the stack meanwhile.
	Lock   func() (unlock func(), err error)
	Limits Limits
	// Events, if not nil, is told how far the restore is, in bytes of the
	// backup.
	Events func(Event)
}

// Limits bound what is unpacked of a backup that anybody may have made.
type Limits struct {
	Entries   int64 // files, folders and links
	Folders   int   // which are held in memory
	TotalSize int64 // bytes of all files
}

// DefaultLimits leave room for the results of many years.
func DefaultLimits() Limits {
	return Limits{Entries: 20_000_000, Folders: 4_000_000, TotalSize: 16 << 40}
}

// A RefusedError is a backup or restore that cannot be done as it was asked
// for.
type RefusedError struct{ reason string }

func (e *RefusedError) Error() string { return e.reason }

// A BadBackupError is a file that is no backup, or was damaged or changed.
type BadBackupError struct{ err error }

func (e *BadBackupError) Error() string { return "the backup cannot be used: " + e.err.Error() }
func (e *BadBackupError) Unwrap() error { return e.err }

// staging and aside are the beginnings of the folders that a restore makes
// under the prefix: of what is being unpacked, and of what was there before.
const (
	staging = ".xtci-restore-"
	aside   = ".before-restore-"
)

// Restore puts what is in a backup under the prefix. It is unpacked into a
// new folder there, and checked, before anything is put in its place; what
// was there is kept in another. Until then, an error leaves everything as it
// was.
func Restore(ctx context.Context, r io.Reader, size int64, o RestoreOptions) (summary Summary, err error) {
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	in, err := newReader(ctx, r, size, o)
	if err != nil {
		return Summary{}, err
	}
	unlock, err := o.Lock()
	if err != nil {
		return Summary{}, err
	}
	defer unlock()
	there, err := existing(o)
	if err != nil {
		return Summary{}, err
	}
	if err := o.refuse(ctx, there); err != nil {
		return Summary{}, err
	}
	if err := removeStale(o.Prefix); err != nil {
		return Summary{}, err
	}
	fresh, err := os.MkdirTemp(o.Prefix, staging+"*") // for its owner alone
	if err != nil {
		return Summary{}, fmt.Errorf("restore: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	if err := roomFor(in.summary.Header, fresh); err != nil {
		return Summary{}, err
	}
	if err := in.unpack(fresh); err != nil {
		return Summary{}, fmt.Errorf("restore to %s: %w", o.Prefix, err)
	}
	if err := flush(fresh); err != nil {
		return Summary{}, fmt.Errorf("restore to %s: %w", o.Prefix, err)
	}
	in.summary.Before, err = swap(o.Prefix, fresh, there)
	return in.summary, err
}

// existing are the names under the prefix that are there.
func existing(o RestoreOptions) ([]string, error) {
	var there []string
	for _, name := range o.Names {
		if _, err := os.Lstat(filepath.Join(o.Prefix, name)); err == nil {
			there = append(there, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return there, nil
}

// refuse keeps data and running services from being overrun.
func (o RestoreOptions) refuse(ctx context.Context, there []string) error {
	running, err := o.Running(ctx)
	switch {
	case len(running) > 0:
		return &RefusedError{fmt.Sprintf("the stack is running (%s): take it down first (xtci down)", strings.Join(running, ", "))}
	case err != nil && len(there) > 0:
		return fmt.Errorf("look whether the stack is running: %w", err)
	case len(there) > 0 && !o.Force:
		return &RefusedError{fmt.Sprintf("there is data in %s (%s): --force moves it aside", o.Prefix, strings.Join(there, ", "))}
	}
	for _, name := range there {
		if !sameDisk(o.Prefix, filepath.Join(o.Prefix, name)) {
			return &RefusedError{fmt.Sprintf("%s is a disk of its own and cannot be moved aside: unmount it, and mount it again when the restore is done", filepath.Join(o.Prefix, name))}
		}
	}
	return nil
}

// removeStale removes what a restore left that was killed. The stack is
// locked: none runs.
func removeStale(prefix string) error {
	stale, err := filepath.Glob(filepath.Join(escape(prefix), staging+"*"))
	for _, folder := range stale {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	if err != nil {
		return fmt.Errorf("remove what a restore left that did not end: %w", err)
	}
	return nil
}

// escape makes a name mean itself in a pattern.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// roomFor refuses what cannot fit before it fills the disk.
func roomFor(h Header, folder string) error {
	if room, ok := freeSpace(folder); ok && h.Bytes > room {
		return &RefusedError{fmt.Sprintf("the backup needs about %s, and the disk of %s has room for %s", term.Size(h.Bytes), filepath.Dir(folder), term.Size(room))}
	}
	return nil
}

// swap puts what was unpacked in its place. If that fails, everything is put
// back.
func swap(prefix, fresh string, there []string) (before string, err error) {
	entries, err := os.ReadDir(fresh)
	if err != nil {
		return "", err
	}
	type move struct{ from, to string }
	var moves []move
	if len(there) > 0 {
		if before, err = os.MkdirTemp(prefix, aside+time.Now().UTC().Format("20060102-150405")+"-*"); err != nil {
			return "", err
		}
		for _, name := range there {
			moves = append(moves, move{filepath.Join(prefix, name), filepath.Join(before, name)})
		}
	}
	for _, e := range entries {
		moves = append(moves, move{filepath.Join(fresh, e.Name()), filepath.Join(prefix, e.Name())})
	}
	for i, m := range moves {
		if err := os.Rename(m.from, m.to); err != nil {
			err = fmt.Errorf("put what was restored in its place: %w", err)
			for _, done := range slices.Backward(moves[:i]) {
				err = errors.Join(err, os.Rename(done.to, done.from))
			}
			if before != "" {
				err = errors.Join(err, os.Remove(before))
			}
			return "", err
		}
	}
	folder, err := os.Open(prefix)
	if err != nil {
		return before, err
	}
	return before, errors.Join(folder.Sync(), folder.Close())
}

// A reader reads one backup.
type reader struct {
	RestoreOptions
	ctx     context.Context //nolint:containedctx // of the one call that it is made for
	packed  *countingReader
	gzip    *gzip.Reader
	tar     *tar.Reader
	summary Summary
	pending []entry // not yet in a manifest
	names   int     // bytes of their names
	end     end     // as it was read
}

// newReader reads what the backup says of itself.
func newReader(ctx context.Context, r io.Reader, size int64, o RestoreOptions) (*reader, error) {
	in := &reader{RestoreOptions: o, ctx: ctx}
	in.packed = &countingReader{r: r, each: func(n int64) { o.Events(Event{Name: "restore", Done: n, Total: size}) }}
	bad := func(err error) (*reader, error) { return nil, &BadBackupError{err} }
	var err error
	if in.gzip, err = gzip.NewReader(in.packed); err != nil {
		return bad(fmt.Errorf("it was not made by xtci backup, or is cut off: %w", err))
	}
	in.tar = tar.NewReader(in.gzip)
	h, err := in.tar.Next()
	if err != nil {
		return bad(fmt.Errorf("it was not made by xtci backup, or is cut off: %w", err))
	}
	if h.Name != memberHeader {
		return bad(fmt.Errorf("it was not made by xtci backup: it begins with %.200q", h.Name))
	}
	if err := in.document(h, &in.summary.Header, maxHeader); err != nil {
		return bad(err)
	}
	if in.summary.Format != format {
		return bad(fmt.Errorf("it has form %d, which this xtci does not know: it was made by xtci %.50q", in.summary.Format, in.summary.Tool))
	}
	return in, nil
}

// document reads a member that is none of the data.
func (in *reader) document(h *tar.Header, into any, limit int64) error {
	if h.Typeflag != tar.TypeReg || h.Size > limit {
		return fmt.Errorf("member %q is no file of at most %d bytes", h.Name, limit)
	}
	raw, err := io.ReadAll(in.tar)
	if err != nil {
		return fmt.Errorf("member %q: %w", h.Name, err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("member %q: %w", h.Name, err)
	}
	return nil
}

// countingReader tells how much was read of it.
type countingReader struct {
	r    io.Reader
	n    int64
	each func(n int64)
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.each(c.n)
	return n, err
}
