package docker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// minAPI is the oldest API that is spoken: that of Docker Engine 20.10.
const minAPI = "1.41"

// answerTime is how long an engine may take to answer the first question.
const answerTime = 10 * time.Second

const defaultHost = "unix:///var/run/docker.sock"

// Options say which engine to use.
type Options struct {
	// Host is its address, such as unix:///var/run/docker.sock or
	// tcp://192.0.2.7:2376. If it is empty, it is found as the docker command
	// finds it: DOCKER_HOST, then the context that DOCKER_CONTEXT or Docker's
	// configuration names, then unix:///var/run/docker.sock.
	Host string
	// Environ is used instead of the process's own environment, if not nil.
	Environ []string
}

// An Engine is a connection to a Docker Engine. It may be used by several
// goroutines at once.
type Engine struct {
	api     *client.Client
	host    string
	version string // the engine's API version
	config  *configFile
}

// Connect finds an engine and asks it for its version. An error wraps
// ErrUnavailable or ErrPermission, and says what to do. An engine older than
// 20.10 is an error.
func Connect(ctx context.Context, opts Options) (*Engine, error) {
	env := newEnvironment(opts.Environ)
	config, err := readConfig(env)
	if err != nil {
		return nil, err
	}
	at, err := findEndpoint(opts.Host, env, config)
	if err != nil {
		return nil, err
	}
	api, err := at.client(env.get(client.EnvOverrideAPIVersion))
	if err != nil {
		return nil, fmt.Errorf("connect to Docker Engine at %s: %w", at, err)
	}
	e := &Engine{api: api, host: at.host, config: config}
	if err := e.handshake(ctx, at, answerTime); err != nil {
		_ = api.Close()
		return nil, err
	}
	return e, nil
}

// handshake asks which API the engine speaks.
func (e *Engine) handshake(ctx context.Context, at endpoint, within time.Duration) error {
	pinging, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	ping, err := e.api.Ping(pinging)
	if err != nil {
		if pinging.Err() != nil && ctx.Err() == nil {
			err = &failure{kinds: []error{ErrUnavailable}, message: fmt.Sprintf("%v: nothing came back within %s", ErrUnavailable, within), cause: err}
		}
		return at.explain(ctx, classify(err))
	}
	e.version = ping.APIVersion
	e.api.NegotiateAPIVersionPing(ping)
	switch {
	case e.version == "" || versions.LessThan(e.version, minAPI):
		return fmt.Errorf("connect to Docker Engine at %s: it speaks API %s, which is too old: %s is needed, that of Docker Engine 20.10; update Docker",
			at, orUnknown(e.version), minAPI)
	case versions.LessThan(e.api.ClientVersion(), minAPI):
		return fmt.Errorf("DOCKER_API_VERSION is %s, which is too old: %s is needed; unset it", e.api.ClientVersion(), minAPI)
	}
	return nil
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// Close gives up idle connections to the engine.
func (e *Engine) Close() error { return e.api.Close() }

// Host is the engine's address.
func (e *Engine) Host() string { return e.host }

// SocketPath is the path of the unix socket on which the engine is spoken to,
// "" if it is not one.
func (e *Engine) SocketPath() string {
	path, ok := strings.CutPrefix(e.host, "unix://")
	if !ok {
		return ""
	}
	return path
}

// Info asks the engine about itself.
func (e *Engine) Info(ctx context.Context) (Info, error) {
	said, err := e.api.Info(ctx)
	if err != nil {
		// the library, v28, takes the type from the error of an answer that is cut off
		if strings.HasPrefix(err.Error(), "Error reading remote info") && ctx.Err() == nil {
			err = &failure{kinds: []error{ErrUnavailable}, message: err.Error(), cause: err}
		}
		return Info{}, wrap(err, "ask Docker Engine at %s about itself", e.host)
	}
	// an engine that cannot say its time is not worth an error
	clock, _ := time.Parse(time.RFC3339Nano, said.SystemTime)
	return Info{
		Version: said.ServerVersion, APIVersion: e.version,
		OS: said.OSType, Arch: goArch(said.Architecture), OSName: said.OperatingSystem,
		Kernel: said.KernelVersion, StorageDriver: said.Driver, RootDir: said.DockerRootDir,
		CPUs: said.NCPU, Memory: said.MemTotal,
		HTTPProxy: said.HTTPProxy, HTTPSProxy: said.HTTPSProxy, NoProxy: said.NoProxy,
		Time: clock,
	}, nil
}

// goArch is Go's and OCI's name of an architecture; the engine tells the
// kernel's.
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// An endpoint is where an engine is, and how to get in.
type endpoint struct {
	host   string
	source string // where the host was found, such as DOCKER_HOST
	// certs is a folder with ca.pem, cert.pem and key.pem; "" for no TLS.
	certs string
	// trust takes any certificate of the engine's.
	trust bool
}

func (at endpoint) String() string {
	if at.source == "" {
		return at.host
	}
	return at.host + " (" + at.source + ")"
}

// findEndpoint follows the precedence of the docker command.
func findEndpoint(host string, env environment, config *configFile) (endpoint, error) {
	at := endpoint{host: host}
	if at.host == "" {
		if at.host = env.get(client.EnvOverrideHost); at.host != "" {
			at.source = client.EnvOverrideHost
		}
	}
	if at.host == "" {
		name, source := env.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
		if name == "" {
			name, source = config.CurrentContext, config.path
		}
		if name != "" && name != "default" {
			return config.context(name, source)
		}
		at.host = defaultHost
	}
	verify := env.get(client.EnvTLSVerify) != ""
	switch at.certs = env.get(client.EnvOverrideCertPath); {
	case at.certs != "":
		at.trust = !verify
	case verify:
		at.certs = config.folder
	}
	return at, nil
}

// client makes the library's client. An API version, if not empty, is used
// without asking the engine.
func (at endpoint) client(apiVersion string) (*client.Client, error) {
	if strings.HasPrefix(at.host, "ssh://") {
		return nil, errors.New("ssh is not spoken: forward the socket with " +
			"ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock HOST, and set DOCKER_HOST=unix:///tmp/docker.sock")
	}
	var opts []client.Opt
	if at.certs != "" && !strings.HasPrefix(at.host, "unix://") {
		config, err := at.tls()
		if err != nil {
			return nil, err
		}
		opts = append(opts, client.WithHTTPClient(&http.Client{
			Transport:     &http.Transport{TLSClientConfig: config, MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: client.CheckRedirect,
		}))
	}
	opts = append(opts, client.WithHost(at.host), client.WithAPIVersionNegotiation())
	if apiVersion != "" {
		opts = append(opts, client.WithVersion(apiVersion))
	}
	return client.NewClientWithOpts(opts...)
}

// tls reads the certificates. Each may be absent, as for the docker command.
func (at endpoint) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: at.trust} //nolint:gosec // as DOCKER_TLS_VERIFY or the context has it
	ca, err := os.ReadFile(filepath.Join(at.certs, "ca.pem"))
	switch {
	case err == nil:
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s holds no certificate", filepath.Join(at.certs, "ca.pem"))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(at.certs, "cert.pem"), filepath.Join(at.certs, "key.pem"))
	switch {
	case err == nil:
		config.Certificates = []tls.Certificate{pair}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the client's certificate in %s: %w", at.certs, err)
	}
	return config, nil
}

// explain adds what to do to the error of an engine that could not be spoken
// to.
func (at endpoint) explain(ctx context.Context, err error) error {
	what := "connect to Docker Engine at " + at.String()
	path, local := strings.CutPrefix(at.host, "unix://")
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, ErrPermission) && local:
		return fmt.Errorf("%s: %w: add yourself to the group that owns %s (sudo usermod -aG docker $USER, then log in again), or run this as root",
			what, err, path)
	case errors.Is(err, ErrPermission):
		return fmt.Errorf("%s: %w", what, err)
	case errors.Is(err, ErrUnavailable) && local:
		why := "nobody listens there"
		if _, statErr := os.Stat(path); errors.Is(statErr, fs.ErrNotExist) {
			why = "there is no such socket"
		}
		return fmt.Errorf("%s: %w: %s: start Docker (sudo systemctl start docker) or install it, or set DOCKER_HOST to where it is", what, err, why)
	case errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%s: %w: see that it runs and may be reached, or set DOCKER_HOST to where it is", what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
