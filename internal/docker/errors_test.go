package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The engine tells most failures by message only. Those here were said by
// Docker Engine 20.10, or stand in the sources of the versions named.
func TestFailuresAreToldByMessage(t *testing.T) {
	t.Parallel()
	sentinels := []error{ErrNotFound, ErrConflict, ErrUnavailable, ErrPermission, ErrNoSpace, ErrPortTaken, ErrDenied, ErrUnreachable}
	for _, test := range []struct {
		message string
		want    []error
	}{
		// starting
		{"driver failed programming external connectivity on endpoint a (b): Bind for 127.0.0.1:8080 failed: port is already allocated", []error{ErrPortTaken}},
		{"driver failed programming external connectivity on endpoint a (b): Error starting userland proxy: listen tcp4 127.0.0.1:8080: bind: address already in use", []error{ErrPortTaken}},
		{"failed to set up container networking: driver failed programming external connectivity on endpoint a (b): failed to bind host port for 127.0.0.1:8080:172.17.0.2:80/tcp: address already in use", []error{ErrPortTaken}}, // 27
		{"failed to set up container networking: driver failed programming external connectivity on endpoint a (b): failed to bind host port 127.0.0.1:8080/tcp: address already in use", []error{ErrPortTaken}},                   // 28
		{"driver failed programming external connectivity on endpoint a (b): error while calling PortManager.AddPort(): listen tcp4 0.0.0.0:8080: bind: address already in use", []error{ErrPortTaken}},                            // rootless
		{"driver failed programming external connectivity on endpoint a (b): Error starting userland proxy: listen tcp4 192.0.2.1:8080: bind: cannot assign requested address", nil},
		{"Address already in use", nil}, // an IP address on a network
		// disks
		{"write /var/lib/docker/tmp/GetImageBlob123: no space left on device", []error{ErrNoSpace}},
		{"failed to register layer: Error processing tar file(exit status 1): write /usr/lib/x: no space left on device", []error{ErrNoSpace}},
		{"mkdir /var/lib/docker/overlay2/a: disk quota exceeded", []error{ErrNoSpace}},
		// registries
		{"manifest for localhost:5000/a:b not found: manifest unknown: manifest unknown", []error{ErrNotFound}},
		{"pull access denied for a/b, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", []error{ErrDenied, ErrNotFound}},
		{`Get "https://registry.example.org/v2/a/manifests/b": unauthorized: authentication required`, []error{ErrDenied}},
		{`Head "http://localhost:5000/v2/a/manifests/b": no basic auth credentials`, []error{ErrDenied}},
		{`Get "https://registry-1.docker.io/v2/": unauthorized: incorrect username or password`, []error{ErrDenied}},
		{`Get "http://localhost:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused`, []error{ErrUnreachable}},
		{`Get "https://registry.example.org/v2/": dial tcp: lookup registry.example.org on 192.0.2.1:53: no such host`, []error{ErrUnreachable}},
		{`Get "https://registry.example.org/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)`, []error{ErrUnreachable}},
		{`Get "https://registry.example.org/v2/": context deadline exceeded`, []error{ErrUnreachable}},
		{`Get "https://registry.example.org/v2/": x509: certificate signed by unknown authority`, []error{ErrUnreachable}},
		{`Get "https://registry.example.org/v2/": tls: failed to verify certificate: x509: certificate has expired or is not yet valid`, []error{ErrUnreachable}}, // 28
		{`Get "https://192.0.2.7:5000/v2/": http: server gave HTTP response to HTTPS client`, []error{ErrUnreachable}},
		{`Get "https://registry.example.org/v2/": proxyconnect tcp: dial tcp 192.0.2.1:3128: i/o timeout`, []error{ErrUnreachable}},
		{`Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: Temporary failure in name resolution`, []error{ErrUnreachable}},
		{`failed to resolve reference "registry.example.org/a:b": failed to do request: Head "https://registry.example.org/v2/a/manifests/b": EOF`, []error{ErrUnreachable}}, // containerd's store
		{"filesystem layer verification failed for digest sha256:00", nil},
		// networks
		{"error while removing network: network a id 00 has active endpoints", []error{ErrConflict}},
		{"network with name a already exists", []error{ErrConflict}},
	} {
		err := wrap(errors.New("Error response from daemon: "+test.message), "start container %s", "web")
		var got []error
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) {
				got = append(got, sentinel)
			}
		}
		byText := cmp.Transformer("text", func(err error) string { return err.Error() })
		if diff := cmp.Diff(sorted(test.want, sentinels), got, byText); diff != "" {
			t.Errorf("%s: %s", test.message, diff)
		}
		if want := "start container web: " + test.message; err.Error() != want {
			t.Errorf("the error is %q, want %q", err, want)
		}
	}
}

// sorted puts some of all in the order of all.
func sorted(some, all []error) (in []error) {
	for _, err := range all {
		for _, want := range some {
			if errors.Is(err, want) {
				in = append(in, err)
			}
		}
	}
	return in
}

func TestContextErrorsStayThemselves(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		err := wrap(fmt.Errorf("post: %w", cause), "stop container %s", "web")
		if !errors.Is(err, cause) || errors.Is(err, ErrUnavailable) || !strings.HasPrefix(err.Error(), "stop container web: ") {
			t.Errorf("%v has become %v", cause, err)
		}
	}
	if err := wrap(nil, "stop"); err != nil {
		t.Errorf("no error has become %v", err)
	}
}

func TestProgressAddsUpLayers(t *testing.T) {
	t.Parallel()
	const stream = `{"status":"Pulling from a/b","id":"latest"}
{"status":"Pulling fs layer","progressDetail":{},"id":"one"}
{"status":"Pulling fs layer","progressDetail":{},"id":"two"}
{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"one"}
{"status":"Downloading","progressDetail":{"current":5,"total":50},"id":"two"}
{"status":"Verifying Checksum","progressDetail":{},"id":"two"}
{"status":"Downloading","progressDetail":{"current":90,"total":100},"id":"one"}
{"status":"Download complete","progressDetail":{},"id":"one"}
{"status":"Extracting","progressDetail":{"current":1,"total":100},"id":"one"}
{"status":"Pull complete","progressDetail":{},"id":"one"}
{"status":"Already exists","progressDetail":{},"id":"three"}
{"status":"Digest: sha256:00"}
`
	var got []PullProgress
	whole := layers{}
	if err := readMessages(strings.NewReader(stream), func(m message) { got = append(got, whole.add(m)) }); err != nil {
		t.Fatal(err)
	}
	want := []PullProgress{
		{"Pulling from a/b", 0, 0},
		{"Pulling fs layer", 0, 0},
		{"Pulling fs layer", 0, 0},
		{"Downloading", 10, 100},
		{"Downloading", 15, 150},
		{"Verifying Checksum", 60, 150},
		{"Downloading", 140, 150},
		{"Download complete", 150, 150},
		{"Extracting", 150, 150},
		{"Pull complete", 150, 150},
		{"Already exists", 150, 150},
		{"Digest: sha256:00", 150, 150},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ stream, want string }{
		{`{"status":"a"}{"errorDetail":{"message":"write: no space left on device"},"error":"write: no space left on device"}`, "no space left"},
		{`{"status":"a"}<html>`, "is not JSON at byte"},
		{`{"status":"a"}{"sta`, "unexpected EOF"},
		{`{"status":1}`, "cannot unmarshal"},
	} {
		err := readMessages(strings.NewReader(test.stream), func(message) {})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error is %v, want %q in it", test.stream, err, test.want)
		}
	}
}

func FuzzStream(f *testing.F) {
	f.Add(`{"status":"Downloading","progressDetail":{"current":10,"total":100},"id":"one"}{"error":"x"}`)
	f.Add(`{"aux":{"Digest":"sha256:00"}}`)
	f.Fuzz(func(t *testing.T, stream string) {
		whole := layers{}
		_ = readMessages(strings.NewReader(stream), func(m message) {
			if p := whole.add(m); p.Total >= 0 && p.Done > p.Total {
				t.Errorf("more is done than there is: %+v", p)
			}
		})
	})
}
