package docker

import (
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
)

// maxConfig is the size to which Docker's configuration is read.
const maxConfig = 4 << 20

// environment is a process's environment; the last of several values counts.
type environment []string

func newEnvironment(environ []string) environment {
	if environ == nil {
		return os.Environ()
	}
	return environ
}

func (env environment) get(name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(env[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// configFile is what concerns us of the docker command's configuration
// (docs.docker.com/reference/cli/docker, "Configuration files").
type configFile struct {
	folder string
	path   string
	env    environment

	CurrentContext string              `json:"currentContext"`
	Auths          map[string]authFile `json:"auths"`
	CredsStore     string              `json:"credsStore"`
	CredHelpers    map[string]string   `json:"credHelpers"`
}

// readConfig reads config.json in the folder DOCKER_CONFIG, or ~/.docker. A
// file that is not there is an empty one.
func readConfig(env environment) (*configFile, error) {
	config := &configFile{folder: env.get("DOCKER_CONFIG"), env: env}
	if config.folder == "" {
		home := env.get("HOME")
		if home == "" {
			return config, nil
		}
		config.folder = filepath.Join(home, ".docker")
	}
	config.path = filepath.Join(config.folder, "config.json")
	err := readJSON(config.path, config)
	// somebody else's configuration, as under sudo, is as good as none
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("read Docker's configuration: %w", err)
	}
	return config, nil
}

// readJSON decodes a file. The error does not quote what is in it, which may
// be a password.
func readJSON(path string, into any) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return err
	}
	if len(data) > maxConfig {
		return fmt.Errorf("%s: more than %d bytes", path, maxConfig)
	}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return fmt.Errorf("%s is not JSON: at byte %d of %d", path, syntax.Offset, len(data))
		}
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return fmt.Errorf("%s: %s is a %s, where a %s is expected", path, kind.Field, kind.Value, kind.Type)
		}
		return fmt.Errorf("%s cannot be decoded", path)
	}
	return nil
}

// context reads the endpoint of one of Docker's contexts. They lie in folders
// named by the SHA-256 of their name (github.com/docker/cli, package
// cli/context/store).
func (c *configFile) context(name, source string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	path := filepath.Join(c.folder, "contexts", "meta", id, "meta.json")
	if err := readJSON(path, &meta); err != nil {
		return endpoint{}, fmt.Errorf("read Docker's context %q, which %s names: %w: choose another with docker context use, or set DOCKER_HOST", name, source, err)
	}
	found := meta.Endpoints["docker"]
	if found.Host == "" {
		return endpoint{}, fmt.Errorf("the context %q of Docker, which %s names, has no engine (%s): choose another with docker context use, or set DOCKER_HOST",
			name, source, path)
	}
	at := endpoint{host: found.Host, source: "Docker's context " + name, trust: found.SkipTLSVerify}
	certs := filepath.Join(c.folder, "contexts", "tls", id, "docker")
	if _, err := os.Stat(certs); err == nil {
		at.certs = certs
	}
	return at, nil
}
