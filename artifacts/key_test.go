package artifacts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestKeyIsMadeOnFirstUse(t *testing.T) {
	t.Parallel()
	prefix := filepath.Join(t.TempDir(), "prefix")
	dir := filepath.Join(prefix, "keys")
	key, err := OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{
		prefix: 0o755, dir: 0o700, filepath.Join(dir, privateKeyFile): 0o600, filepath.Join(dir, publicKeyFile): 0o644,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", name, got, want)
		}
	}
	if files := stored(t, dir); len(files) != 2 {
		t.Errorf("the folder holds %d files, want 2", len(files))
	}
	again, err := OpenKey(dir)
	if err != nil || !again.Equal(key.PublicKey) {
		t.Errorf("the second use gives another key: %v", err)
	}
	public, err := ReadPublicKey(key.PublicFile)
	if err != nil || !public.Equal(key.PublicKey) {
		t.Errorf("the public file holds another key: %v", err)
	}
	signature, err := key.Sign(t.Context(), []byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	if err := public.Verify(t.Context(), []byte("data"), signature); err != nil {
		t.Error(err)
	}
	if err := public.Verify(t.Context(), []byte("date"), signature); err == nil {
		t.Error("other data verifies")
	}
}

func TestPublicFileIsMadeAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "keys")
	key, err := OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []func() error{
		func() error { return os.Remove(key.PublicFile) },
		func() error { return os.WriteFile(key.PublicFile, []byte(benchKey(t).PEM()), 0o600) },
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenKey(dir); err != nil {
			t.Fatal(err)
		}
		if public, err := ReadPublicKey(key.PublicFile); err != nil || !public.Equal(key.PublicKey) {
			t.Errorf("the public file holds another key: %v", err)
		}
	}
}

func TestFirstUsesAtOnceGiveOneKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "prefix", "keys")
	fingerprints := make([]string, 16)
	var group sync.WaitGroup
	for i := range fingerprints {
		group.Go(func() {
			key, err := OpenKey(dir)
			if err != nil {
				t.Error(err)
				return
			}
			fingerprints[i] = key.Fingerprint()
		})
	}
	group.Wait()
	for _, fingerprint := range fingerprints {
		if fingerprint != fingerprints[0] {
			t.Fatalf("different keys: %v", fingerprints)
		}
	}
	if files := stored(t, dir); len(files) != 2 {
		t.Errorf("the folder holds %d files, want 2", len(files))
	}
}

// The fingerprint is what anybody gets with
// openssl pkey -pubin -in signing.pub -outform DER | openssl dgst -sha256 -binary | base64
// The DER of an Ed25519 key is a fixed header and the key (RFC 8410, 4 and 10.1).
func TestFingerprint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, pem, openssl string }{
		{
			"the example of RFC 8410, 10.1",
			"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
			"oekVYFTgT6yJmunydRMs3Ael28TqLCrTof/G4NJTaB8=",
		},
		{"a new one", benchKey(t).PEM(), ""},
	} {
		file := filepath.Join(t.TempDir(), "lab.pub")
		if err := os.WriteFile(file, []byte(test.pem), 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := ReadPublicKey(file)
		if err != nil {
			t.Fatal(err)
		}
		header := []byte{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}
		sum := sha256.Sum256(append(header, key.Public().(ed25519.PublicKey)...))
		want := "SHA256:" + strings.TrimRight(base64.StdEncoding.EncodeToString(sum[:]), "=")
		if got := key.Fingerprint(); got != want {
			t.Errorf("%s: %s, want %s", test.name, got, want)
		}
		if test.openssl != "" && want != "SHA256:"+strings.TrimRight(test.openssl, "=") {
			t.Errorf("%s: %s, openssl has %s", test.name, want, test.openssl)
		}
		if key.PEM() != test.pem {
			t.Errorf("%s: PEM\n%s, want\n%s", test.name, key.PEM(), test.pem)
		}
	}
}

// encoded are PEM blocks of keys: an Ed25519 one and an ECDSA one, private
// and public.
func encoded(t *testing.T) (private, public, otherPrivate, otherPublic string) {
	t.Helper()
	block := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pair := func(private any, public any) (string, string) {
		privateDER, err := x509.MarshalPKCS8PrivateKey(private)
		privatePEM := block("PRIVATE KEY", privateDER, err)
		publicDER, err := x509.MarshalPKIXPublicKey(public)
		return privatePEM, block("PUBLIC KEY", publicDER, err)
	}
	publicKey, privateKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, public = pair(privateKey, publicKey)
	otherPrivate, otherPublic = pair(ec, ec.Public())
	return private, public, otherPrivate, otherPublic
}

func TestWrongKeysAreRefused(t *testing.T) {
	t.Parallel()
	private, public, otherPrivate, otherPublic := encoded(t)
	damaged := strings.Replace(private, "\nM", "\nN", 1)
	const noPEM = "not a key: want one PEM block"
	for _, test := range []struct {
		name, content string
		mode          os.FileMode
		private       string // what is said when the file is the lab's key
		public        string // what is said when it is a reviewer's copy
	}{
		{name: "a private key", content: private, mode: 0o600, public: `want one PEM block "PUBLIC KEY", it holds "PRIVATE KEY"`},
		{name: "a private key that others may read", content: private, mode: 0o644, private: "mode 0644): run chmod 600", public: "it holds"},
		{name: "a private key that a group may write", content: private, mode: 0o620, private: "mode 0620): run chmod 600", public: "it holds"},
		{name: "a public key", content: public, mode: 0o600, private: `want one PEM block "PRIVATE KEY", it holds "PUBLIC KEY"`},
		{name: "another kind of private key", content: otherPrivate, mode: 0o600, private: "it is a *ecdsa.PrivateKey, want an Ed25519 key", public: "it holds"},
		{name: "another kind of public key", content: otherPublic, mode: 0o600, private: "it holds", public: "it is a *ecdsa.PublicKey, want an Ed25519 key"},
		{name: "garbage", content: "hello\n", mode: 0o600, private: noPEM, public: noPEM},
		{name: "nothing", mode: 0o600, private: noPEM, public: noPEM},
		{name: "a damaged key", content: damaged, mode: 0o600, private: "signing key", public: "it holds"},
		{name: "a key cut off", content: private[:60], mode: 0o600, private: noPEM, public: noPEM},
		{name: "two public keys", content: public + public, mode: 0o600, private: "it holds", public: "something follows it"},
		{name: "two private keys", content: private + private, mode: 0o600, private: "something follows it", public: "it holds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, privateKeyFile)
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, test.mode); err != nil { // whatever the umask
				t.Fatal(err)
			}
			_, err := OpenKey(dir)
			refusedWith(t, "the lab's key", err, test.private, file)
			_, err = ReadPublicKey(file)
			refusedWith(t, "a reviewer's key", err, test.public, file)
			if files := stored(t, dir); files[privateKeyFile] != test.content {
				t.Error("the file was changed")
			}
		})
	}
}

func refusedWith(t *testing.T, what string, err error, want, file string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file)):
		t.Errorf("%s: got %v, want an error that names %s and says %q", what, err, file, want)
	}
}

func TestAKeyThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKey(filepath.Join(file, "keys")); err == nil {
		t.Error("made a key below a file")
	}
	if _, err := ReadPublicKey(filepath.Join(file, "lab.pub")); err == nil {
		t.Error("read a key below a file")
	}
}
