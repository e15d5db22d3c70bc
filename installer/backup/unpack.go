package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// A folder that was unpacked gets its mode and time when all is in it.
type folder struct {
	name string
	mode fs.FileMode
	time time.Time
}

// An unpacking is into one folder.
type unpacking struct {
	*reader
	root    *os.Root
	folders []folder
	made    map[string]bool // names of folders
	left    Limits
	read    end // what was read up to now
}

// unpack reads the whole backup into a folder and compares it with its
// manifests.
func (in *reader) unpack(into string) error {
	root, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer root.Close()
	u := &unpacking{reader: in, root: root, made: map[string]bool{}, left: in.Limits}
	for !u.ended() {
		if err := in.ctx.Err(); err != nil {
			return err
		}
		if err := u.next(); err != nil {
			return err
		}
	}
	if err := u.finish(); err != nil {
		return err
	}
	for _, f := range slices.Backward(u.folders) {
		if err := errors.Join(root.Chmod(f.name, f.mode), root.Chtimes(f.name, time.Time{}, f.time)); err != nil {
			return err
		}
	}
	return nil
}

// ended says whether end.json was read.
func (u *unpacking) ended() bool { return u.end.Entries > 0 }

// next reads one member.
func (u *unpacking) next() error {
	h, err := u.tar.Next()
	if err != nil {
		return &BadBackupError{fmt.Errorf("it is cut off or damaged after %d of its entries: %w", u.read.Entries, err)}
	}
	switch {
	case strings.HasPrefix(h.Name, dataFolder):
		err = u.data(h)
	case h.Name == fmt.Sprintf(memberManifest, u.read.Manifests+1):
		err = u.compare(h)
	case h.Name == memberEnd:
		err = u.last(h)
	default:
		err = bad("it is nothing that a backup has")
	}
	if err != nil {
		err = fmt.Errorf("%.300q: %w", h.Name, err)
		if _, ok := errors.AsType[*memberError](err); ok {
			return &BadBackupError{err}
		}
	}
	return err
}

// memberError is what is wrong with a member.
type memberError struct{ reason string }

func (e *memberError) Error() string { return e.reason }

func bad(format string, args ...any) error { return &memberError{fmt.Sprintf(format, args...)} }

// data unpacks one file, folder or link.
func (u *unpacking) data(h *tar.Header) error {
	e, err := entryOf(h)
	if err != nil {
		return bad("%v", err)
	}
	name := strings.TrimPrefix(h.Name, dataFolder)
	if e.Type == typeFolder {
		name = strings.TrimSuffix(name, "/")
	}
	if err := u.check(name, e, h); err != nil {
		return err
	}
	mode := fileMode(e.Mode, e.Type == typeFolder)
	switch e.Type {
	case typeFolder:
		if err := u.root.Mkdir(name, 0o700); err != nil {
			return taken(err)
		}
		u.made[name] = true
		u.folders = append(u.folders, folder{name, mode, h.ModTime})
		err = u.own(name, h)
	case typeLink:
		if err := u.root.Symlink(h.Linkname, name); err != nil {
			return taken(err)
		}
		err = u.own(name, h)
	case typeFile:
		e.SHA256, err = u.file(name, h, mode)
	}
	u.pending = append(u.pending, e)
	u.names += len(e.Name) + len(e.Target)
	u.read.Entries++
	return err
}

// check refuses what leads elsewhere or is more than is allowed.
func (u *unpacking) check(name string, e entry, h *tar.Header) error {
	if err := checkName(name); err != nil {
		return bad("%v", err)
	}
	top, _, below := strings.Cut(name, "/")
	switch {
	case !slices.Contains(u.Names, top):
		return bad("a stack has no %.100q", top)
	case !below && e.Type == typeLink:
		return bad("a link cannot be there")
	case below && !u.made[path.Dir(name)]:
		return bad("its folder is no folder of the backup")
	case len(h.Linkname) > maxName, strings.ContainsRune(h.Linkname, 0):
		return bad("it leads to a name that no file has")
	case h.Uid < 0 || h.Gid < 0:
		return bad("it has no owner")
	}
	u.left.Entries--
	u.left.TotalSize -= e.Size
	if e.Type == typeFolder {
		u.left.Folders--
	}
	if u.left.Entries < 0 || u.left.TotalSize < 0 || u.left.Folders < 0 {
		return bad("the backup has more than is allowed (%d entries, %d folders, %d bytes): refused", u.Limits.Entries, u.Limits.Folders, u.Limits.TotalSize)
	}
	if len(u.pending) >= chunkEntries || u.names >= chunkNames {
		return bad("there are too many entries without a manifest")
	}
	return nil
}

// taken makes a name that is there already the backup's fault.
func taken(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return bad("it is there twice")
	}
	return err
}

// file unpacks a file and returns its digest.
func (u *unpacking) file(name string, h *tar.Header, mode fs.FileMode) (sum string, err error) {
	file, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", taken(err)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, hash), &readErrors{u.tar})
	if n != h.Size && err == nil {
		err = bad("it has %d bytes, and %d were announced", n, h.Size)
	}
	if err == nil {
		err = u.ctx.Err()
	}
	if err == nil {
		err = u.own(name, h)
	}
	if err == nil {
		err = file.Chmod(mode) // after the owner, whose change takes bits away
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", err
	}
	u.read.Bytes += n
	return hex.EncodeToString(hash.Sum(nil)), u.root.Chtimes(name, time.Time{}, h.ModTime)
}

// readErrors marks what goes wrong in reading as the backup's fault: it can
// be told from a disk that is full.
type readErrors struct{ r io.Reader }

func (r *readErrors) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = bad("it is cut off or damaged: %v", err)
	}
	return n, err
}

// own gives what was unpacked to its owner, where this process may.
func (u *unpacking) own(name string, h *tar.Header) error {
	if h.Uid == os.Geteuid() && h.Gid == os.Getegid() {
		return nil
	}
	err := u.root.Lchown(name, h.Uid, h.Gid)
	if errors.Is(err, fs.ErrPermission) {
		u.summary.Foreign.add(name)
		return nil
	}
	return err
}

// compare reads a manifest and compares it with what was unpacked.
func (u *unpacking) compare(h *tar.Header) error {
	var listed []entry
	if err := u.document(h, &listed, maxManifest); err != nil {
		return bad("%v", err)
	}
	if len(listed) != len(u.pending) {
		return bad("it lists %d entries where %d are", len(listed), len(u.pending))
	}
	for i, want := range listed {
		got := u.pending[i]
		if !got.Time.Equal(want.Time) {
			return bad("%.300q has not the time that is listed", want.Name)
		}
		got.Time = want.Time
		if got != want {
			return bad("%.300q is not what is listed: the backup was damaged or changed", want.Name)
		}
	}
	u.pending, u.names = u.pending[:0], 0
	u.read.Manifests++
	return nil
}

// last reads end.json.
func (u *unpacking) last(h *tar.Header) error {
	var e end
	if err := u.document(h, &e, maxHeader); err != nil {
		return bad("%v", err)
	}
	if len(u.pending) > 0 || e != u.read || e.Entries == 0 {
		return bad("it does not say what there was before it")
	}
	u.end = e
	return nil
}

// finish wants nothing more to come, and the packing's own sum to be right.
func (u *unpacking) finish() error {
	h, err := u.tar.Next()
	if err == nil {
		return &BadBackupError{fmt.Errorf("there is %.300q after %q", h.Name, memberEnd)}
	}
	if !errors.Is(err, io.EOF) {
		return &BadBackupError{fmt.Errorf("it is cut off or damaged at its end: %w", err)}
	}
	if _, err := io.Copy(io.Discard, u.gzip); err != nil {
		return &BadBackupError{fmt.Errorf("it is cut off or damaged at its end: %w", err)}
	}
	u.summary.Entries, u.summary.Bytes = u.end.Entries, u.end.Bytes
	return nil
}
