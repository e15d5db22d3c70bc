package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/installer/doctor"
	"github.com/anuket-project/xtci/internal/cluster/clustertest"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

// doctor runs xtci doctor and returns its results by name.
func (h *host) doctor(code int, args ...string) map[string]doctor.Result {
	h.t.Helper()
	out, errs := h.run(code, append([]string{"doctor", "-o", "json"}, args...)...)
	var document struct{ Results []doctor.Result }
	if err := json.Unmarshal([]byte(out), &document); err != nil {
		h.t.Fatalf("%v\n%s%s", err, out, errs)
	}
	results := map[string]doctor.Result{}
	for _, r := range document.Results {
		results[r.Name] = r
	}
	return results
}

func wantResult(t *testing.T, r doctor.Result, status doctor.Status, part string) {
	t.Helper()
	if r.Status != status || !strings.Contains(r.Seen+" | "+r.Advice, part) {
		t.Errorf("%s: %s: %s (%s), want %s and %q", r.Name, r.Status, r.Seen, r.Advice, status, part)
	}
}

// A real engine runs xtci's own image, from which a stand-in for an API
// server is asked as test containers would.
func TestDoctorOnARealEngine(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	engine := dockertest.Connect(t)
	name := dockertest.Name(t)
	dockertest.Cleanup(t, engine, map[string]string{dockertest.Label: name})
	// its gateway is an address of this host that containers reach, and nobody else
	network, err := engine.CreateNetwork(t.Context(), docker.Network{Name: name, Labels: map[string]string{dockertest.Label: name}})
	if err != nil {
		t.Fatal(err)
	}
	server := clustertest.Start(t, clustertest.Options{Listen: network.Gateway})
	inDays := time.Now().AddDate(0, 0, 3)
	fit := server.Kubeconfig(t, inDays)
	checks := []string{"--only", "docker,docker-socket,docker-clock,ports,image-minio,cluster", "--set"}

	all := h.doctor(0, append(checks, "kubeconfig="+fit)...)
	for _, r := range all {
		if r.Status != doctor.Pass {
			t.Errorf("%s: %s: %s", r.Name, r.Status, r.Seen)
		}
	}
	wantResult(t, all["docker"], doctor.Pass, "Docker Engine")
	wantResult(t, all["port-minio"], doctor.Pass, "is free")
	wantResult(t, all["image-minio"], doctor.Pass, "is here")
	wantResult(t, all["cluster-inside"], doctor.Pass, "the stack's network is not there yet it answers too: Kubernetes v1.23.17")

	h.run(0, "up")
	all = h.doctor(0, append(checks, "kubeconfig="+fit)...)
	wantResult(t, all["port-minio"], doctor.Pass, "held by the stack's own container")
	wantResult(t, all["port-files"], doctor.Pass, "held by the stack's own container")
	wantResult(t, all["cluster-inside"], doctor.Pass, "from inside a container on network ")

	// what works on the host, and nowhere else
	local := clustertest.Start(t, clustertest.Options{})
	all = h.doctor(1, append(checks, "kubeconfig="+local.Kubeconfig(t, inDays))...)
	wantResult(t, all["cluster"], doctor.Pass, "v1.23.17")
	wantResult(t, all["cluster-inside"], doctor.Fail, "connection refused: 127.0.0.1 is the container itself there")
	wantResult(t, all["cluster-inside"], doctor.Fail, "kubectl config set-cluster")

	left, err := engine.Containers(t.Context(), map[string]string{"io.xtci.doctor": h.name()})
	if err != nil || len(left) > 0 {
		t.Errorf("left %+v, %v", left, err)
	}
}

// name is that of the host's stack.
func (h *host) name() string {
	for _, variable := range h.environ {
		if name, ok := strings.CutPrefix(variable, "XTCI_STACK_NAME="); ok {
			return name
		}
	}
	return ""
}

// A port that another container has, and an image that only a registry has.
func TestDoctorSeesWhoHasAPort(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	engine := dockertest.Connect(t)
	registry := dockertest.StartRegistry(t, engine, nil)
	holder, err := engine.Container(t.Context(), registry.Container)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(registry.Address, ":")
	pushed := registry.Address + "/lab/files:1"
	if err := engine.Tag(t.Context(), dockertest.Testprog(t, engine), pushed); err != nil {
		t.Fatal(err)
	}
	digest, err := engine.Push(t.Context(), pushed, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.RemoveImage(t.Context(), pushed); err != nil {
		t.Fatal(err)
	}
	all := h.doctor(1, "--only", "port-files,image-files,image-registry", "--set", "stack.files.port="+port, "--set", "stack.files.image="+pushed,
		"--set", "stack.registry.enabled=true", "--set", "stack.registry.image="+registry.Address+"/lab/registry:1")
	wantResult(t, all["port-files"], doctor.Fail, "port "+port+" is taken by container "+holder.Name)
	wantResult(t, all["image-files"], doctor.Pass, "its registry has it ("+strings.TrimPrefix(digest, "sha256:")[:12])
	wantResult(t, all["image-registry"], doctor.Fail, "not here, and cannot be had: "+registry.Address+"/lab/registry:1: ")
}

func TestDoctorWraps(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newDoctorPrinter(&app{out: &out}, []doctor.Check{{Name: "disk"}, {Name: "docker-disk"}})
	p.width = 60
	p.print(doctor.Result{
		Check: doctor.Check{Name: "disk", Group: "host"}, Status: doctor.Warn,
		Seen: "19 GiB of 100 GiB free at /var/lib: 20 GiB are wanted for all \x1b[31mimages", Advice: "remove https://very.long.example/that/nobody/can/break and go on",
	})
	want := `host
  warn  disk         19 GiB of 100 GiB free at /var/lib: 20
                     GiB are wanted for all \ufffd[31mimages
                     to do: remove
                     https://very.long.example/that/nobody/can/break
                     and go on
`
	if got := out.String(); got != strings.ReplaceAll(want, `\ufffd`, "\ufffd") {
		t.Errorf("got:\n%s", got)
	}
	p.colours = true
	if got := p.coloured(doctor.Fail); got != "\x1b[31mfail\x1b[m" {
		t.Errorf("coloured %q", got)
	}
}
