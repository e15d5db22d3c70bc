package backup

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// format is the version of the file's form.
const format = 1

// Members of the tar, beside what is under data/.
const (
	memberHeader   = "backup.json"
	memberManifest = "manifest-%06d.json" // numbered from 1
	memberEnd      = "end.json"
	dataFolder     = "data/"
)

const (
	// A manifest ends with chunkEntries entries, or chunkNames bytes of their
	// names, which JSON may write six times as long.
	chunkEntries = 1000
	chunkNames   = 1 << 20
	// maxManifest and maxHeader bound what is read into memory.
	maxManifest = 16 << 20
	maxHeader   = 64 << 10
	maxName     = 4096
)

// A Header is what a backup says of itself, before anything else.
type Header struct {
	Format  int       `json:"format"`
	Tool    string    `json:"tool"` // the version of xtci that made it
	Stack   string    `json:"stack"`
	Created time.Time `json:"created"`
	// Entries and Bytes were counted before it was made; services may have
	// written since.
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

// An entry is a file, folder or link of the data, as a manifest lists it.
type entry struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"` // file, folder or link
	Mode   int64     `json:"mode"`
	UID    int       `json:"uid"`
	GID    int       `json:"gid"`
	Time   time.Time `json:"time"`
	Size   int64     `json:"size,omitempty"`
	SHA256 string    `json:"sha256,omitempty"` // of a file
	Target string    `json:"target,omitempty"` // of a link
}

// An end is the last member.
type end struct {
	Entries   int64 `json:"entries"`
	Manifests int   `json:"manifests"`
	Bytes     int64 `json:"bytes"` // of all files
}

// Types of entries.
const (
	typeFile   = "file"
	typeFolder = "folder"
	typeLink   = "link"
)

// modeBits are the bits of a mode that a backup keeps.
const modeBits = 0o7777

// entryOf is how a manifest lists a member. A name that is no UTF-8 is listed
// as JSON can write it.
func entryOf(h *tar.Header) (entry, error) {
	e := entry{
		Name: strings.ToValidUTF8(strings.TrimSuffix(strings.TrimPrefix(h.Name, dataFolder), "/"), "\uFFFD"),
		Mode: h.Mode & modeBits, UID: h.Uid, GID: h.Gid, Time: h.ModTime.UTC(),
	}
	switch h.Typeflag {
	case tar.TypeReg:
		e.Type, e.Size = typeFile, h.Size
	case tar.TypeDir:
		e.Type = typeFolder
	case tar.TypeSymlink:
		e.Type, e.Target = typeLink, strings.ToValidUTF8(h.Linkname, "\uFFFD")
	default:
		return entry{}, fmt.Errorf("it is neither file nor folder nor link (type %q)", h.Typeflag)
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse") {
			return entry{}, errors.New("it is a sparse file")
		}
	}
	return e, nil
}

// checkName refuses names that lead elsewhere, or are not in their shortest
// form. Any bytes may be in them: what services write has such names.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > maxName:
		return fmt.Errorf("a name of %d bytes", len(name))
	case strings.ContainsRune(name, 0), strings.HasPrefix(name, "/"), path.Clean(name) != name, name == ".", name == "..", strings.HasPrefix(name, "../"):
		return errors.New("its name leads out of the folder or is not in its shortest form")
	}
	return nil
}

// tarMode is a mode as tars have it.
func tarMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}

// fileMode is the mode for what is restored. No program gets to run as
// another user by being restored.
func fileMode(bits int64, folder bool) fs.FileMode {
	mode := fs.FileMode(bits & 0o777) //nolint:gosec // nine bits
	if folder && bits&0o2000 != 0 {
		mode |= fs.ModeSetgid
	}
	if folder && bits&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}
