package artifacts

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files of a lab's signing key in its folder.
const (
	privateKeyFile = "signing.pem" // PKCS #8, 0600
	publicKeyFile  = "signing.pub" // PKIX, for reviewers
)

// maxKeyFile is the largest key file that is read.
const maxKeyFile = 64 << 10

// A Key is the Ed25519 key with which a lab signs its archives.
type Key struct {
	PublicKey
	private ed25519.PrivateKey
	// PublicFile is where the public half is kept, for reviewers.
	PublicFile string
}

// A PublicKey is what a reviewer knows of a lab's key.
type PublicKey struct {
	key ed25519.PublicKey
}

// OpenKey returns the key in the folder dir, and makes one on first use. The
// private half is readable by its owner alone.
func OpenKey(dir string) (*Key, error) {
	file := filepath.Join(dir, privateKeyFile)
	key, err := readKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(dir, file); err != nil {
			return nil, fmt.Errorf("make a signing key: %w (choose another folder with --set stack.prefix=FOLDER)", err)
		}
		key, err = readKey(file)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("signing key: %w (choose another folder with --set stack.prefix=FOLDER)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", file, err)
	}
	key.PublicFile = filepath.Join(dir, publicKeyFile)
	if err := writePublicKey(key); err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	return key, nil
}

// makeKey makes a key. Of several processes that try, one wins.
func makeKey(dir, file string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { // shared with the store
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(dir, ".key-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	err = pem.Encode(temporary, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func readKey(file string) (*Key, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read it (mode %04o): run chmod 600 on it, or make a new one if it may have been seen", info.Mode().Perm())
	}
	der, err := readPEM(f, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T, want an Ed25519 key", parsed)
	}
	return &Key{PublicKey: PublicKey{private.Public().(ed25519.PublicKey)}, private: private}, nil
}

// writePublicKey keeps the public half beside the private one.
func writePublicKey(key *Key) error {
	want := key.PEM()
	if have, err := os.ReadFile(key.PublicFile); err == nil && string(have) == want {
		return nil
	}
	return os.WriteFile(key.PublicFile, []byte(want), 0o644)
}

// ReadPublicKey reads a reviewer's copy of a lab's public key.
func ReadPublicKey(file string) (PublicKey, error) {
	f, err := openRegular(file)
	if err != nil {
		return PublicKey{}, err
	}
	defer f.Close()
	der, err := readPEM(f, "PUBLIC KEY")
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key %s: %w", file, err)
	}
	key, err := parsePublicKey(der)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key %s: %w", file, err)
	}
	return key, nil
}

func parsePublicKey(der []byte) (PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return PublicKey{}, err
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return PublicKey{}, fmt.Errorf("it is a %T, want an Ed25519 key", parsed)
	}
	return PublicKey{key}, nil
}

func readPEM(r io.Reader, kind string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeyFile))
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, fmt.Errorf("not a key: want one PEM block %q", kind)
	case block.Type != kind:
		return nil, fmt.Errorf("want one PEM block %q, it holds %q", kind, block.Type)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, fmt.Errorf("want one PEM block %q, something follows it", kind)
	}
	return block.Bytes, nil
}

// der is the key as PKIX has it.
func (k PublicKey) der() []byte {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil // an Ed25519 key always marshals
	}
	return der
}

// PEM is the key as a file for reviewers holds it.
func (k PublicKey) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.der()}))
}

// Fingerprint names the key, as SSH does: SHA256 and the digest in base64.
func (k PublicKey) Fingerprint() string {
	sum := sha256.Sum256(k.der())
	return "SHA256:" + strings.TrimRight(base64.StdEncoding.EncodeToString(sum[:]), "=")
}

// KeyID implements the signer and verifier of package dsse.
func (k PublicKey) KeyID() (string, error) { return k.Fingerprint(), nil }

// Sign implements dsse.Signer.
func (k *Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(k.private, data), nil
}

// Verify implements dsse.Verifier.
func (k PublicKey) Verify(_ context.Context, data, signature []byte) error {
	if !ed25519.Verify(k.key, data, signature) {
		return errors.New("the signature does not fit the key " + k.Fingerprint())
	}
	return nil
}

// Public implements dsse.Verifier.
func (k PublicKey) Public() crypto.PublicKey { return k.key }

// Equal says whether both are the same key.
func (k PublicKey) Equal(other PublicKey) bool { return k.key.Equal(other.key) }
