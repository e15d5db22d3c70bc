package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/cluster/clustertest"
)

func open(t *testing.T, file string) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Open(file, cluster.Options{UserAgent: "xtci"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFacts(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{Expires: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC)})
	server.Set(func(s *clustertest.State) {
		s.Version, s.PageSize = "v1.23.17+k3s1", 2
		s.Nodes = append(s.Nodes, clustertest.Node{Name: "a-down", NotReady: true, Unschedulable: true})
	})
	expires := time.Now().Add(36 * time.Hour).Truncate(time.Second).UTC()
	got, err := open(t, server.Kubeconfig(t, expires)).Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	node := func(change func(*cluster.Node)) cluster.Node {
		n := cluster.Node{
			Roles: []string{}, Ready: true, Schedulable: true, OSImage: "Ubuntu 22.04.2 LTS", Kernel: "5.15.0-67-generic",
			Runtime: "containerd://1.6.18", Kubelet: "v1.23.17", Architecture: "amd64",
		}
		change(&n)
		return n
	}
	want := cluster.Facts{
		Server: cluster.Server{
			URL: server.URL, Version: "v1.23.17+k3s1", Platform: "linux/amd64",
			CertificateExpires: time.Date(2099, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		UID: "6b1a3a2e-3c49-4f5e-9d1d-0d8f2c0f7a11",
		Nodes: []cluster.Node{
			node(func(n *cluster.Node) {
				n.Name, n.Ready, n.Schedulable = "a-down", false, false
				n.NotReady = "NodeStatusUnknown: Kubelet stopped posting node status."
			}),
			node(func(n *cluster.Node) {
				n.Name, n.Roles, n.Schedulable = "control-0", []string{"control-plane"}, false
				n.Taints = []string{"node-role.kubernetes.io/control-plane:NoSchedule"}
			}),
			node(func(n *cluster.Node) { n.Name = "worker-0" }),
			node(func(n *cluster.Node) { n.Name = "worker-1" }),
		},
		DefaultStorageClass: "standard",
		Credentials:         cluster.Credentials{By: cluster.ByCertificate, Account: "kubernetes-admin", Expires: expires},
		Admin:               true,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(cluster.Credentials{}, "Begin")); diff != "" {
		t.Errorf("facts (-want +got):\n%s", diff)
	}
}

func TestFactsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	server.Set(func(s *clustertest.State) { s.Refuse = map[string]int{"/api/v1/nodes": 403} })
	facts, err := open(t, server.TokenKubeconfig(t, time.Now().Add(time.Hour))).Facts(t.Context())
	if !errors.Is(err, cluster.ErrForbidden) {
		t.Errorf("got %v, want that nodes are forbidden", err)
	}
	if facts.Server.Version != "v1.23.17" || !facts.Admin || facts.Nodes != nil {
		t.Errorf("the rest of the facts is wrong: %+v", facts)
	}
}

// A server, asked with a kubeconfig, fails as it should: with an error to
// branch on, and advice.
func TestServerFails(t *testing.T) {
	t.Parallel()
	good := clustertest.Start(t, clustertest.Options{})
	other := clustertest.Start(t, clustertest.Options{})
	expired := clustertest.Start(t, clustertest.Options{Expires: time.Now().Add(-time.Hour)})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	token := "token: " + good.Token(time.Now().Add(time.Hour))
	set := func(change func(*clustertest.State)) string {
		server := clustertest.Start(t, clustertest.Options{})
		server.Set(change)
		return server.TokenKubeconfig(t, time.Now().Add(time.Hour))
	}
	for _, test := range []struct {
		name, file string
		is         error
		want       []string
	}{
		{"nothing listens", good.Write(t, "https://"+free.Addr().String(), token), cluster.ErrUnreachable, []string{"connection refused", "is the API server running"}},
		{"a name that nobody knows", good.Write(t, "https://no-such-host.invalid:6443", token), cluster.ErrUnreachable, []string{"no-such-host.invalid", "check DNS"}},
		{"another authority", other.Write(t, good.URL, token), cluster.ErrUnreachable, []string{"x509", "get a new kubeconfig"}},
		{"a name that is not in the certificate", good.Write(t, good.URL+"\n    tls-server-name: other.example", token), cluster.ErrUnreachable, []string{"not for other.example", "tls-server-name"}},
		{"an expired server", expired.TokenKubeconfig(t, time.Now().Add(time.Hour)), cluster.ErrUnreachable, []string{"expired", "kubeadm certs renew"}},
		{"no TLS", good.Write(t, strings.Replace(plain.URL, "http:", "https:", 1), token), cluster.ErrUnreachable, []string{"does not speak TLS"}},
		{"an expired certificate", good.Kubeconfig(t, time.Now().Add(-time.Hour)), cluster.ErrUnauthorized, []string{"401", "expired"}},
		{"an expired token", good.TokenKubeconfig(t, time.Now().Add(-time.Hour)), cluster.ErrUnauthorized, []string{"401"}},
		{"a token of another cluster", good.Write(t, good.URL, "token: "+other.Token(time.Now().Add(time.Hour))), cluster.ErrUnauthorized, []string{"401"}},
		{"no right", set(func(s *clustertest.State) { s.Refuse = map[string]int{"/version": 403} }), cluster.ErrForbidden, []string{"403 Forbidden: the stand-in", "cluster-admin"}},
		{"a redirect", set(func(s *clustertest.State) { s.Refuse = map[string]int{"/version": 302} }), cluster.ErrUnreachable, []string{"302", "not followed"}},
		{"a page", set(func(s *clustertest.State) { s.Instead = map[string]string{"/version": "<html>please log in"} }), cluster.ErrUnreachable, []string{"not what Kubernetes answers", "a proxy"}},
		{"other JSON", set(func(s *clustertest.State) { s.Instead = map[string]string{"/version": "{}"} }), cluster.ErrUnreachable, []string{"no gitVersion"}},
		{"JSON of other types", set(func(s *clustertest.State) {
			s.Instead = map[string]string{"/version": `{"gitVersion":["` + secret + `"]}`}
		}), cluster.ErrUnreachable, []string{"gitVersion is not a string"}},
		{"an error within", set(func(s *clustertest.State) { s.Refuse = map[string]int{"/version": 500} }), nil, []string{"500"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := open(t, test.file).Server(t.Context())
			if err == nil {
				t.Fatal("no error")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("a secret is in the error: %v", err)
			}
			for _, part := range append(test.want, "GET https://", "/version") {
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

func TestServerThatHangs(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	server.Set(func(s *clustertest.State) { s.Hang = map[string]bool{"/version": true} })
	c, err := cluster.Open(server.TokenKubeconfig(t, time.Now().Add(time.Hour)), cluster.Options{Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Server(t.Context()); !errors.Is(err, cluster.ErrUnreachable) || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v, want that no answer came in time", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Server(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestServersClock(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	c := open(t, server.TokenKubeconfig(t, time.Now().Add(time.Hour)))
	for _, ahead := range []time.Duration{0, time.Hour, -time.Hour} {
		server.Set(func(s *clustertest.State) { s.Ahead = ahead })
		got, err := c.Server(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if off := got.Ahead - ahead; off < -time.Minute || off > time.Minute {
			t.Errorf("ahead by %s, want %s", got.Ahead, ahead)
		}
	}
}

// A list that never ends must not fill the memory.
func TestNodesWithoutEnd(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	server.Set(func(s *clustertest.State) {
		s.Instead = map[string]string{"/api/v1/nodes": `{"metadata":{"continue":"again"},"items":[]}`}
	})
	_, err := open(t, server.TokenKubeconfig(t, time.Now().Add(time.Hour))).Nodes(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not end") {
		t.Errorf("got %v, want that the list does not end", err)
	}
}

func TestCredentialPlugin(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	plugin := func(script string) string {
		file := server.Write(t, server.URL, "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: ./plugin}")
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "plugin"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
		return file
	}
	credential := fmt.Sprintf(`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}`, server.Token(time.Now().Add(time.Hour)))
	c := open(t, plugin("echo '"+credential+"'\n"))
	if _, err := c.Server(t.Context()); err != nil {
		t.Error(err)
	}
	if got := c.Credentials().By; got != cluster.ByPlugin {
		t.Errorf("credentials by %q, want %q", got, cluster.ByPlugin)
	}
	if len(c.References()) != 1 || c.References()[0].Value != "./plugin" {
		t.Errorf("references %+v, want the plugin", c.References())
	}
	_, err := open(t, plugin("exit 3\n")).Server(t.Context())
	if !errors.Is(err, cluster.ErrUnreachable) || !strings.Contains(err.Error(), "exit code 3") || !strings.Contains(err.Error(), "run it by hand") {
		t.Errorf("got %v, want that the plugin failed", err)
	}

	// one that hangs: it ends when its standard input does, which this test holds
	folder := t.TempDir()
	fifo := filepath.Join(folder, "fifo")
	slow, err := cluster.Open(plugin("mkfifo "+fifo+" && read line <"+fifo+"\nexit 1\n"), cluster.Options{Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Server(t.Context()); !errors.Is(err, cluster.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want that the plugin did not end", err)
	}
	release, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	release.Close()
}
