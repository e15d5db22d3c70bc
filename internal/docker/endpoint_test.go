package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// context writes a context of Docker's into a folder of configuration.
func writeContext(t *testing.T, folder, name, meta string) (id string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	id = hex.EncodeToString(sum[:])
	writeFile(t, filepath.Join(folder, "contexts", "meta", id, "meta.json"), meta)
	return id
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointIsFoundAsTheDockerCommandFindsIt(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "config.json"), `{"currentContext": "lab"}`)
	writeContext(t, folder, "lab", `{"Name":"lab","Endpoints":{"docker":{"Host":"tcp://192.0.2.7:2376","SkipTLSVerify":true}}}`)
	remote := writeContext(t, folder, "remote", `{"Name":"remote","Endpoints":{"docker":{"Host":"tcp://192.0.2.8:2376"}}}`)
	writeContext(t, folder, "empty", `{"Name":"empty","Endpoints":{}}`)
	writeContext(t, folder, "broken", `{"Name":`)
	certs := filepath.Join(folder, "contexts", "tls", remote, "docker")
	writeFile(t, filepath.Join(certs, "ca.pem"), "")
	none := t.TempDir()

	for _, test := range []struct {
		name    string
		host    string
		environ []string
		want    endpoint
		wantErr string
	}{
		{name: "nothing is said", environ: []string{"HOME=" + none}, want: endpoint{host: defaultHost}},
		{name: "no home either", environ: []string{}, want: endpoint{host: defaultHost}},
		{name: "options come first", host: "unix:///a", environ: []string{"DOCKER_HOST=unix:///b", "DOCKER_CONFIG=" + folder}, want: endpoint{host: "unix:///a"}},
		{
			name: "the environment before a context", environ: []string{"DOCKER_HOST=unix:///b", "DOCKER_CONFIG=" + folder, "DOCKER_CONTEXT=remote"},
			want: endpoint{host: "unix:///b", source: "DOCKER_HOST"},
		},
		{
			name: "the current context", environ: []string{"DOCKER_CONFIG=" + folder},
			want: endpoint{host: "tcp://192.0.2.7:2376", source: "Docker's context lab", trust: true},
		},
		{
			name: "a context of the environment, with certificates", environ: []string{"DOCKER_CONFIG=" + folder, "DOCKER_CONTEXT=remote"},
			want: endpoint{host: "tcp://192.0.2.8:2376", source: "Docker's context remote", certs: certs},
		},
		{name: "the default context", environ: []string{"DOCKER_CONFIG=" + folder, "DOCKER_CONTEXT=default"}, want: endpoint{host: defaultHost}},
		{
			name: "the last of equal variables", environ: []string{"DOCKER_HOST=unix:///b", "DOCKER_HOST=unix:///c"},
			want: endpoint{host: "unix:///c", source: "DOCKER_HOST"},
		},
		{
			name: "certificates, unverified", environ: []string{"DOCKER_HOST=tcp://192.0.2.9:2376", "DOCKER_CERT_PATH=/certs"},
			want: endpoint{host: "tcp://192.0.2.9:2376", source: "DOCKER_HOST", certs: "/certs", trust: true},
		},
		{
			name: "certificates at their usual place", environ: []string{"DOCKER_HOST=tcp://192.0.2.9:2376", "DOCKER_TLS_VERIFY=1", "DOCKER_CONFIG=" + none},
			want: endpoint{host: "tcp://192.0.2.9:2376", source: "DOCKER_HOST", certs: none},
		},
		{
			name: "a context that is not there", environ: []string{"DOCKER_CONFIG=" + folder, "DOCKER_CONTEXT=gone"},
			wantErr: `read Docker's context "gone", which DOCKER_CONTEXT names:`,
		},
		{name: "a context without an engine", environ: []string{"DOCKER_CONFIG=" + folder, "DOCKER_CONTEXT=empty"}, wantErr: "has no engine"},
		{name: "a context that is cut off", environ: []string{"DOCKER_CONFIG=" + folder, "DOCKER_CONTEXT=broken"}, wantErr: "is not JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env := newEnvironment(test.environ)
			config, err := readConfig(env)
			if err != nil {
				t.Fatal(err)
			}
			got, err := findEndpoint(test.host, env, config)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Fatalf("error is %v, want %q in it", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(endpoint{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// standIn is a stand-in for an engine: it listens on a socket, and answers as
// the handler does.
func standIn(t *testing.T, handler http.HandlerFunc) (host string) {
	t.Helper()
	path := socketPath(t)
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return "unix://" + path
}

// socketPath is short: a unix socket's may have 107 bytes.
func socketPath(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return filepath.Join(folder, "s")
}

func speaks(version string, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if version != "" {
			w.Header().Set("Api-Version", version)
		}
		if !strings.HasSuffix(r.URL.Path, "/_ping") {
			then(w, r)
		}
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	dead := socketPath(t)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false) // as an engine that was killed leaves it
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	writeFile(t, filepath.Join(broken, "config.json"), `{"auths": {"a": {"auth": "c2VjcmV0"}}`)

	for _, test := range []struct {
		name    string
		host    string
		environ []string
		is      error
		want    []string
	}{
		{
			name: "a socket that is not there", host: "unix:///nonexistent/docker.sock", is: ErrUnavailable,
			want: []string{"connect to Docker Engine at unix:///nonexistent/docker.sock", "there is no such socket", "systemctl start docker", "DOCKER_HOST"},
		},
		{
			name: "the same, from the environment", environ: []string{"DOCKER_HOST=unix:///nonexistent/docker.sock"}, is: ErrUnavailable,
			want: []string{"unix:///nonexistent/docker.sock (DOCKER_HOST)"},
		},
		{name: "a socket on which nobody listens", host: "unix://" + dead, is: ErrUnavailable, want: []string{"nobody listens there", "systemctl start docker"}},
		{name: "a port on which nobody listens", host: "tcp://127.0.0.1:1", is: ErrUnavailable, want: []string{"tcp://127.0.0.1:1", "see that it runs"}},
		{name: "an engine that is too old", host: standIn(t, speaks("1.40", nil)), want: []string{"speaks API 1.40", "1.41 is needed", "20.10"}},
		{name: "an engine older still", host: standIn(t, speaks("", nil)), want: []string{"speaks API unknown"}},
		{
			name: "an API version that is too old", host: standIn(t, speaks("1.41", nil)), environ: []string{"DOCKER_API_VERSION=1.30"},
			want: []string{"DOCKER_API_VERSION is 1.30", "unset it"},
		},
		{name: "not an address", host: "docker.example.org", want: []string{"docker.example.org", "unable to parse"}},
		{name: "ssh", host: "ssh://lab@192.0.2.7", want: []string{"ssh is not spoken", "ssh -nNT -L", "DOCKER_HOST=unix://"}},
		{name: "a configuration that is cut off", environ: []string{"DOCKER_CONFIG=" + broken}, want: []string{filepath.Join(broken, "config.json"), "is not JSON"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.environ == nil {
				test.environ = []string{}
			}
			_, err := Connect(t.Context(), Options{Host: test.host, Environ: test.environ})
			if err == nil {
				t.Fatal("no error")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("error %q tells a secret", err)
			}
		})
	}
}

func TestEngineThatHangs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	host := standIn(t, func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	at := endpoint{host: host}
	api, err := at.client("")
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{api: api, host: host}
	err = e.handshake(t.Context(), at, 30*time.Millisecond)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "nothing came back within 30ms") {
		t.Errorf("error is %v, want that it is unavailable", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err = Connect(ctx, Options{Host: host, Environ: []string{}})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v, want that the caller's time is over", err)
	}
}

func TestConnectByTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(speaks("1.44", nil))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail, as they should
	server.StartTLS()
	t.Cleanup(server.Close)
	host := "DOCKER_HOST=tcp://" + strings.TrimPrefix(server.URL, "https://")
	certs, foreign := t.TempDir(), t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	writeFile(t, filepath.Join(certs, "ca.pem"), string(ca))
	garbage := t.TempDir()
	writeFile(t, filepath.Join(garbage, "ca.pem"), "no certificate")

	for _, test := range []struct {
		name    string
		environ []string
		wantErr string
	}{
		{name: "verified", environ: []string{host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + certs}},
		{name: "not verified", environ: []string{host, "DOCKER_CERT_PATH=" + foreign}},
		{name: "signed by a stranger", environ: []string{host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + foreign}, wantErr: "certificate"},
		{name: "no certificate in the file", environ: []string{host, "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=" + garbage}, wantErr: "holds no certificate"},
		{name: "without TLS", environ: []string{host}, wantErr: "HTTP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e, err := Connect(t.Context(), Options{Environ: test.environ})
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("error is %v, want %q in it", err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.SocketPath() != "" {
				t.Errorf("the path of the socket is %q, want none", e.SocketPath())
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An engine that is killed leaves its answers cut off.
func TestEngineThatGoesAwayInTheMiddle(t *testing.T) {
	t.Parallel()
	host := standIn(t, speaks("1.41", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/containers/c/json"):
			_, _ = w.Write([]byte(`{"Id":"c","State":{"Status":"running"}}`))
		case strings.HasSuffix(r.URL.Path, "/images/create"):
			_, _ = w.Write([]byte(`{"status":"Pulling from library/a","id":"latest"}` + "\n" + `{"stat`))
			fallthrough
		default:
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	e, err := Connect(t.Context(), Options{Host: host, Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	for name, call := range map[string]func() error{
		"wait": func() error { _, err := e.Wait(t.Context(), "c"); return err },
		"pull": func() error { _, err := e.Pull(t.Context(), "a", nil); return err },
		"save": func() error { return e.Save(t.Context(), &strings.Builder{}, "a") },
		"info": func() error { _, err := e.Info(t.Context()); return err },
	} {
		if err := call(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: error is %v, want that the engine is unavailable", name, err)
		}
	}
}
