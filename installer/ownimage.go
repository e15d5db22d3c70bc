package installer

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/anuket-project/xtci/internal/docker"
)

// OwnImage is xtci's own image: the binary that runs, and nothing else but
// the authorities that this host trusts. It is made here and never pulled.
type OwnImage struct {
	binary string
	digest string // of everything in it
}

const (
	ownRepository = "xtci.local/xtci"
	labelOwn      = "io.xtci.own" // the digest of what is in it
	ownAuthority  = "/etc/ssl/certs/ca-certificates.crt"
)

// NewOwnImage describes the image of a binary, which must be static.
func NewOwnImage(binary string) (OwnImage, error) {
	if err := checkStatic(binary); err != nil {
		return OwnImage{}, err
	}
	sum := sha256.New()
	for _, name := range []string{binary, ownAuthority} {
		file, err := os.Open(name)
		if name == ownAuthority && err != nil {
			continue // a host that trusts nobody
		}
		if err != nil {
			return OwnImage{}, fmt.Errorf("make xtci's own image: %w", err)
		}
		_, err = io.Copy(sum, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return OwnImage{}, fmt.Errorf("make xtci's own image: %w", err)
		}
	}
	return OwnImage{binary: binary, digest: hex.EncodeToString(sum.Sum(nil))}, nil
}

// checkStatic refuses a binary that would look for libraries which its image
// does not have.
func checkStatic(binary string) error {
	file, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("make xtci's own image from %s: %w", binary, err)
	}
	defer file.Close()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			return fmt.Errorf("make xtci's own image from %s: it is not static: build it with CGO_ENABLED=0", binary)
		}
	}
	return nil
}

// Ref is the image's reference.
func (o OwnImage) Ref() string {
	const short = 12
	return ownRepository + ":" + o.digest[:short]
}

// find returns where the image is in the engine.
func (o OwnImage) find(ctx context.Context, engine Engine) (ImageState, error) {
	image, err := engine.Image(ctx, o.Ref())
	if errors.Is(err, docker.ErrNotFound) || err == nil && image.Labels[labelOwn] != o.digest {
		return ImageState{Ref: o.Ref()}, nil
	}
	if err != nil {
		return ImageState{}, err
	}
	return ImageState{Ref: o.Ref(), ID: image.ID}, nil
}

// make puts the image into the engine and returns its id.
func (o OwnImage) make(ctx context.Context, engine Engine) (string, error) {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(o.write(writer)) }() // ends when the engine stops reading
	id, err := engine.Import(ctx, reader, o.Ref(), []string{
		`ENTRYPOINT ["/xtci"]`, "LABEL " + labelOwn + "=" + o.digest,
	})
	reader.Close()
	if err != nil {
		return "", fmt.Errorf("make xtci's own image %s: %w", o.Ref(), err)
	}
	return id, nil
}

// write writes the root folder of the image.
func (o OwnImage) write(w io.Writer) error {
	out := tar.NewWriter(w)
	for _, folder := range []string{"etc/", "etc/ssl/", "etc/ssl/certs/", "data/"} {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755}); err != nil {
			return err
		}
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return err
	}
	if err := addFile(out, "xtci", o.binary, 0o755); err != nil {
		return err
	}
	if err := addFile(out, ownAuthority[1:], ownAuthority, 0o644); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return out.Close()
}

func addFile(out *tar.Writer, name, source string, mode int64) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}
