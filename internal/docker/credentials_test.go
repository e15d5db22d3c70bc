package docker

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	basic := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	bin := t.TempDir()
	for name, script := range map[string]string{
		"good":  `read server; printf '{"ServerURL":"%s","Username":"helped","Secret":"word of %s"}' "$server" "$server"`,
		"token": `printf '{"Username":"<token>","Secret":"identity"}'`,
		"none":  `echo "credentials not found in native keychain"; exit 1`,
		"bad":   `echo "keychain is locked"; exit 1`,
		"leaky": `printf '{"Secret":"word"}'; exit 1`,
		"prose": `echo hello`,
		"flood": `exec cat /dev/zero`,
		"wants": `[ "$1" = get ] && [ -n "$MARK" ] && printf '{"Username":"%s","Secret":"x"}' "$MARK"`,
	} {
		path := filepath.Join(bin, "docker-credential-"+name)
		writeFile(t, path, "#!/bin/sh\n"+script+"\n")
		if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name    string
		config  string
		image   string
		want    *registry.AuthConfig // nil for none
		wantErr string
	}{
		{name: "no configuration", image: "alpine"},
		{
			name: "a registry with a port", config: `{"auths":{"localhost:5000":{"auth":"` + basic("user:pass:word") + `"}}}`, image: "localhost:5000/a/b",
			want: &registry.AuthConfig{Username: "user", Password: "pass:word", ServerAddress: "localhost:5000"},
		},
		{
			name: "Docker Hub", config: `{"auths":{"https://index.docker.io/v1/":{"auth":"` + basic("user:word") + `"}}}`, image: "opnfv/functest-kubernetes-smoke:v1.23",
			want: &registry.AuthConfig{Username: "user", Password: "word", ServerAddress: hub},
		},
		{
			name: "an entry that is an address", config: `{"auths":{"https://registry.example.org/v1/":{"username":"user","password":"word"}}}`, image: "registry.example.org/a",
			want: &registry.AuthConfig{Username: "user", Password: "word", ServerAddress: "registry.example.org"},
		},
		{
			name: "an identity token", config: `{"auths":{"r.example.org":{"auth":"` + basic("user:") + `","identitytoken":"identity"}}}`, image: "r.example.org/a",
			want: &registry.AuthConfig{Username: "user", IdentityToken: "identity", ServerAddress: "r.example.org"},
		},
		{name: "another registry", config: `{"auths":{"other.example.org":{"auth":"` + basic("user:word") + `"}}}`, image: "r.example.org/a"},
		{name: "an entry left empty by a helper", config: `{"auths":{"r.example.org":{}}}`, image: "r.example.org/a"},
		{name: "not base64", config: `{"auths":{"r.example.org":{"auth":"%%%"}}}`, image: "r.example.org/a", wantErr: "docker login"},
		{name: "no colon", config: `{"auths":{"r.example.org":{"auth":"` + basic("word") + `"}}}`, image: "r.example.org/a", wantErr: "docker login"},
		{
			name: "a helper for all", config: `{"credsStore":"good"}`, image: "r.example.org/a",
			want: &registry.AuthConfig{Username: "helped", Password: "word of r.example.org", ServerAddress: "r.example.org"},
		},
		{
			name: "a helper for one", config: `{"credsStore":"bad","credHelpers":{"r.example.org":"token"}}`, image: "r.example.org/a",
			want: &registry.AuthConfig{IdentityToken: "identity", ServerAddress: "r.example.org"},
		},
		{
			name: "a helper gets the environment", config: `{"credsStore":"wants"}`, image: "r.example.org/a",
			want: &registry.AuthConfig{Username: "here", Password: "x", ServerAddress: "r.example.org"},
		},
		{name: "a helper that has none", config: `{"credsStore":"none"}`, image: "r.example.org/a"},
		{name: "a helper that fails", config: `{"credsStore":"bad"}`, image: "r.example.org/a", wantErr: "keychain is locked"},
		{name: "a helper that fails after its answer", config: `{"credsStore":"leaky"}`, image: "r.example.org/a", wantErr: "exit status 1"},
		{name: "a helper that tells stories", config: `{"credsStore":"prose"}`, image: "r.example.org/a", wantErr: "did not answer in JSON"},
		{name: "a helper without end", config: `{"credsStore":"flood"}`, image: "r.example.org/a", wantErr: "docker-credential-flood"},
		{name: "a helper that is not there", config: `{"credsStore":"gone"}`, image: "r.example.org/a", wantErr: "docker-credential-gone"},
		{name: "a helper outside of the PATH", config: `{"credsStore":"../../bin/sh"}`, image: "r.example.org/a", wantErr: "docker-credential-"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if test.config != "" {
				writeFile(t, filepath.Join(folder, "config.json"), test.config)
			}
			config, err := readConfig(environment{"DOCKER_CONFIG=" + folder, "PATH=" + bin + ":/usr/bin:/bin", "MARK=here"})
			if err != nil {
				t.Fatal(err)
			}
			image, err := parseReference(test.image)
			if err != nil {
				t.Fatal(err)
			}
			header, err := config.registryAuth(t.Context(), image)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) || strings.Contains(err.Error(), "word") {
					t.Errorf("error is %v, want %q in it and no secret", err, test.wantErr)
				}
				if header != "" {
					t.Errorf("a header in spite of the error: %s", header)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, decodeAuth(t, header)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func decodeAuth(t *testing.T, header string) *registry.AuthConfig {
	t.Helper()
	if header == "" {
		return nil
	}
	data, err := base64.URLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	var auth registry.AuthConfig
	if err := json.Unmarshal(data, &auth); err != nil {
		t.Fatal(err)
	}
	return &auth
}

func TestConfigThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not JSON":     `{"auths":{"a":{"auth":"c2VjcmV0"}}`,
		"another kind": `{"auths":["c2VjcmV0"]}`,
		"too long":     `{"a":"` + strings.Repeat("c2VjcmV0", maxConfig/8) + `"}`,
	} {
		folder := t.TempDir()
		writeFile(t, filepath.Join(folder, "config.json"), text)
		_, err := readConfig(environment{"HOME=/nonexistent", "DOCKER_CONFIG=" + folder})
		if err == nil || !strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("%s: error is %v, want one that names the file and no secret", name, err)
		}
	}
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, ".docker", "config.json"), "")
	if _, err := readConfig(environment{"HOME=" + folder}); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add(`{"auths":{"https://r.example.org/v1/":{"auth":"dXNlcjp3b3Jk"}},"currentContext":"a"}`)
	f.Fuzz(func(t *testing.T, text string) {
		folder := t.TempDir()
		writeFile(t, filepath.Join(folder, "config.json"), text)
		config, err := readConfig(environment{"DOCKER_CONFIG=" + folder, "PATH="})
		if err != nil {
			return
		}
		image, err := parseReference("r.example.org/a")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = config.registryAuth(t.Context(), image)
		_, _ = findEndpoint("", environment{}, config)
	})
}
