package config

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// passwords are the secrets of the stack, by key: where the site keeps each.
func (s *Site) passwords() map[string]*Secret {
	return map[string]*Secret{
		"stack.jenkins.password":      &s.Stack.Jenkins.Password,
		"stack.minio.secret_key":      &s.Stack.Minio.SecretKey,
		"stack.minio.jobs_secret_key": &s.Stack.Minio.JobsSecretKey,
	}
}

// DefaultPasswords names the keys whose passwords everybody knows, because
// they are the default ones.
func (s Site) DefaultPasswords() []string {
	var keys []string
	fallback := Default()
	known := fallback.passwords()
	for key, secret := range s.passwords() {
		if *secret == *known[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// GeneratePasswords gives every password that is a default one a strong one,
// and keeps those in the file Secrets, which only its owner can read. It
// returns the keys that it did.
func (s *Site) GeneratePasswords() ([]string, error) {
	keys := s.DefaultPasswords()
	if len(keys) == 0 {
		return nil, nil
	}
	kept, err := loadSecrets(s.Secrets())
	if err != nil {
		return nil, err
	}
	if kept == nil {
		kept = map[string]string{}
	}
	for _, key := range keys {
		kept[key] = rand.Text()
	}
	text, err := yaml.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("write the passwords: %w", err)
	}
	if err := writePrivate(s.Secrets(), text); err != nil {
		return nil, fmt.Errorf("write the passwords: %w", err)
	}
	return keys, s.readSecrets()
}

// readSecrets gives passwords that are default ones those that were
// generated.
func (s *Site) readSecrets() error {
	kept, err := loadSecrets(s.Secrets())
	if err != nil {
		return err
	}
	passwords := s.passwords()
	for key := range kept {
		if passwords[key] == nil {
			return fmt.Errorf("%s: unknown key %q", s.Secrets(), key)
		}
	}
	for _, key := range s.DefaultPasswords() {
		if text := kept[key]; text != "" {
			*passwords[key] = Secret(text)
		}
	}
	return nil
}

// loadSecrets reads generated passwords. That none were is no error.
func loadSecrets(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil //nolint:nilnil // nothing was generated
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("read the generated passwords: %w (run xtci as the user who generated them)", err)
	}
	if err != nil {
		return nil, fmt.Errorf("read the generated passwords: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSite))
	if err != nil {
		return nil, fmt.Errorf("read the generated passwords: %w", err)
	}
	var kept map[string]string
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&kept); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return kept, nil
}

// writePrivate replaces a file whole, with mode 0600.
func writePrivate(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".secrets-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails when it was renamed
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), name)
}
