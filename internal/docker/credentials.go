package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/registry"
)

const (
	// hub is the name under which Docker keeps the credentials of Docker Hub.
	hub = "https://index.docker.io/v1/"
	// helperTime is how long a credential helper may take: it may have to ask
	// a server.
	helperTime = 30 * time.Second
	// maxHelper is how much of a helper's answer is read.
	maxHelper = 1 << 20
)

// authFile is one entry of auths in Docker's configuration.
type authFile struct {
	Auth          string `json:"auth"` // base64 of user:password
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// registryAuth is what the engine wants to know to get into the registry of an
// image: a header, empty if nothing is known. A helper that fails leaves the
// header empty, since most images need none, and why says what was wrong, for
// the case that the registry refuses.
func (c *configFile) registryAuth(ctx context.Context, image reference.Named) (header string, why error) {
	server := reference.Domain(image)
	if server == "docker.io" {
		server = hub
	}
	auth, err := c.credentials(ctx, server)
	if err != nil {
		return "", fmt.Errorf("credentials of %s: %w", server, err)
	}
	if auth == (registry.AuthConfig{}) {
		return "", nil
	}
	auth.ServerAddress = server
	encoded, err := registry.EncodeAuthConfig(auth)
	if err != nil {
		return "", fmt.Errorf("credentials of %s cannot be encoded", server)
	}
	return encoded, nil
}

// credentials of a registry, empty if there are none.
func (c *configFile) credentials(ctx context.Context, server string) (registry.AuthConfig, error) {
	helper := c.CredsStore
	if own, ok := c.CredHelpers[server]; ok {
		helper = own
	}
	if helper != "" {
		return c.askHelper(ctx, helper, server)
	}
	entry, ok := c.Auths[server]
	if !ok {
		// entries may be addresses: https://registry.example.org/v1/
		for key, candidate := range c.Auths {
			if hostOf(key) == hostOf(server) {
				entry, ok = candidate, true
				break
			}
		}
	}
	if !ok {
		return registry.AuthConfig{}, nil
	}
	auth := registry.AuthConfig{
		Username: entry.Username, Password: entry.Password,
		IdentityToken: entry.IdentityToken, RegistryToken: entry.RegistryToken,
	}
	if entry.Auth != "" {
		decoded, err := base64.StdEncoding.DecodeString(entry.Auth)
		user, password, found := strings.Cut(string(decoded), ":")
		if err != nil || !found {
			return registry.AuthConfig{}, fmt.Errorf("%s: the field auth of this registry is not base64 of USER:PASSWORD; log in again with docker login", c.path)
		}
		// some writers of the file end the password with a NUL
		auth.Username, auth.Password = user, strings.Trim(password, "\x00")
	}
	return auth, nil
}

// hostOf is the host of an address that may have a scheme and a path.
func hostOf(address string) string {
	if _, rest, found := strings.Cut(address, "://"); found {
		address = rest
	}
	host, _, _ := strings.Cut(address, "/")
	return host
}

// askHelper runs docker-credential-NAME get, which reads the name of the
// server, and answers in JSON
// (github.com/docker/docker-credential-helpers, "Development").
func (c *configFile) askHelper(ctx context.Context, name, server string) (registry.AuthConfig, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helperTime, fmt.Errorf("no answer within %s", helperTime))
	defer cancel()
	program, err := c.lookup("docker-credential-" + name)
	if err != nil {
		return registry.AuthConfig{}, err
	}
	var out limitedBuffer
	command := exec.CommandContext(ctx, program, "get")
	command.Stdin = strings.NewReader(server)
	command.Stdout = &out
	command.Env = c.env
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		said := strings.TrimSpace(out.held.String())
		switch {
		case strings.Contains(said, "credentials not found"): // a fixed sentence of the protocol
			return registry.AuthConfig{}, nil
		case ctx.Err() != nil:
			return registry.AuthConfig{}, fmt.Errorf("%s: %w", program, context.Cause(ctx))
		case len(said) > 200 || strings.HasPrefix(said, "{"):
			said = "" // perhaps a secret
		}
		return registry.AuthConfig{}, fmt.Errorf("%s: %w %s", program, err, said)
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out.held.Bytes(), &answer); err != nil {
		return registry.AuthConfig{}, fmt.Errorf("%s did not answer in JSON", program)
	}
	if answer.Username == "<token>" {
		return registry.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return registry.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}

// lookup finds a program on the environment's PATH.
func (c *configFile) lookup(program string) (string, error) {
	for _, folder := range filepath.SplitList(c.env.get("PATH")) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(folder, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s, which %s names, is not on the PATH", program, c.path)
}

// limitedBuffer refuses to grow beyond maxHelper. The buffer is not embedded:
// its ReadFrom would go around that.
type limitedBuffer struct{ held bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.held.Len()+len(p) > maxHelper {
		return 0, errors.New("answer is too long")
	}
	return b.held.Write(p)
}
