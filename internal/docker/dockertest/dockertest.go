package dockertest

import (
	"context"
	"crypto/rand"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// Label is on all that this package makes.
const Label = "io.xtci.test"

// Demand names the environment variable with the parts, such as
// "docker minio", that must be there: without them a test fails, rather than
// being skipped.
const Demand = "XTCI_TEST_DEMAND"

// cleanTime is how long the cleaning up after a test may take.
const cleanTime = time.Minute

// Connect connects to the engine of this machine. Without one the test is
// skipped, or fails if Demand has "docker".
func Connect(t testing.TB) *docker.Engine {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	// go test keeps results by the variables that it sees being read, one by one
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_API_VERSION", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", Demand} {
		os.Getenv(name)
	}
	engine, err := docker.Connect(ctx, docker.Options{})
	if err != nil {
		Absent(t, "docker", err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("close the connection to Docker: %v", err)
		}
	})
	return engine
}

// Absent ends a test that lacks a part.
func Absent(t testing.TB, part string, err error) {
	t.Helper()
	if strings.Contains(os.Getenv(Demand), part) {
		t.Fatalf("%s demands %s: %v", Demand, part, err)
	}
	t.Skipf("NOT TESTED, WITHOUT %s: %v", strings.ToUpper(part), err)
}

// Name makes a name that nobody else has, which will do for containers,
// networks and images.
func Name(t testing.TB) string {
	t.Helper()
	test := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(t.Name()), "-")
	if len(test) > 40 {
		test = test[:40]
	}
	return "xtci-test-" + strings.Trim(test, "-") + "-" + strings.ToLower(rand.Text()[:8])
}

// Cleanup removes the containers and networks that have all of the labels when
// the test ends. An empty value of a label matches any.
func Cleanup(t testing.TB, engine *docker.Engine, labels map[string]string) {
	t.Helper()
	if len(labels) == 0 {
		t.Fatal("clean up without a label would remove everything")
	}
	t.Cleanup(func() {
		ctx, cancel := after(t)
		defer cancel()
		containers, err := engine.Containers(ctx, labels)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
		for _, c := range containers {
			if err := engine.Remove(ctx, c.ID, true); err != nil && !errors.Is(err, docker.ErrNotFound) {
				t.Errorf("clean up: %v", err)
			}
		}
		networks, err := engine.Networks(ctx, labels)
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
		for _, n := range networks {
			if err := engine.RemoveNetwork(ctx, n.ID); err != nil && !errors.Is(err, docker.ErrNotFound) {
				t.Errorf("clean up: %v", err)
			}
		}
	})
}

// after is the context of the cleaning up: that of the test has ended by then.
func after(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), cleanTime)
}

// Port finds a TCP port on loopback that nobody uses, nor gets from this
// function before the test ends.
func Port(t testing.TB) int {
	t.Helper()
	for range 100 {
		// below those that the kernel gives to connections
		n, err := rand.Int(rand.Reader, big.NewInt(12000))
		if err != nil {
			t.Fatal(err)
		}
		port := 20000 + int(n.Int64())
		// UDP is another space of ports: it tells other tests, of this and of
		// other processes, that the port is spoken for
		reserved, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		free, err := net.ListenTCP("tcp4", &net.TCPAddr{Port: port}) // on any address
		if err != nil {
			_ = reserved.Close()
			continue
		}
		_ = free.Close()
		t.Cleanup(func() { _ = reserved.Close() })
		return port
	}
	t.Fatal("no free TCP port found")
	return 0
}

// Until calls check, every 20 ms, until it returns nil. After the time it
// fails the test with the last error.
func Until(t testing.TB, within time.Duration, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %v", what, within, err)
		case <-tick.C:
		}
	}
}

// CacheDir is the folder with what is kept between runs: xtci-test in the
// user's cache.
func CacheDir(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "xtci-test")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}
