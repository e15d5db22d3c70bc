package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	o := Options{Site: config.Default(), Suites: []string{"opnfv/functest-kubernetes-smoke:v1.23"}}
	for _, test := range []struct {
		only []string
		want []string
	}{
		{[]string{"disk"}, []string{"disk"}},
		{[]string{"port-minio*", "cpu"}, []string{"cpu", "port-minio", "port-minio-console"}},
		{[]string{"images"}, []string{"image-jenkins", "image-minio", "image-smoke"}},
		{[]string{"docker"}, []string{"docker", "docker-socket", "docker-disk", "docker-clock", "docker-proxy"}},
		{[]string{"disc"}, nil},
		{[]string{"[", "disk"}, nil},
	} {
		o.Only = test.only
		checks, err := Select(o)
		if _, ok := errors.AsType[*UnknownError](err); ok != (test.want == nil) {
			t.Errorf("%v: %v", test.only, err)
			continue
		}
		var names []string
		for _, c := range checks {
			names = append(names, c.Name)
		}
		if diff := cmp.Diff(test.want, names); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.only, diff)
		}
	}
	o.Only = []string{"disc"}
	if _, err := Select(o); err == nil || !strings.Contains(err.Error(), `"disk"`) {
		t.Errorf("got %v, want that disk was meant", err)
	}
}

// Every check ends, in the same order, on a host without Docker and without a
// kubeconfig; what needs neither is done.
func TestWithoutAnything(t *testing.T) {
	t.Parallel()
	o := options(t, nil)
	o.Connect = func(context.Context) (Engine, error) {
		return nil, errors.Join(docker.ErrUnavailable)
	}
	o.Suites = []string{"opnfv/functest-kubernetes-smoke:v1.23"}
	var names, wanted []string
	for _, c := range Checks(o) {
		wanted = append(wanted, c.Name)
	}
	all := map[string]Result{}
	if err := Run(t.Context(), o, func(r Result) { all[r.Name] = r; names = append(names, r.Name) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for name, status := range map[string]Status{
		"docker": Fail, "docker-socket": Skip, "docker-disk": Skip, "docker-clock": Skip, "docker-proxy": Skip,
		"prefix": Pass, "cpu": Skip, "proxy": Pass, "bind": Pass, "image-smoke": Skip,
		"kubeconfig": Fail, "kubeconfig-alone": Skip, "cluster": Skip, "cluster-inside": Skip, "nodes": Skip, "storage-class": Skip,
	} {
		if all[name].Status != status {
			t.Errorf("%s: %s, want %s: %s", name, all[name].Status, status, all[name].Seen)
		}
	}
	if r := all["docker-clock"]; r.Seen != "not checked: docker must pass first" {
		t.Errorf("docker-clock says %q", r.Seen)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		checks := []check{
			{Check{"stuck", "x"}, 10 * time.Second, time.Second, func(context.Context, *probe) verdict { <-never; return pass("") }},
			{Check{"polite", "x"}, 10 * time.Second, time.Second, func(ctx context.Context, _ *probe) verdict {
				<-ctx.Done()
				return fail("wait", "it was slow")
			}},
			{Check{"quick", "x"}, 10 * time.Second, time.Second, func(context.Context, *probe) verdict { return pass("fine") }},
		}
		var got []Result
		begin := time.Now()
		if err := run(t.Context(), nil, checks, func(r Result) { got = append(got, r) }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 11*time.Second {
			t.Errorf("took %s", took)
		}
		want := []Result{
			{Check{"stuck", "x"}, Fail, "no answer within 10s", "look at what it needs: a disk, Docker or a server does not answer"},
			{Check{"polite", "x"}, Fail, "it was slow", "wait"},
			{Check{"quick", "x"}, Pass, "fine", ""},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("results (-want +got):\n%s", diff)
		}
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cleaned := false
		checks := []check{{Check{"slow", "x"}, time.Minute, 20 * time.Second, func(ctx context.Context, _ *probe) verdict {
			<-ctx.Done()
			<-time.After(5 * time.Second) // it takes its time to clean up
			cleaned = true
			return pass("")
		}}}
		time.AfterFunc(3*time.Second, cancel)
		if err := run(ctx, nil, checks, func(r Result) { t.Errorf("reported %+v", r) }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if !cleaned {
			t.Error("did not wait for the check to clean up")
		}
	})
}

// What the system said was seen; what is to be done is what xtci says.
func TestNoPermissionIsNoAdvice(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("connect to Docker Engine: %w: dial unix /s: connect: permission denied: run this as root", docker.ErrPermission)
	v := unreachable(err)
	if want := "connect to Docker Engine: " + docker.ErrPermission.Error() + ": dial unix /s: connect: permission denied"; v.seen != want {
		t.Errorf("seen: %s, want %s", v.seen, want)
	}
	if want := "run this as root"; v.advice != want {
		t.Errorf("to do: %s, want %s", v.advice, want)
	}
}

func TestDockerChecks(t *testing.T) {
	t.Parallel()
	unavailable := errors.New("connect to Docker Engine at unix:///run/docker.sock: " + docker.ErrUnavailable.Error() + ": there is no such socket: start Docker")
	for _, test := range []struct {
		name   string
		change func(*standIn)
		err    error // of the connection
		check  string
		status Status
		parts  []string
	}{
		{name: "as it should be", check: "docker", status: Pass, parts: []string{"20.10.24+dfsg1", "API 1.41"}},
		{name: "newest", change: func(s *standIn) { s.info.Version = "29.0.1" }, check: "docker", status: Pass},
		{name: "too old", change: func(s *standIn) { s.info.Version = "19.03.5" }, check: "docker", status: Fail, parts: []string{"too old", "20.10"}},
		{name: "no version", change: func(s *standIn) { s.info.Version = "dev" }, check: "docker", status: Warn},
		{name: "containers of Windows", change: func(s *standIn) { s.info.OS = "windows" }, check: "docker", status: Fail, parts: []string{"windows"}},
		{name: "no answer", change: func(s *standIn) { s.infoErr = errors.New("EOF") }, check: "docker", status: Fail, parts: []string{"EOF"}},
		{name: "not there", err: &joined{unavailable, docker.ErrUnavailable}, check: "docker", status: Fail, parts: []string{"at unix:///run/docker.sock", "there is no such socket: start Docker"}},
		{name: "no permission", err: docker.ErrPermission, check: "docker-socket", status: Fail, parts: []string{docker.ErrPermission.Error()}},
		{name: "no permission is said once", err: docker.ErrPermission, check: "docker", status: Skip, parts: []string{"docker-socket"}},
		{name: "socket", check: "docker-socket", status: Pass, parts: []string{"0600"}},
		{name: "socket for everybody", change: func(s *standIn) { _ = s.open() }, check: "docker-socket", status: Warn, parts: []string{"root", "chmod o-rw"}},
		{name: "no socket", change: func(s *standIn) { s.socket = "" }, check: "docker-socket", status: Pass, parts: []string{"tcp://"}},
		{name: "disk", check: "docker-disk", status: "any"},
		{name: "disk elsewhere", change: func(s *standIn) { s.socket = "" }, check: "docker-disk", status: Skip, parts: []string{"another machine"}},
		{name: "disk in a virtual machine", change: func(s *standIn) { s.info.RootDir = "/no/such/folder" }, check: "docker-disk", status: Skip, parts: []string{"/no/such/folder"}},
		{name: "clock", check: "docker-clock", status: Pass},
		{name: "clock ahead", change: func(s *standIn) { s.info.Time = time.Now().Add(time.Minute) }, check: "docker-clock", status: Warn, parts: []string{"1m0s apart"}},
		{name: "clock behind", change: func(s *standIn) { s.info.Time = time.Now().Add(-time.Hour) }, check: "docker-clock", status: Fail, parts: []string{"1h0m", "object stores refuse"}},
		{name: "no clock", change: func(s *standIn) { s.info.Time = time.Time{} }, check: "docker-clock", status: Skip},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			engine := newStandIn(t)
			if test.change != nil {
				test.change(engine)
			}
			o := options(t, engine)
			if test.err != nil {
				o.Connect = func(context.Context) (Engine, error) { return nil, test.err }
			}
			r := results(t, o, test.check)[test.check]
			if test.status == "any" {
				test.status = r.Status
			}
			want(t, r, test.status, test.parts...)
		})
	}
}

// joined is an error with the text of one and the kind of another.
type joined struct{ text, kind error }

func (j *joined) Error() string { return j.text.Error() }
func (j *joined) Unwrap() error { return j.kind }

func TestStackCheck(t *testing.T) {
	t.Parallel()
	o := options(t, newStandIn(t))
	want(t, results(t, o, "stack")["stack"], Skip)
	o.Stack = func(context.Context, Engine) error { return errors.New("stack.bind: default passwords") }
	want(t, results(t, o, "stack")["stack"], Fail, "stack.bind: default passwords")
	o.Stack = func(_ context.Context, e Engine) error {
		if e == nil {
			return errors.New("the engine was not handed on")
		}
		return nil
	}
	want(t, results(t, o, "stack")["stack"], Pass, "wiring private")
}

func TestImages(t *testing.T) {
	t.Parallel()
	const first, mirror = "quay.io/minio/minio:1", "docker.io/minio/minio:1"
	for _, test := range []struct {
		name       string
		images     []string
		registries []string
		status     Status
		parts      []string
	}{
		{"here", []string{first}, nil, Pass, []string{first + " is here (123456789abc, 90 MiB)"}},
		{"here from a mirror", []string{mirror}, nil, Pass, []string{mirror + " is here, mirror 1 of 1"}},
		{"in its registry", nil, []string{first, mirror}, Pass, []string{first + " is not here yet; its registry has it (abcdef012345)"}},
		{"on a mirror", nil, []string{mirror}, Warn, []string{"mirror 1 of 1", "no such host", "stack.minio.image"}},
		{"nowhere", nil, nil, Fail, []string{"not here, and cannot be had from any of 2 places: " + first + ": no such host; " + mirror + ": no such host", "xtci bundle load"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			engine := newStandIn(t)
			engine.images, engine.registries = map[string]docker.Image{}, map[string]string{}
			for _, ref := range test.images {
				engine.images[ref] = docker.Image{ID: "sha256:123456789abcdef0", Size: 90 << 20}
			}
			for _, ref := range test.registries {
				engine.registries[ref] = "sha256:abcdef0123456789"
			}
			o := options(t, engine)
			o.Site.Stack.Minio.Image, o.Site.Stack.Minio.Mirrors = first, []string{mirror}
			want(t, results(t, o, "image-minio")["image-minio"], test.status, test.parts...)
		})
	}
}

func TestSiteImages(t *testing.T) {
	t.Parallel()
	o := Options{Site: config.Default(), Suites: []string{
		"opnfv/functest-kubernetes-smoke:v1.23", "opnfv/functest-kubernetes-smoke:v1.24", "registry.example:5000/lab/functest-kubernetes-smoke:v1.24", "lab/minio@sha256:ab",
	}}
	o.Site.Stack.TestDB.Engine = config.EngineOPNFV
	o.Site.Stack.Registry.Enabled = true
	o.Site.Stack.Jenkins.External.URL = "http://jenkins.example"
	var got []string
	for _, i := range siteImages(o) {
		got = append(got, i.name+" "+strings.Join(i.refs, ","))
	}
	wanted := []string{
		"minio quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z,docker.io/minio/minio:RELEASE.2025-09-07T16-13-09Z",
		"mongo docker.io/library/mongo:8.0.6", "testdb opnfv/testapi:kali", "registry docker.io/library/registry:2.8.3",
		"smoke opnfv/functest-kubernetes-smoke:v1.23", "functest-kubernetes-smoke_v1.24 opnfv/functest-kubernetes-smoke:v1.24",
		"registry.example_5000_lab_functest-kubernetes-smoke_v1.24 registry.example:5000/lab/functest-kubernetes-smoke:v1.24",
		"lab_minio_sha256_ab lab/minio@sha256:ab",
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
	var names []string
	for _, c := range Checks(o) {
		if slices.Contains(names, c.Name) {
			t.Errorf("two checks are called %s", c.Name)
		}
		names = append(names, c.Name)
	}
}
