package dockertest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

func TestMinioImageServes(t *testing.T) {
	t.Parallel()
	engine := Connect(t)
	name, port := Name(t), Port(t)
	labels := map[string]string{Label: name}
	Cleanup(t, engine, labels)
	id, err := engine.Create(t.Context(), docker.Container{
		Name: name, Image: MinioImage(t, engine), Command: []string{"server", "/data"}, Labels: labels,
		Ports:           []docker.Port{{HostIP: "127.0.0.1", Host: port, Container: 9000}},
		NoNewPrivileges: true, DropAllCaps: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	Until(t, time.Minute, "MinIO is alive", alive("http://127.0.0.1:"+strconv.Itoa(port)+"/minio/health/live"))
}

func alive(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
			return errors.Join(err, errors.New(answer.Status))
		}
		return nil
	}
}

func TestSharedImageIsMadeOnce(t *testing.T) {
	t.Parallel()
	engine := Connect(t)
	const name = "made-once"
	rootfs := Rootfs{Contents: map[string]string{"/etc/greeting": Name(t)}, Changes: []string{"LABEL one=1"}}
	// keeps it from being left behind, which is what this test alone wants
	var ref string
	t.Cleanup(func() {
		ctx, cancel := after(t)
		defer cancel()
		if err := engine.RemoveImage(ctx, ref); err != nil {
			t.Error(err)
		}
	})
	ref = Shared(t, engine, name, rootfs)
	first, err := engine.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if again := Shared(t, engine, name, rootfs); again != ref {
		t.Errorf("the same content is %s, then %s", ref, again)
	}
	second, err := engine.Image(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if first.ID != second.ID || first.Labels["one"] != "1" || first.Labels[Label] != "1" {
		t.Errorf("image was made again, or lacks its labels: %+v, %+v", first, second)
	}
}

func TestPortsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 50 {
		port := Port(t)
		if seen[port] {
			t.Fatalf("port %d was handed out twice", port)
		}
		seen[port] = true
	}
}
