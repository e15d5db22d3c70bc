package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
	"github.com/anuket-project/xtci/internal/atomicfile"
)

// Options say what to back up.
type Options struct {
	Prefix string
	Names  []string // under the prefix, in this order
	Stack  string   // its name
	Tool   string   // the version of xtci
	// Replace lets the backup replace a file.
	Replace bool
	// Events, if not nil, is told how far everything is.
	Events func(Event)
}

// An Event says how far one name of the prefix is.
type Event struct {
	Name        string
	Done, Total int64 // bytes
	Entries     int64 // files, folders and links
	Ended       bool
}

// A Summary is what was backed up or restored.
type Summary struct {
	Header
	// Changed are files that were written while they were read: they may be
	// half of before and half of after.
	Changed Names `json:"changed"`
	// Skipped are no files, folders or links: sockets, and the like.
	Skipped Names `json:"skipped"`
	// Foreign are those that were restored and could not be given to their
	// owners.
	Foreign Names `json:"foreign"`
	// Before is the folder where a restore put what was there.
	Before string `json:"before,omitempty"`
}

// Names are the first few of many.
type Names struct {
	First []string `json:"first,omitempty"`
	Count int      `json:"count"`
}

func (n *Names) add(name string) {
	n.Count++
	if len(n.First) < 10 {
		n.First = append(n.First, name)
	}
}

// Backup writes what is under the prefix into a file that only its owner can
// read. The file is there whole, or not at all.
func Backup(ctx context.Context, file string, o Options) (Summary, error) {
	if o.Events == nil {
		o.Events = func(Event) {}
	}
	if err := apart(file, o); err != nil {
		return Summary{}, err
	}
	out, err := atomicfile.Create(file, 0o600)
	if err != nil {
		return Summary{}, fmt.Errorf("write the backup: %w", err)
	}
	defer out.Close()
	w := &writer{Options: o, ctx: ctx, spare: filepath.Dir(file)}
	if err := w.write(out); err != nil {
		return Summary{}, fmt.Errorf("back %s up to %s: %w", o.Prefix, file, err)
	}
	commit := out.CommitNew
	if o.Replace {
		commit = out.Commit
	}
	return w.summary, commit()
}

// apart refuses a file in the folders that are backed up, and one that would
// be replaced and must not be: the latter early, since it is known.
func apart(file string, o Options) error {
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	for _, name := range o.Names {
		data, err := filepath.EvalSymlinks(filepath.Join(o.Prefix, name))
		if err != nil {
			continue // it is not there
		}
		if data, err = filepath.Abs(data); err != nil {
			return err
		}
		if folder == data || strings.HasPrefix(folder, data+"/") {
			return &RefusedError{file + " lies in what is backed up: choose another folder"}
		}
	}
	if _, err := os.Lstat(file); err == nil && !o.Replace {
		return fmt.Errorf("%s: %w", file, fs.ErrExist)
	}
	return nil
}

// A writer writes one backup.
type writer struct {
	Options
	ctx     context.Context //nolint:containedctx // of the one call that it is made for
	spare   string          // a folder with room for the copy of the test DB
	tar     *tar.Writer
	pending []entry // not yet in a manifest
	names   int     // bytes of their names
	end     end
	event   Event
	summary Summary
}

func (w *writer) write(out io.Writer) error {
	w.summary.Header = Header{Format: format, Tool: w.Tool, Stack: w.Stack, Created: time.Now().UTC().Truncate(time.Second)}
	totals, err := w.count()
	if err != nil {
		return err
	}
	if w.summary.Entries == 0 {
		return &RefusedError{"there is no data to back up"}
	}
	packed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w.tar = tar.NewWriter(packed)
	if err := w.document(memberHeader, w.summary.Header, maxHeader); err != nil {
		return err
	}
	for _, name := range w.Names {
		total, ok := totals[name]
		if !ok {
			continue
		}
		w.event = Event{Name: name, Total: total}
		w.Events(w.event)
		if err := walk(w.ctx, w.Prefix, []string{name}, w.add); err != nil {
			return err
		}
		w.event.Ended = true
		w.Events(w.event)
	}
	if err := w.manifest(); err != nil {
		return err
	}
	if err := w.document(memberEnd, w.end, maxHeader); err != nil {
		return err
	}
	w.summary.Entries, w.summary.Bytes = w.end.Entries, w.end.Bytes
	return errors.Join(w.tar.Close(), packed.Close())
}

// count looks how much there is, by name under the prefix.
func (w *writer) count() (map[string]int64, error) {
	totals := map[string]int64{}
	err := walk(w.ctx, w.Prefix, w.Names, func(f found) error {
		top, _, _ := strings.Cut(f.name, "/")
		w.summary.Entries++
		totals[top] += 0
		if f.info.Mode().IsRegular() {
			totals[top] += f.info.Size()
			w.summary.Bytes += f.info.Size()
		}
		return nil
	})
	return totals, err
}

// add writes one thing that was found.
func (w *writer) add(f found) error {
	if len(f.name) > maxName {
		return fmt.Errorf("%.200s...: its name is too long for a backup", f.name)
	}
	err := w.addAny(f)
	if errors.Is(err, errGone) {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s: %w (services write as other users: run xtci as root)", f.name, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}

// errGone is wrapped when what was found was removed before it was read.
var errGone = errors.New("it was removed just now")

func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errGone, err)
	}
	return err
}

func (w *writer) addAny(f found) error {
	header := &tar.Header{
		Name: dataFolder + f.name, Mode: tarMode(f.info.Mode()), ModTime: f.info.ModTime(), Format: tar.FormatPAX,
	}
	if stat, ok := f.info.Sys().(*syscall.Stat_t); ok {
		header.Uid, header.Gid = int(stat.Uid), int(stat.Gid)
	}
	if year := header.ModTime.Year(); year < 1 || year > 9999 {
		header.ModTime = time.Unix(0, 0) // JSON knows no such time
	}
	switch mode := f.info.Mode(); {
	case mode.IsDir():
		header.Typeflag, header.Name = tar.TypeDir, header.Name+"/"
		return w.member(header, nil)
	case mode&fs.ModeSymlink != 0:
		target, err := f.root.Readlink(f.at)
		if err != nil {
			return gone(err)
		}
		if len(target) > maxName {
			return errors.New("what the link leads to has too long a name")
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, target
		return w.member(header, nil)
	case !mode.IsRegular():
		w.summary.Skipped.add(f.name)
		return nil
	case f.name == "testdb/"+database:
		return w.addDatabase(header, f)
	}
	header.Typeflag = tar.TypeReg
	return w.addFile(header, f)
}

// addFile writes a file that others may be writing.
func (w *writer) addFile(header *tar.Header, f found) error {
	// what was put in its place meanwhile may be a pipe that nobody writes to
	file, err := f.root.OpenFile(f.at, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return gone(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		w.summary.Skipped.add(f.name)
		return nil
	}
	header.Size, header.ModTime = info.Size(), info.ModTime()
	content := &padded{r: file}
	if err := w.member(header, content); err != nil {
		return err
	}
	after, err := file.Stat()
	if err != nil {
		return err
	}
	if content.short || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
		w.summary.Changed.add(f.name)
	}
	return nil
}

// padded goes on with zeros where a file has become shorter than it was.
type padded struct {
	r     io.Reader
	short bool
}

func (p *padded) Read(b []byte) (int, error) {
	if !p.short {
		n, err := p.r.Read(b)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		p.short = true
	}
	clear(b)
	return len(b), nil
}

// addDatabase writes a copy of the test DB as of one moment.
func (w *writer) addDatabase(header *tar.Header, f found) (err error) {
	folder, err := os.MkdirTemp(w.spare, ".xtci-backup-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	name := filepath.Join(folder, database)
	store, err := sqlstore.Open(w.ctx, filepath.Join(f.root.Name(), f.at))
	if err != nil {
		return err
	}
	if err := errors.Join(store.Backup(w.ctx, name), store.Close()); err != nil {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Size = tar.TypeReg, info.Size()
	return w.member(header, file)
}

// member writes a member of the data, of the size that its header says.
func (w *writer) member(header *tar.Header, content io.Reader) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	e, err := entryOf(header)
	if err != nil {
		return err
	}
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	if content != nil {
		sum := sha256.New()
		progress := writerFunc(func(p []byte) (int, error) {
			w.event.Done += int64(len(p))
			w.Events(w.event)
			return len(p), w.ctx.Err()
		})
		if _, err := io.CopyN(io.MultiWriter(w.tar, sum, progress), content, header.Size); err != nil {
			return err
		}
		e.SHA256 = hex.EncodeToString(sum.Sum(nil))
		w.end.Bytes += header.Size
	}
	w.end.Entries++
	w.event.Entries++
	w.pending, w.names = append(w.pending, e), w.names+len(e.Name)+len(e.Target)
	if len(w.pending) >= chunkEntries || w.names >= chunkNames {
		return w.manifest()
	}
	return nil
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// manifest writes what is pending.
func (w *writer) manifest() error {
	if len(w.pending) == 0 {
		return nil
	}
	w.end.Manifests++
	err := w.document(fmt.Sprintf(memberManifest, w.end.Manifests), w.pending, maxManifest)
	w.pending, w.names = w.pending[:0], 0
	return err
}

// document writes a member that is none of the data.
func (w *writer) document(name string, v any, limit int) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(raw) > limit {
		return fmt.Errorf("%s has %d bytes, more than %d", name, len(raw), limit)
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(raw)), ModTime: w.summary.Created, Format: tar.FormatPAX}
	if err := w.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(w.tar, bytes.NewReader(raw))
	return err
}
