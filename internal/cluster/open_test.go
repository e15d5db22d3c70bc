package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/cluster/clustertest"
)

// secret stands in every kubeconfig where a secret would, and may be in no
// error.
const secret = "pa55word-that-nobody-may-see"

// head is a kubeconfig up to its users, of 13 lines.
const head = `apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: https://192.0.2.1:6443
contexts:
- name: admin@lab
  context: {cluster: lab, user: admin}
current-context: admin@lab
users:
- name: admin
  user:
`

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	cert, key := server.ClientPair(t, time.Now().Add(time.Hour))
	_, otherKey := server.ClientPair(t, time.Now().Add(time.Hour))
	for _, test := range []struct {
		name  string
		text  string
		files map[string]string
		want  []string // in the message
	}{
		{name: "nothing", text: "", want: []string{"kubeconfig: this is no kubeconfig"}},
		{name: "a list", text: "- a\n", want: []string{"this is no kubeconfig"}},
		{name: "no YAML", text: "clusters:\n  - a\n :\n", want: []string{"kubeconfig:", "this is not YAML"}},
		{name: "a secret as an alias", text: head + "    token: *" + secret + "\n", want: []string{"this is not YAML"}},
		{name: "no current context", text: strings.Replace(head, "current-context: admin@lab\n", "", 1), want: []string{"current-context", `"admin@lab"`, "kubectl config use-context"}},
		{name: "a current context that is not there", text: strings.Replace(head, "current-context: admin@lab", "current-context: other", 1), want: []string{"kubeconfig:10: current-context", `"other"`, `"admin@lab"`}},
		{name: "a cluster that is not there", text: strings.Replace(head, "cluster: lab,", "cluster: other,", 1), want: []string{"kubeconfig:9: contexts[0].context.cluster", `"other"`, `"lab"`}},
		{name: "a user that is not there", text: strings.Replace(head, "user: admin}", "user: nobody}", 1), want: []string{"kubeconfig:9: contexts[0].context.user", `"nobody"`, `"admin"`}},
		{name: "a context without a user", text: strings.Replace(head, ", user: admin}", "}", 1), want: []string{"contexts[0].context.user"}},
		{name: "two users of one name", text: head + "    token: " + secret + "\n- name: admin\n  user: {token: " + secret + "}\n", want: []string{"kubeconfig:15: users[1]", `named "admin"`}},
		{name: "no server", text: strings.Replace(head, "    server: https://192.0.2.1:6443\n", "    tls-server-name: x\n", 1), want: []string{"clusters[0].cluster.server", "https://HOST:6443"}},
		{name: "a server without a scheme", text: strings.Replace(head, "https://192.0.2.1:6443", "192.0.2.1:6443", 1), want: []string{"kubeconfig:6: clusters[0].cluster.server"}},
		{name: "a server with a password", text: strings.Replace(head, "https://", "https://me:"+secret+"@", 1), want: []string{"kubeconfig:6: clusters[0].cluster.server"}},
		{name: "a broken proxy with a password", text: strings.Replace(head, "    server:", "    proxy-url: ftp://me:"+secret+"@proxy\n    server:", 1), want: []string{"kubeconfig:6: clusters[0].cluster.proxy-url"}},
		{name: "a token that is a number", text: head + "    token: 1234\n", want: []string{"kubeconfig:14: users[0].user.token", "quotes"}},
		{name: "data that is not base64", text: head + "    client-certificate-data: '" + secret + "!'\n", want: []string{"kubeconfig:14: users[0].user.client-certificate-data", "base64"}},
		{name: "a certificate file that is not there", text: head + "    client-certificate: pki/admin.crt\n    client-key: pki/admin.key\n", want: []string{"kubeconfig:14: users[0].user.client-certificate: read pki/admin.crt: no such file", "--flatten"}},
		{name: "a key file that is not there", text: head + "    client-certificate: admin.crt\n    client-key: admin.key\n", files: map[string]string{"admin.crt": string(cert)}, want: []string{"kubeconfig:15: users[0].user.client-key: read admin.key"}},
		{name: "a certificate without a key", text: head + "    client-certificate: admin.crt\n", files: map[string]string{"admin.crt": string(cert)}, want: []string{"kubeconfig:14", "no key"}},
		{name: "a key without a certificate", text: head + "    client-key: admin.key\n", files: map[string]string{"admin.key": string(key)}, want: []string{"kubeconfig:14", "no certificate"}},
		{name: "a key of another certificate", text: head + "    client-certificate: admin.crt\n    client-key: admin.key\n", files: map[string]string{"admin.crt": string(cert), "admin.key": string(otherKey)}, want: []string{"kubeconfig:14", "cannot be used together"}},
		{name: "an authority that is none", text: strings.Replace(head, "    server:", "    certificate-authority: ca.crt\n    server:", 1), files: map[string]string{"ca.crt": secret}, want: []string{"kubeconfig:6: clusters[0].cluster.certificate-authority", "no certificate"}},
		{name: "an authority and none wanted", text: strings.Replace(head, "    server:", "    insecure-skip-tls-verify: true\n    certificate-authority-data: "+server.CA()+"\n    server:", 1), want: []string{"kubeconfig:6: clusters[0].cluster.insecure-skip-tls-verify"}},
		{name: "a token file that is not there", text: head + "    tokenFile: /nowhere/token\n", want: []string{"kubeconfig:14: users[0].user.tokenFile: read /nowhere/token"}},
		{name: "a file that is a folder", text: head + "    tokenFile: .\n", want: []string{"kubeconfig:14", "this is a folder"}},
		{name: "a plugin that is not there", text: head + "    exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: no-such-plugin, args: [" + secret + "]}\n", want: []string{"kubeconfig:14: users[0].user.exec.command", `"no-such-plugin"`, "service account's token"}},
		{name: "a plugin without a command", text: head + "    exec: {apiVersion: client.authentication.k8s.io/v1}\n", want: []string{"kubeconfig:14: users[0].user.exec.command"}},
		{name: "a way to log in that was removed", text: head + "    auth-provider: {name: gcp, config: {access-token: " + secret + "}}\n", want: []string{"kubeconfig:14: users[0].user.auth-provider", "removed"}},
		{name: "what only the client library sees", text: head + "    token: " + secret + "\n    password: " + secret + "\n    username: me\n", want: []string{"contexts[0].context", "more than one authentication method"}},
		{name: "a wrong type elsewhere", text: head + "    token: " + secret + "\n    as-groups: " + secret + "\n", want: []string{"kubeconfig: "}},
		{name: "a wrong type in another user", text: head + "    token: x\n- name: other\n  user: {token: [" + secret + "]}\n", want: []string{"kubeconfig: "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			file := filepath.Join(folder, "kubeconfig")
			write(t, file, test.text)
			for name, content := range test.files {
				write(t, filepath.Join(folder, name), content)
			}
			_, err := cluster.Open(file, cluster.Options{})
			if !errors.Is(err, cluster.ErrKubeconfig) {
				t.Fatalf("got %v, want a kubeconfig that cannot be used", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("a secret is in the error: %v", err)
			}
			if !strings.Contains(err.Error(), file) {
				t.Errorf("the error does not name %s: %v", file, err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not say %s", err, part)
				}
			}
			if e, ok := errors.AsType[*cluster.Error](err); !ok || e.Advice == "" {
				t.Errorf("error %v does not say what to do", err)
			}
		})
	}
}

func TestOpenRefusesFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write(t, filepath.Join(folder, "large"), strings.Repeat("#", 4<<20)+"\n")
	for name, want := range map[string]string{
		"absent": "no such file", ".": "this is a folder", "large": "larger than 4 MiB", "/dev/null": "not a regular file",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			file := name
			if !filepath.IsAbs(file) {
				file = filepath.Join(folder, name)
			}
			_, err := cluster.Open(file, cluster.Options{})
			if !errors.Is(err, cluster.ErrKubeconfig) || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), file) != 1 {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
}

func TestOpenFindsWhatItNeeds(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	cert, key := server.ClientPair(t, time.Now().Add(time.Hour))
	file := server.Write(t, server.URL, "client-certificate: admin.crt\n    client-key: admin.key")
	write(t, filepath.Join(filepath.Dir(file), "admin.crt"), string(cert))
	write(t, filepath.Join(filepath.Dir(file), "admin.key"), string(key))
	c, err := cluster.Open(file, cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []cluster.Reference{
		{Field: "users[0].user.client-certificate", Line: 17, Value: "admin.crt"},
		{Field: "users[0].user.client-key", Line: 18, Value: "admin.key"},
	}
	if diff := cmp.Diff(want, c.References()); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	if _, err := c.Server(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	for address, want := range map[string]bool{
		"https://127.0.0.1:6443": true, "https://localhost:6443": true, "https://[::1]:6443": true, "https://0.0.0.0:6443": true,
		"https://192.0.2.1:6443": false, "https://api.lab.example": false, "https://localhost.example": false,
	} {
		c, err := cluster.Open(server.Write(t, address, "token: x"), cluster.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c.Loopback() != want {
			t.Errorf("%s: loopback %v, want %v", address, c.Loopback(), want)
		}
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(head + "    token: x\n")
	f.Add(head + "    exec: {command: x}\n    client-key-data: eA==\n")
	f.Add("{\"clusters\":[{\"name\":\"a\"}],\"contexts\":null,\"current-context\":\"a\"}")
	f.Add("a: &a\n  b: *a\nclusters: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "kubeconfig")
		write(t, file, text)
		c, err := cluster.Open(file, cluster.Options{})
		if err == nil && c.URL() == "" {
			t.Errorf("accepted a kubeconfig without a server: %q", text)
		}
		if err != nil && !errors.Is(err, cluster.ErrKubeconfig) {
			t.Errorf("%v is not a kubeconfig's error", err)
		}
	})
}
