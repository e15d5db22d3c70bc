package installer

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

func TestWiringThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*config.Site)
		want   string // in the message, "" for none
	}{
		{"loopback with default passwords", func(*config.Site) {}, ""},
		{"another loopback", func(s *config.Site) { s.Stack.Bind = "127.0.0.2" }, ""},
		{"every address with default passwords", func(s *config.Site) { s.Stack.Bind = "0.0.0.0" }, "stack.jenkins.password, stack.minio.jobs_secret_key, stack.minio.secret_key"},
		{"one password is a default one", func(s *config.Site) {
			s.Stack.Bind, s.Stack.Jenkins.Password, s.Stack.Minio.SecretKey = "::", "not admin", "not xtesting"
		}, "everybody knows: stack.minio.jobs_secret_key"},
		{"classic on loopback", func(s *config.Site) { s.Wiring = config.WiringClassic }, "set stack.bind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			site := config.Default()
			test.change(&site)
			err := checkWiring(site)
			if (err != nil) != (test.want != "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestGeneratedPasswords(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.up() // with default ones, which then change
	l.site.Stack.Minio.SecretKey = `it's "quoted" $HOME \ # x`
	l.up()
	l.site.Stack.Minio.SecretKey = config.Default().Stack.Minio.SecretKey
	if _, err := l.site.GeneratePasswords(); err != nil {
		t.Fatal(err)
	}
	if plan := l.up(); plan != "recreate "+l.site.Stack.Name+"-minio: its files changed\n" {
		t.Errorf("plan: %s", plan)
	}
	l.healthy()
	l.site.Stack.Bind = "0.0.0.0"
	l.up()
	l.healthy()
}

func TestFilesAndAnExternalStore(t *testing.T) {
	t.Parallel()
	owner := newLab(t)
	owner.site.Stack.TestDB.Enabled = false
	owner.site.Stack.Minio.Image = dockertest.MinioImage(t, owner.engine)
	owner.site.Stack.Minio.JobsAccessKey, owner.site.Stack.Minio.JobsSecretKey = "lab-jobs", "only for this test"
	owner.up()
	endpoints, err := owner.site.Outside()
	if err != nil {
		t.Fatal(err)
	}

	l := newLab(t)
	l.site.Stack.Files.Enabled, l.site.Stack.Files.Port = true, dockertest.Port(t)
	l.site.Stack.Minio.External.Endpoint = endpoints.S3
	_ = l.fails("minio:") // with another key
	l.site.Stack.Minio.JobsAccessKey, l.site.Stack.Minio.JobsSecretKey = "lab-jobs", "only for this test"
	l.site.Stack.Files.Enabled = false // its container could not reach loopback of the host
	l.up()
	l.healthy()
	if _, ok := l.ids()["minio"]; ok {
		t.Error("a MinIO was started beside the external one")
	}
}

func TestAnExternalTestDB(t *testing.T) {
	t.Parallel()
	owner := newLab(t)
	owner.site.Stack.Minio.Enabled = false
	owner.up()
	endpoints, err := owner.site.Outside()
	if err != nil {
		t.Fatal(err)
	}
	l := newLab(t)
	l.site.Stack.Minio.Enabled = false
	l.site.Project = "otherlab"
	l.site.Stack.TestDB.External.URL = endpoints.TestDB + "/api/v1"
	l.up()
	l.healthy()
	if ids := l.ids(); len(ids) > 0 {
		t.Errorf("containers were started: %v", ids)
	}
	if err := answers(t.Context(), endpoints.TestDB+"/api/v1/pods/otherlab"); err != nil {
		t.Errorf("the pod is not registered: %v", err)
	}
	l.site.Stack.TestDB.External.URL = fmt.Sprintf("http://127.0.0.1:%d/api/v1", dockertest.Port(t))
	l.site.Stack.TestDB.Timeout = time.Second
	_ = l.fails("testdb: not healthy after 1s")
}

func TestFileServer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Files.Enabled, l.site.Stack.Files.Port = true, dockertest.Port(t)
	l.up()
	l.healthy()
	endpoints, err := l.site.Outside()
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoints.Files+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if page, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(page), "<html") {
		t.Errorf("%s, %v: %s", answer.Status, err, page)
	}
}

// testAPIStandIn is a stand-in for opnfv/testapi: xtci's own test DB, started
// without arguments, as that image is.
func testAPIStandIn(t *testing.T, l *lab) string {
	t.Helper()
	return dockertest.Shared(t, l.engine, "testapi-standin", dockertest.Rootfs{
		Files: map[string]string{"/xtci": dockertest.Build(t, "./cmd/xtci")}, Folders: []string{"/tmp"},
		Changes: []string{`ENTRYPOINT ["/xtci", "serve", "testdb", "--listen", ":8000", "--db", "/tmp/results.db"]`},
	})
}

func TestOPNFVEngine(t *testing.T) {
	t.Parallel()
	if err := checkAVX("/proc/cpuinfo"); err != nil {
		t.Skipf("NOT TESTED: this processor has no AVX: %v", err)
	}
	l := newLab(t)
	db := &l.site.Stack.TestDB
	db.Engine, db.Image = config.EngineOPNFV, testAPIStandIn(t, l)
	db.MongoImage = dockertest.Shared(t, l.engine, "mongo-standin", dockertest.Rootfs{
		Files:   map[string]string{"/testprog": dockertest.Build(t, "./internal/docker/dockertest/testprog")},
		Changes: []string{`ENTRYPOINT ["/testprog", "wait"]`},
	})
	l.up()
	l.healthy()
	container, err := l.engine.Container(t.Context(), l.ids()["mongo"])
	if err != nil || len(container.Ports) > 0 {
		t.Errorf("MongoDB asks nobody who he is, and is published: %+v, %v", container.Ports, err)
	}
	db.Engine, db.Image = config.EngineXtci, ""
	if plan := l.up(); !strings.Contains(plan, "remove "+l.site.Stack.Name+"-mongo: the site does not want mongo any more") {
		t.Errorf("plan: %s", plan)
	}
	l.healthy()
}

func TestAVX(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]bool{"flags\t\t: fpu sse avx avx2\n": true, "flags\t\t: fpu sse avx2\n": false, "": false} {
		file := filepath.Join(t.TempDir(), "cpuinfo")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := checkAVX(file); (err == nil) != want {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestClassicWiring(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.up()
	l.site.Wiring, l.site.Stack.Bind = config.WiringClassic, "0.0.0.0"
	if _, err := l.site.GeneratePasswords(); err != nil {
		t.Fatal(err)
	}
	plan := l.up()
	if !strings.Contains(plan, "remove network "+l.site.Stack.Name) {
		t.Errorf("plan: %s", plan)
	}
	l.healthy()
	if networks, err := l.engine.Networks(t.Context(), map[string]string{labelStack: l.site.Stack.Name}); err != nil || len(networks) > 0 {
		t.Errorf("networks %v, %v", networks, err)
	}
	if plan := l.up(); plan != "" {
		t.Errorf("again: %s", plan)
	}
}

func TestLocalRegistry(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.site.Stack.Minio.Enabled, l.site.Stack.TestDB.Enabled = false, false
	l.site.Stack.Registry.Enabled, l.site.Stack.Registry.Port = true, dockertest.Port(t)
	l.site.Stack.Registry.Image = dockertest.RegistryImage(t, l.engine)
	l.up()
	l.healthy()
}

func TestPasswordOfPostgreSQL(t *testing.T) {
	t.Parallel()
	where, pass, err := withoutPassword(`postgres://lab:p%3Aa%5Css@db.lab:5432/results?sslmode=require`)
	if err != nil || where != "postgres://lab@db.lab:5432/results?sslmode=require" || pass != "*:*:*:*:p\\:a\\\\ss\n" {
		t.Errorf("got %s, %q, %v", where, pass, err)
	}
	if _, _, err := withoutPassword("mysql://x:secret@y/z"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestProxiesAreHandedOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		environ, want []string
	}{
		{[]string{"PATH=/bin", "NO_PROXY=x"}, nil},
		{
			[]string{"https_proxy=http://p:3128", "NO_PROXY=.lab"},
			[]string{
				"NO_PROXY=.lab,localhost,127.0.0.1,minio,testdb,files,jenkins,registry", "https_proxy=http://p:3128",
				"no_proxy=.lab,localhost,127.0.0.1,minio,testdb,files,jenkins,registry",
			},
		},
	} {
		b := &builder{host: Host{Environ: test.environ}}
		if diff := cmp.Diff(test.want, b.proxies()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.environ, diff)
		}
	}
}
