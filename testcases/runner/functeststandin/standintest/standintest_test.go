package standintest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
)

const program = "./testcases/runner/functeststandin"

// kubeconfig is a file to be mounted: the stand-in wants that it is there.
func kubeconfig(t *testing.T) docker.Mount {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("kind: Config\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return docker.Mount{Source: file, Target: "/root/.kube/config", ReadOnly: true}
}

// start starts a container, which is gone when the test ends.
func start(t *testing.T, engine *docker.Engine, c docker.Container) (id string) {
	t.Helper()
	c.Name = dockertest.Name(t)
	c.Labels = map[string]string{dockertest.Label: c.Name}
	c.Mounts = append(c.Mounts, kubeconfig(t))
	c.Env = append([]string{"DEPLOY_SCENARIO=k8-nosdn-nofeature-noha"}, c.Env...)
	dockertest.Cleanup(t, engine, c.Labels)
	id, err := engine.Create(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return id
}

func logs(ctx context.Context, engine *docker.Engine, id string) (string, error) {
	var out bytes.Buffer
	err := engine.Logs(ctx, id, docker.LogOptions{Stdout: &out, Stderr: &out})
	return out.String(), err
}

// wait waits for the end of a container.
func wait(t *testing.T, engine *docker.Engine, id string) (docker.Exit, string) {
	t.Helper()
	exit, err := engine.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	console, err := logs(t.Context(), engine, id)
	if err != nil {
		t.Fatal(err)
	}
	return exit, console
}

func TestHowContainersEnd(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	image := Image(t, engine, "healthcheck")
	one := []string{"run_tests", "-t", "k8s_quick"}
	for _, tt := range []struct {
		name    string
		command []string
		env     []string
		memory  int64
		code    int
		oom     bool
		says    string
	}{
		{"passes", one, []string{"FUNCTEST_STANDIN_PASS=all"}, 0, 0, false, "Result.EX_OK"},
		{"fails", one, []string{"FUNCTEST_STANDIN_FAIL=all"}, 0, 255, false, "The test case 'k8s_quick' failed."},
		{"is skipped", one, []string{"DEPLOY_SCENARIO=os-nosdn-nofeature-noha"}, 0, 0, false, "SKIP"},
		{"is of another container", []string{"run_tests", "-t", "sig_apps"}, nil, 0, 255, false, "Unknown test case or tier 'sig_apps'"},
		{"by default runs all", nil, nil, 0, 0, false, "TESTS TO BE EXECUTED"},
		{"crashes", one, []string{"FUNCTEST_STANDIN_CRASH=137"}, 0, 137, false, "Running test case"},
		{"takes all memory", one, []string{"FUNCTEST_STANDIN_OOM=all"}, 64 << 20, 137, true, "Running test case"},
		{"is told nonsense", one, []string{"FUNCTEST_STANDIN_NONSENSE=1"}, 0, 64, false, "FUNCTEST_STANDIN_NONSENSE is no variable"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			exit, console := wait(t, engine, start(t, engine, docker.Container{Image: image, Command: tt.command, Env: tt.env, Memory: tt.memory}))
			if exit.Code != tt.code || exit.OOMKilled != tt.oom || !strings.Contains(console, tt.says) {
				t.Errorf("%+v, want %d with %q:\n%s", exit, tt.code, tt.says, console)
			}
		})
	}
}

func TestHowContainersStop(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	image := Image(t, engine, "healthcheck")
	for _, tt := range []struct {
		name  string
		env   string
		grace time.Duration
		init  bool
		code  int
	}{
		{"hangs until SIGTERM", "HANG=k8s_quick", time.Minute, false, 143},
		{"hangs and is deaf", "DEAF=k8s_quick", time.Second, false, 137},
		{"as process 1 is deaf", "SLOW=1h", time.Second, false, 137},
		{"as a child of an init is not", "SLOW=1h", time.Minute, true, 143},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id := start(t, engine, docker.Container{Image: image, Command: []string{"run_tests", "-t", "k8s_quick"}, Env: []string{"FUNCTEST_STANDIN_" + tt.env}, Init: tt.init})
			says := "Running test case"
			if !strings.HasPrefix(tt.env, "SLOW") {
				says = "the stand-in hangs"
			}
			dockertest.Until(t, time.Minute, "it runs", func(ctx context.Context) error {
				console, err := logs(ctx, engine, id)
				if err == nil && !strings.Contains(console, says) {
					err = errors.New(console)
				}
				return err
			})
			if err := engine.Stop(t.Context(), id, tt.grace); err != nil {
				t.Fatal(err)
			}
			if exit, console := wait(t, engine, id); exit.Code != tt.code {
				t.Errorf("%+v, want %d:\n%s", exit, tt.code, console)
			}
		})
	}
}

func TestContainerPublishes(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	name, port := dockertest.Name(t), dockertest.Port(t)
	labels := map[string]string{dockertest.Label: name}
	dockertest.Cleanup(t, engine, labels)
	network, err := engine.CreateNetwork(t.Context(), docker.Network{Name: name, Labels: labels})
	if err != nil {
		t.Fatal(err)
	}
	minio, err := engine.Create(t.Context(), docker.Container{
		Name: name, Image: dockertest.MinioImage(t, engine), Command: []string{"server", "/data"}, Labels: labels,
		Network: network.ID, Aliases: []string{"minio"}, Ports: []docker.Port{{HostIP: "127.0.0.1", Host: port, Container: 9000}},
		Env: []string{"MINIO_ROOT_USER=xtcitest", "MINIO_ROOT_PASSWORD=xtcitest-secret"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context(), minio); err != nil {
		t.Fatal(err)
	}
	results := t.TempDir()
	id := start(t, engine, docker.Container{
		Image: Image(t, engine, "benchmarking"), Command: []string{"run_tests", "-t", "netperf", "-p", "-r"}, Network: network.ID,
		Mounts: []docker.Mount{{Source: results, Target: "/var/lib/xtesting/results"}},
		Env: []string{
			"S3_ENDPOINT_URL=http://minio:9000", "S3_DST_URL=s3://xtesting/TAG00000001/job-1", "HTTP_DST_URL=http://198.51.100.7:8181/TAG00000001/job-1",
			"AWS_ACCESS_KEY_ID=xtcitest", "AWS_SECRET_ACCESS_KEY=xtcitest-secret", "TEST_DB_URL=file:///var/lib/xtesting/results/posted.txt",
		},
	})
	exit, console := wait(t, engine, id)
	if exit.Code != 0 || !strings.Contains(console, "All artifacts were successfully published: \n\nhttp://198.51.100.7:8181/TAG00000001/job-1/functest-kubernetes.log\n") {
		t.Fatalf("%+v:\n%s", exit, console)
	}
	posted, err := os.ReadFile(filepath.Join(results, "posted.txt"))
	if err != nil || !strings.Contains(string(posted), `"details": {"links": ["http://198.51.100.7:8181/TAG00000001/job-1/functest-kubernetes.log", "http://198.51.100.7:8181/TAG00000001/job-1/netperf/netperf`) {
		t.Errorf("posted %s, %v", posted, err)
	}
	store, err := artifacts.OpenS3Store(artifacts.S3Options{
		Endpoint: "http://127.0.0.1:" + strconv.Itoa(port), Bucket: "xtesting", Credentials: artifacts.Credentials{AccessKey: "xtcitest", SecretKey: config.Secret("xtcitest-secret")},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	object, err := store.Open(t.Context(), "TAG00000001/job-1/netperf/netperf.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	got, err := io.ReadAll(object)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(Sample(t), "netperf", "netperf.csv"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("object %q, %v", got, err)
	}
}

// The image that a script makes without go test.
func TestImportedRootfs(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	var rootfs bytes.Buffer
	command := exec.CommandContext(t.Context(), dockertest.Build(t, program), "rootfs", "--sample", Sample(t), "healthcheck")
	command.Stdout, command.Stderr = &rootfs, os.Stderr
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	image, err := engine.Import(t.Context(), &rootfs, "", []string{"LABEL " + dockertest.Label + "=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.RemoveImage(context.WithoutCancel(t.Context()), image); err != nil {
			t.Error(err)
		}
	})
	t.Run("containers", func(t *testing.T) { // they are gone before the image
		for _, command := range [][]string{{"run_tests", "-t", "k8s_quick"}, {"zip_campaign"}} {
			exit, console := wait(t, engine, start(t, engine, docker.Container{Image: image, Command: command, Env: []string{"TEST_DB_URL=http://127.0.0.1:1/"}}))
			says := map[string]string{"run_tests": "Result.EX_OK", "zip_campaign": "The results cannot be collected from DB"}[command[0]]
			if exit.Code != 0 || !strings.Contains(console, says) {
				t.Errorf("%s: %+v:\n%s", command, exit, console)
			}
		}
	})
}

func TestEveryTierHasAnImage(t *testing.T) {
	t.Parallel()
	engine := dockertest.Connect(t)
	for tier, ref := range Images(t, engine) {
		if image, err := engine.Image(t.Context(), ref); err != nil || !slices.Contains(image.Tags, ref) || !strings.HasPrefix(ref, "xtci-test/functest-"+tier+":") {
			t.Errorf("%s: %s: %+v, %v", tier, ref, image, err)
		}
	}
}
