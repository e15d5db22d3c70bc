package installer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// lockFile is the name of the lock in the prefix.
const lockFile = "xtci.lock"

// A Lock says which image each reference stood for when it was first used. A
// tag can be moved; a stack changes only when it is asked to (--pull).
type Lock struct {
	Images map[string]LockedImage `yaml:"images"` // by reference
}

// A LockedImage is an image, whatever its tags say.
type LockedImage struct {
	// Digest is the registry's, repo@sha256:...
	Digest string `yaml:"digest"`
	// ID is the engine's.
	ID string `yaml:"id"`
}

// maxLock is the largest lock that is read: one of 30 images has 6 kB.
const maxLock = 1 << 20

// ReadLock reads the lock in a prefix. One that is not there is empty.
func ReadLock(prefix string) (*Lock, error) {
	lock := &Lock{Images: map[string]LockedImage{}}
	name := filepath.Join(prefix, lockFile)
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return lock, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock of images: %w", err)
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, maxLock))
	if err != nil {
		return nil, fmt.Errorf("read the lock of images: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(lock); err != nil && !errors.Is(err, io.EOF) {
		return nil, &RefusedError{fmt.Sprintf("%s: %v (remove it to lock the images anew)", name, err)}
	}
	if lock.Images == nil {
		lock.Images = map[string]LockedImage{}
	}
	return lock, nil
}

// Write puts the lock into the prefix, if it is not there as it is.
func (l *Lock) Write(prefix string) error {
	had, err := ReadLock(prefix)
	if err == nil && maps.Equal(had.Images, l.Images) {
		return nil
	}
	var text bytes.Buffer
	text.WriteString("# Which image each reference stands for. xtci up --pull looks for newer ones.\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(l); err != nil {
		return fmt.Errorf("write the lock of images: %w", err)
	}
	if err := writeFile(File{Path: filepath.Join(prefix, lockFile), Content: text.Bytes(), Mode: 0o644, UID: -1, GID: -1}); err != nil {
		return fmt.Errorf("write the lock of images: %w", err)
	}
	return nil
}

// References are the locked references, sorted.
func (l *Lock) References() []string { return slices.Sorted(maps.Keys(l.Images)) }
