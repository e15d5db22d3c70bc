package fetch

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	maxEntry  = 16 << 20           // bytes of an entry
	oldCopy   = 7 * 24 * time.Hour // how long a copy is kept that is not the last one
	oldDebris = 24 * time.Hour     // after which what was begun is nobody's any more
	entryName = "entry.json"
	workName  = "tmp-"
)

// A Cache gets files, and keeps the last copy of each source.
type Cache struct {
	Dir     string
	Environ []string    // proxies, AWS_* and what git takes, as os.Environ gives them
	TLS     *tls.Config // nil is the system's
}

// A Want says what is wanted of a source, and how much of it at most.
type Want struct {
	MaxBytes int64         // of each file; 0 is 1 MiB
	Timeout  time.Duration // for all of it; 0 is five minutes
	// Companion says which other files of a repository are wanted, too. They
	// keep their places beside the file. nil wants none.
	Companion func(name string) bool
}

func (w Want) withDefaults() Want {
	if w.MaxBytes == 0 {
		w.MaxBytes = 1 << 20
	}
	if w.Timeout == 0 {
		w.Timeout = 5 * time.Minute
	}
	if w.Companion == nil {
		w.Companion = func(string) bool { return false }
	}
	return w
}

// A Copy is what was got of a source. Its files are not to be changed.
type Copy struct {
	Dir    string    // the folder that has it and its companions
	File   string    // the path of the file, in Dir
	Source string    // without credentials
	Digest string    // of the file: sha256:HEX
	Commit string    // of git
	Time   time.Time // when it was got
	// Links are the companions that are left out, since they are links.
	Links []string
}

// An entry is what is noted of a copy.
type entry struct {
	Source  string            `json:"source"`
	Version string            `json:"version"` // the folder of the copy
	File    string            `json:"file"`
	Commit  string            `json:"commit,omitempty"`
	Time    time.Time         `json:"time"`
	Files   map[string]string `json:"files"` // each with its SHA-256
	Links   []string          `json:"links,omitempty"`
}

// Get gets a source, and keeps what it got in place of what was kept.
func (c *Cache) Get(ctx context.Context, s Source, w Want) (Copy, error) {
	w = w.withDefaults()
	place := filepath.Join(c.Dir, s.key())
	if err := os.MkdirAll(place, 0o700); err != nil {
		return Copy{}, s.failed(fmt.Errorf("make the folder for its copy (XDG_CACHE_HOME): %w", err))
	}
	c.tidy(place)
	work, err := os.MkdirTemp(c.Dir, workName)
	if err != nil {
		return Copy{}, s.failed(fmt.Errorf("make the folder for its copy: %w", err))
	}
	defer os.RemoveAll(work)
	e, err := c.get(ctx, s, w, work)
	if err == nil {
		err = ctx.Err() // what is interrupted is kept nowhere
	}
	if err != nil {
		return Copy{}, s.failed(err)
	}
	if err := keep(work, place, e); err != nil {
		return Copy{}, s.failed(fmt.Errorf("keep its copy: %w", err))
	}
	return e.copy(place), nil
}

// get fills work with one folder, the copy, which is named for what is in it.
func (c *Cache) get(ctx context.Context, s Source, w Want, work string) (entry, error) {
	limited, cancel := context.WithTimeoutCause(ctx, w.Timeout, fmt.Errorf("no complete answer within %v", w.Timeout))
	defer cancel()
	dir := filepath.Join(work, "files")
	got, err := c.download(limited, s, w, dir)
	if limited.Err() != nil {
		if err := ctx.Err(); err != nil {
			return entry{}, err
		}
		return entry{}, context.Cause(limited)
	}
	if err != nil {
		return entry{}, err
	}
	e := entry{Source: s.String(), File: got.file, Commit: got.commit, Time: time.Now().UTC().Truncate(time.Second), Links: got.links}
	if e.Files, err = digests(dir); err != nil {
		return entry{}, err
	}
	if err := s.check(e.Files[e.File]); err != nil {
		return entry{}, err
	}
	if err := refuseWebPage(filepath.Join(dir, filepath.FromSlash(e.File))); err != nil {
		return entry{}, err
	}
	e.Version = e.version()
	return e, os.Rename(dir, filepath.Join(work, e.Version))
}

// check compares a digest with that which the source must have.
func (s Source) check(digest string) error {
	if s.checksum != "" && s.checksum != digest {
		return unfitf("its digest is sha256:%s, and not sha256:%s as checksum= has it", digest, s.checksum)
	}
	return nil
}

// Kept returns the copy that is kept of a source, if it is as it was got.
func (c *Cache) Kept(s Source) (Copy, error) {
	place := filepath.Join(c.Dir, s.key())
	e, err := readEntry(place)
	if errors.Is(err, fs.ErrNotExist) {
		return Copy{}, &failure{s.String() + ": " + ErrNotCached.Error(), ErrNotCached}
	}
	if err == nil {
		err = e.verify(filepath.Join(place, e.Version))
	}
	if err == nil {
		err = s.check(e.Files[e.File])
	}
	if err != nil {
		return Copy{}, &failure{"the copy of " + s.String() + ": " + s.redact(err.Error()), err}
	}
	return e.copy(place), nil
}

func readEntry(place string) (entry, error) {
	f, err := os.Open(filepath.Join(place, entryName))
	if err != nil {
		return entry{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxEntry))
	if err != nil {
		return entry{}, err
	}
	var e entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return entry{}, unfitf("%s cannot be read (%v): get it anew", f.Name(), err)
	}
	if e.Version != e.version() || !fs.ValidPath(e.File) || e.Files[e.File] == "" {
		return entry{}, unfitf("%s does not fit together: get it anew", f.Name())
	}
	return e, nil
}

// version names a copy for what is in it.
func (e entry) version() string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(e.Files)) {
		fmt.Fprintf(sum, "%q %s\n", name, e.Files[name])
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func (e entry) copy(place string) Copy {
	return Copy{
		Dir: filepath.Join(place, e.Version), File: filepath.FromSlash(e.File), Source: e.Source,
		Digest: "sha256:" + e.Files[e.File], Commit: e.Commit, Time: e.Time, Links: e.Links,
	}
}

// verify says whether the files are those that were got.
func (e entry) verify(dir string) error {
	found, err := digests(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return unfitf("%s is gone: get it anew", dir)
	}
	if errors.Is(err, ErrUnfit) || err == nil && !maps.Equal(found, e.Files) {
		err = unfitf("%s was changed since it was got: get it anew", dir)
	}
	return err
}

// keep moves a copy from work to its place, and names it the last one. Others that do
// the same at the same time are not disturbed, nor is who reads the one before.
func keep(work, place string, e entry) error {
	dir, kept := filepath.Join(work, e.Version), filepath.Join(place, e.Version)
	if err := os.Rename(dir, kept); err != nil {
		if wrong := e.verify(kept); wrong != nil { // it is none: away with it
			return errors.Join(os.Rename(kept, dir+"-spoiled"), os.Rename(dir, kept))
		}
		now := time.Now()
		if err := os.Chtimes(kept, now, now); err != nil {
			return err
		}
	}
	raw, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return err
	}
	if len(raw) > maxEntry {
		return unfitf("it has too many files")
	}
	if err := os.WriteFile(filepath.Join(work, entryName), raw, 0o600); err != nil {
		return err
	}
	return os.Rename(filepath.Join(work, entryName), filepath.Join(place, entryName))
}

// tidy removes copies that are long out of date, and what others who were
// killed left. What cannot be removed stays.
func (c *Cache) tidy(place string) {
	last, err := readEntry(place)
	if err == nil {
		removeOld(place, oldCopy, func(name string) bool { return name != last.Version })
	}
	removeOld(c.Dir, oldDebris, func(name string) bool { return strings.HasPrefix(name, workName) })
}

func removeOld(dir string, age time.Duration, which func(string) bool) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, f := range found {
		if info, err := f.Info(); err == nil && f.IsDir() && which(f.Name()) && time.Since(info.ModTime()) > age {
			_ = os.RemoveAll(filepath.Join(dir, f.Name())) // it is tried again the next time
		}
	}
}

// digests are those of all files under a folder, which has nothing else.
func digests(dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	found := map[string]string{}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case !d.Type().IsRegular():
			return unfitf("%s is no file", name)
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		sum := sha256.New()
		_, err = io.Copy(sum, f)
		found[name] = hex.EncodeToString(sum.Sum(nil))
		return err
	})
	return found, err
}
