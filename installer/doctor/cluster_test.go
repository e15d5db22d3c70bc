package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/cluster"
	"github.com/anuket-project/xtci/internal/cluster/clustertest"
	"github.com/anuket-project/xtci/internal/docker"
)

func contains(r Result, part string) bool { return strings.Contains(r.Seen+r.Advice, part) }

// All checks of a cluster pass, but for one.
func TestClusterChecks(t *testing.T) {
	t.Parallel()
	const inside = `{"url":"https://lab:6443","version":"v1.23.17"}`
	for _, test := range []struct {
		name    string
		options clustertest.Options
		change  func(*clustertest.State)
		expires time.Duration // of the credentials; 0 is ten days
		other   map[string]Status
		check   string
		parts   []string
	}{
		{name: "as it should be", check: "cluster", parts: []string{"Kubernetes v1.23.17 (linux/amd64)"}},
		{name: "version", check: "cluster-version", parts: []string{"v1.23.17 fits release v1.23"}},
		{name: "another patch", change: func(s *clustertest.State) { s.Version = "v1.23.4+k3s1" }, check: "cluster-version"},
		{name: "another minor version", change: func(s *clustertest.State) { s.Version = "v1.24.0" }, check: "cluster-version", other: map[string]Status{"cluster-version": Warn}, parts: []string{"the tests are those of v1.23", "--set release=v1.24"}},
		{name: "no version", change: func(s *clustertest.State) { s.Version = "next" }, check: "cluster-version", other: map[string]Status{"cluster-version": Warn}},
		{name: "clock ahead", change: func(s *clustertest.State) { s.Ahead = time.Hour }, check: "cluster-clock", other: map[string]Status{"cluster-clock": Warn}, parts: []string{"apart", "chrony"}},
		{name: "server's certificate ends", options: clustertest.Options{Expires: time.Now().Add(3 * time.Hour)}, check: "cluster-certificate", other: map[string]Status{"cluster-certificate": Warn}, parts: []string{"in 3h0m", "kubeadm certs renew"}},
		{name: "credentials end", expires: 3 * time.Hour, check: "credentials", other: map[string]Status{"credentials": Warn}, parts: []string{"client certificate of kubernetes-admin expires", "in 3h0m"}},
		{name: "no administrator", change: func(s *clustertest.State) { s.Admin = false }, check: "admin", other: map[string]Status{"admin": Fail}, parts: []string{"clusterrolebinding"}},
		{name: "may not ask", change: func(s *clustertest.State) {
			s.Refuse = map[string]int{"/api/v1/nodes": 403}
		}, check: "nodes", other: map[string]Status{"nodes": Fail, "workers": Fail}, parts: []string{"403 Forbidden", "cluster-admin"}},
		{name: "a node that is not ready", change: func(s *clustertest.State) {
			s.Nodes = append(s.Nodes, clustertest.Node{Name: "lost", NotReady: true})
		}, check: "nodes", other: map[string]Status{"nodes": Fail}, parts: []string{"1 of 4 nodes are not ready: lost (NodeStatusUnknown", "describe node lost"}},
		{name: "one worker", change: func(s *clustertest.State) { s.Nodes[2].Unschedulable = true }, check: "workers", other: map[string]Status{"workers": Fail}, parts: []string{"1 nodes take pods, netperf needs 2", "control-0 (node-role.kubernetes.io/control-plane:NoSchedule), worker-1", "uncordon"}},
		{name: "no nodes", change: func(s *clustertest.State) { s.Nodes = nil }, check: "nodes", other: map[string]Status{"nodes": Fail, "workers": Fail}},
		{name: "no default class", change: func(s *clustertest.State) { s.Classes[1].Default = false }, check: "storage-class", other: map[string]Status{"storage-class": Warn}, parts: []string{"slow, standard", "annotate"}},
		{name: "two default classes", change: func(s *clustertest.State) { s.Classes[0].Default = true }, check: "storage-class", other: map[string]Status{"storage-class": Warn}, parts: []string{"2 storage classes"}},
		{name: "no classes", change: func(s *clustertest.State) { s.Classes = nil }, check: "storage-class", other: map[string]Status{"storage-class": Warn}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := clustertest.Start(t, test.options)
			if test.change != nil {
				server.Set(test.change)
			}
			if test.expires == 0 {
				test.expires = 240 * time.Hour
			}
			engine := newStandIn(t)
			engine.log = inside
			o := options(t, engine)
			o.Site.Kubeconfig = server.Kubeconfig(t, time.Now().Add(test.expires))
			all := results(t, o, "cluster")
			for name, r := range all {
				status := Pass
				if other, ok := test.other[name]; ok {
					status = other
				}
				want(t, r, status)
			}
			want(t, all[test.check], all[test.check].Status, test.parts...)
		})
	}
}

func TestClusterThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	server.Set(func(s *clustertest.State) { s.Refuse = map[string]int{"/version": 503} })
	engine := newStandIn(t)
	engine.log = `{"error":"connection refused","advice":"start it"}`
	o := options(t, engine)
	o.Site.Kubeconfig = server.TokenKubeconfig(t, time.Now().Add(-time.Hour))
	all := results(t, o, "cluster")
	want(t, all["kubeconfig"], Pass)
	want(t, all["cluster"], Fail, "503")
	want(t, all["nodes"], Skip, "cluster must pass first")
	want(t, all["cluster-version"], Skip)
	// what needs no answer is said all the same, and tells the cause
	want(t, all["credentials"], Fail, "system:serviceaccount:kube-system:xtci expired")
	if got := server.Requests(); len(got) != 1 {
		t.Errorf("the server was asked %v", got)
	}
}

func TestKubeconfigs(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	cert, key := server.ClientPair(t, time.Now().Add(240*time.Hour))
	withFiles := server.Write(t, server.URL, "client-certificate: admin.crt\n    client-key: admin.key")
	for name, content := range map[string][]byte{"admin.crt": cert, "admin.key": key} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(withFiles), name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	withPlugin := server.Write(t, server.URL, "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh}")
	o := options(t, newStandIn(t))
	o.Site.Kubeconfig = withFiles
	all := results(t, o, "kubeconfig-alone", "cluster", "cluster-inside")
	want(t, all["kubeconfig-alone"], Fail, "admin.crt (line 17: users[0].user.client-certificate), admin.key", "--flatten")
	want(t, all["cluster-inside"], Skip, "kubeconfig-alone must pass first")
	want(t, all["cluster"], Pass)
	o.Site.Volumes = []string{"/etc/pki:/etc/pki"}
	want(t, results(t, o, "kubeconfig-alone")["kubeconfig-alone"], Warn, "volumes")
	o = options(t, newStandIn(t))
	o.Site.Kubeconfig = withPlugin
	all = results(t, o, "kubeconfig-alone", "credentials")
	want(t, all["kubeconfig-alone"], Fail, "sh (line 17: users[0].user.exec.command)", "service account's token")
	want(t, all["credentials"], Pass, "credential plugin")
	o.Site.Kubeconfig = ""
	want(t, results(t, o, "kubeconfig")["kubeconfig"], Fail, "the site names none")
	o.Site.Kubeconfig = server.Write(t, server.URL, "{}")
	want(t, results(t, o, "credentials")["credentials"], Fail, "no credentials")
}

func TestCredentialsVerdict(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name        string
		credentials cluster.Credentials
		status      Status
		part        string
	}{
		{"for ever", cluster.Credentials{By: cluster.ByToken}, Pass, "does not expire"},
		{"long", cluster.Credentials{By: cluster.ByToken, Expires: now.Add(25 * time.Hour)}, Pass, "holds until 2026-11-24 13:00 UTC"},
		{"less than a day", cluster.Credentials{By: cluster.ByToken, Expires: now.Add(24*time.Hour - 1)}, Warn, "before a campaign may end"},
		{"over", cluster.Credentials{By: cluster.ByCertificate, Expires: now}, Fail, "expired 2026-11-23 12:00 UTC"},
		{"not yet", cluster.Credentials{By: cluster.ByCertificate, Begin: now.Add(time.Minute), Expires: now.Add(99 * time.Hour)}, Fail, "holds only from"},
	} {
		v := credentialsVerdict(test.credentials, now)
		want(t, Result{Check: Check{Name: test.name}, Status: v.status, Seen: v.seen, Advice: v.advice}, test.status, test.part)
	}
}

func TestInside(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	for _, test := range []struct {
		name    string
		address string
		change  func(*standIn, *Options)
		status  Status
		parts   []string
	}{
		{name: "answers", change: func(s *standIn, _ *Options) { s.log = `{"version":"v1.23.17"}` }, status: Pass, parts: []string{"on Docker's bridge, as the stack's network is not there yet", "v1.23.17"}},
		{name: "answers on the stack's network", change: func(s *standIn, _ *Options) {
			s.log, s.networks = `{"version":"v1.23.17"}`, []string{"xtci"}
		}, status: Pass, parts: []string{"on network xtci"}},
		{name: "a loopback address", change: func(s *standIn, _ *Options) {
			s.log = `{"error":"GET https://127.0.0.1:6443/version: connection refused","advice":"start it"}`
		}, status: Fail, parts: []string{"connection refused", "127.0.0.1 is the container itself there", "kubectl config set-cluster", "https://ADDRESS:"}},
		{name: "a firewall", address: strings.Replace(server.URL, "127.0.0.1", "localhost.localdomain", 1), change: func(s *standIn, _ *Options) {
			s.log = `{"error":"timeout","advice":"check the address"}`
		}, status: Fail, parts: []string{"timeout", "check the address"}},
		{name: "no JSON", change: func(s *standIn, _ *Options) { s.log, s.exit = "no such command", 2 }, status: Fail, parts: []string{"ended with 2", "docker run"}},
		{name: "an exit code", change: func(s *standIn, _ *Options) { s.log, s.exit = `{}`, 1 }, status: Fail, parts: []string{"ended with 1"}},
		{name: "much text", change: func(s *standIn, _ *Options) { s.log = `{"version":"` + strings.Repeat("x", maxLog) + `"}` }, status: Fail},
		{name: "no image", change: func(_ *standIn, o *Options) { o.OwnImage = nil }, status: Skip},
		{name: "an engine elsewhere", change: func(s *standIn, _ *Options) { s.socket = "" }, status: Skip},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			engine := newStandIn(t)
			o := options(t, engine)
			if test.address == "" {
				test.address = server.URL
			}
			o.Site.Kubeconfig = server.Write(t, test.address, "token: "+server.Token(time.Now().Add(time.Hour)))
			o.Site.Env["HTTPS_PROXY"] = "http://proxy.example:3128"
			test.change(engine, &o)
			want(t, results(t, o, "cluster-inside")["cluster-inside"], test.status, test.parts...)
			if len(engine.created) != len(engine.removed) {
				t.Errorf("%d containers made, %d removed", len(engine.created), len(engine.removed))
			}
			for _, c := range engine.created {
				if c.Mounts[0].Source != o.Site.Kubeconfig || !c.Mounts[0].ReadOnly || !c.DropAllCaps || c.Labels[labelStack] != "" {
					t.Errorf("made %+v", c)
				}
			}
		})
	}
}

// Without Docker, a kubeconfig that cannot work in containers is seen all the
// same.
func TestLoopbackWithoutDocker(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	o := options(t, nil)
	o.Connect = nil
	o.Site.Kubeconfig = server.TokenKubeconfig(t, time.Now().Add(time.Hour))
	want(t, results(t, o, "cluster-inside")["cluster-inside"], Warn, "127.0.0.1, which in a container is the container itself", "set-cluster")
	o.Site.Kubeconfig = server.Write(t, "https://192.0.2.1:6443", "token: x")
	want(t, results(t, o, "cluster-inside")["cluster-inside"], Skip, "docker must pass first")
}

func TestInsideRemovesWhatWasLeft(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	engine := newStandIn(t)
	engine.log = `{"version":"v1.23.17"}`
	label := map[string]string{labelInside: "xtci"}
	engine.running = []docker.ContainerState{
		{ID: "old", Labels: label, Created: time.Now().Add(-time.Hour)},
		{ID: "new", Labels: label, Created: time.Now()},
		{ID: "other", Labels: map[string]string{labelInside: "other"}, Created: time.Now().Add(-time.Hour)},
	}
	o := options(t, engine)
	o.Site.Kubeconfig = server.TokenKubeconfig(t, time.Now().Add(time.Hour))
	want(t, results(t, o, "cluster-inside")["cluster-inside"], Pass)
	if got := strings.Join(engine.removed, " "); got != "old id" {
		t.Errorf("removed %q, want old and its own", got)
	}
}

func TestLookInside(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	good := LookInside(t.Context(), server.TokenKubeconfig(t, time.Now().Add(time.Hour)), "xtci")
	if good != (Inside{URL: server.URL, Version: "v1.23.17"}) {
		t.Errorf("saw %+v", good)
	}
	bad := LookInside(t.Context(), server.TokenKubeconfig(t, time.Now().Add(-time.Hour)), "xtci")
	if bad.URL != server.URL || !strings.Contains(bad.Error, "401") || bad.Advice == "" {
		t.Errorf("saw %+v", bad)
	}
	if none := LookInside(t.Context(), "/no/such/file", "xtci"); !strings.Contains(none.Error, "no such file") || none.Advice == "" {
		t.Errorf("saw %+v", none)
	}
	if e := insideError("", errors.New("x")); e.Error != "x" {
		t.Errorf("saw %+v", e)
	}
}

// Who interrupts the doctor finds no container left.
func TestInterruptedInside(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	engine := newStandIn(t)
	engine.hang, engine.waiting = true, make(chan struct{})
	o := options(t, engine)
	o.Site.Kubeconfig = server.TokenKubeconfig(t, time.Now().Add(time.Hour))
	o.Only = []string{"cluster-inside"}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-engine.waiting
		cancel()
	}()
	if err := Run(ctx, o, func(Result) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if len(engine.removed) != 1 {
		t.Errorf("removed %v, want the container", engine.removed)
	}
}
