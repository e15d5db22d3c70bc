package dockertest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/anuket-project/xtci/internal/docker"
)

// caBundle is where Debian keeps the certificates of authorities.
const caBundle = "/etc/ssl/certs/ca-certificates.crt"

// MinioBinary is the path of a static MinIO server: that of tools/testdeps.sh,
// or else the one on the PATH. Without any the test is skipped, or fails if
// Demand has "minio".
func MinioBinary(t testing.TB) string {
	t.Helper()
	kept := filepath.Join(CacheDir(t), "minio")
	if _, err := exec.LookPath(kept); err == nil {
		return kept
	}
	found, err := exec.LookPath("minio")
	if err != nil {
		Absent(t, "minio", fmt.Errorf("neither %s nor on the PATH (tools/testdeps.sh builds it): %w", kept, err))
	}
	return found
}

// MinioImage is the reference of an image of MinIO, which is started with
// Command {"server", "/data"}.
func MinioImage(t testing.TB, engine *docker.Engine) (ref string) {
	t.Helper()
	rootfs := Rootfs{
		Files:   map[string]string{"/usr/bin/minio": MinioBinary(t)},
		Folders: []string{"/data", "/tmp"},
		Changes: []string{`ENTRYPOINT ["/usr/bin/minio"]`, "EXPOSE 9000", "ENV HOME=/tmp"},
	}
	rootfs.addCertificates()
	return Shared(t, engine, "minio", rootfs)
}

func (r *Rootfs) addCertificates() {
	if _, err := os.Stat(caBundle); err == nil {
		r.Files[caBundle] = caBundle
	}
}

// RegistryImage is the reference of an image of Debian's docker-registry. It
// listens on port 5000. Without it the test is skipped, or fails if Demand has
// "registry".
func RegistryImage(t testing.TB, engine *docker.Engine) (ref string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		Absent(t, "registry", fmt.Errorf("Debian's docker-registry is not installed: %w", err)) //nolint:staticcheck // a name
	}
	rootfs := Rootfs{
		Files: map[string]string{"/usr/bin/docker-registry": program},
		Contents: map[string]string{"/etc/docker/registry/config.yml": `version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http: {addr: ":5000"}
`},
		Folders: []string{"/var/lib/registry", "/tmp"},
		Changes: []string{`ENTRYPOINT ["/usr/bin/docker-registry"]`, `CMD ["serve", "/etc/docker/registry/config.yml"]`, "EXPOSE 5000"},
	}
	for _, library := range Libraries(t, program) {
		rootfs.Files[library] = library
	}
	rootfs.addCertificates()
	return Shared(t, engine, "registry", rootfs)
}

// Libraries are the files, the loader among them, that a dynamic program
// needs; none for a static one.
func Libraries(t testing.TB, program string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "ldd", program)
	command.Env = append(os.Environ(), "LC_ALL=C")
	out, err := command.CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("not a dynamic executable")) {
			return nil
		}
		t.Fatalf("ldd %s: %v\n%s", program, err, out)
	}
	var paths []string
	// libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x7f9a4e2e3000)
	for _, found := range regexp.MustCompile(`(?m)(?:=> |^\s+)(/\S+) \(0x`).FindAllSubmatch(out, -1) {
		paths = append(paths, string(found[1]))
	}
	return paths
}

// A Registry is one that runs in a container on this machine.
type Registry struct {
	// Address is localhost:PORT, which the engine takes without TLS, and which
	// is the first part of the names of images in it.
	Address   string
	Container string // its id
}

// StartRegistry starts a registry, which is removed when the test ends. With
// users, whose passwords are the values, it lets nobody else in.
func StartRegistry(t testing.TB, engine *docker.Engine, users map[string]string) *Registry {
	t.Helper()
	name, port := Name(t), Port(t)
	container := docker.Container{
		Name: name, Image: RegistryImage(t, engine), Labels: map[string]string{Label: name},
		Ports: []docker.Port{{HostIP: "127.0.0.1", Host: port, Container: 5000}},
		Env:   []string{"OTEL_TRACES_EXPORTER=none"},
	}
	if users != nil {
		container.Env = append(container.Env, "REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM=test", "REGISTRY_AUTH_HTPASSWD_PATH=/htpasswd")
	}
	Cleanup(t, engine, container.Labels)
	id, err := engine.Create(t.Context(), container)
	if err == nil && users != nil {
		err = engine.CopyTo(t.Context(), id, "/", htpasswd(t, users))
	}
	if err == nil {
		err = engine.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := &Registry{Address: "localhost:" + strconv.Itoa(port), Container: id}
	Until(t, 30*time.Second, "the registry answers", func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Address+"/v2/", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusUnauthorized {
			return errors.New(answer.Status)
		}
		return nil
	})
	return r
}

// htpasswd is a tar with the users' file.
func htpasswd(t testing.TB, users map[string]string) *bytes.Buffer {
	t.Helper()
	var lines, out bytes.Buffer
	for user, password := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, "%s:%s\n", user, hash)
	}
	w := tar.NewWriter(&out)
	err := errors.Join(
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "htpasswd", Mode: 0o444, Size: int64(lines.Len())}),
		second(w.Write(lines.Bytes())), w.Close())
	if err != nil {
		t.Fatal(err)
	}
	return &out
}

// Login makes a folder for DOCKER_CONFIG in which a user is logged in to a
// registry, as docker login leaves it.
func (r *Registry) Login(t testing.TB, user, password string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	data, err := json.Marshal(map[string]any{"auths": map[string]any{
		r.Address: map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))},
	}})
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "config.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
