package objectstore

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anuket-project/xtci/internal/miniotest"
)

// told stands in for a store that answers everything alike.
func told(code int, header map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for key, value := range header {
			w.Header().Set(key, value)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		handler   http.HandlerFunc
		want      string // in the error; empty for none
		permanent bool
	}{
		"ready":                {handler: told(200, map[string]string{"Server": "MinIO"}, "")},
		"listening, no disks":  {handler: told(200, map[string]string{"X-Minio-Server-Status": "offline"}, ""), want: "offline"},
		"starting":             {handler: told(503, nil, "<Error>"), want: "503"},
		"a gateway before it":  {handler: told(504, nil, ""), want: "504"},
		"another service":      {handler: told(404, nil, "<html>"), want: "another service", permanent: true},
		"a proxy that forbids": {handler: told(403, nil, "<html>"), want: "another service", permanent: true},
		"a redirect":           {handler: told(302, map[string]string{"Location": "/login"}, ""), want: "another service", permanent: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			err := Ready(t.Context(), server.URL)
			if tt.want == "" && err == nil {
				return
			}
			if err == nil || tt.want == "" || !strings.Contains(err.Error(), tt.want) || isPermanent(err) != tt.permanent {
				t.Errorf("%v (permanent %v), want %q (permanent %v)", err, isPermanent(err), tt.want, tt.permanent)
			}
		})
	}
	t.Run("a real one", func(t *testing.T) {
		t.Parallel()
		s := miniotest.Start(t)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for err := Ready(t.Context(), s.Endpoint); err != nil; err = Ready(t.Context(), s.Endpoint) {
			if isPermanent(err) {
				t.Fatal(err)
			}
			<-tick.C // the test's own deadline ends it
		}
		s.Kill(t)
		if err := Ready(t.Context(), s.Endpoint); err == nil || isPermanent(err) {
			t.Errorf("killed: %v", err)
		}
	})
}

// TestDown is that a store that is not there is told soon, and may come yet.
func TestDown(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	endpoint := "http://" + listener.Addr().String()
	listener.Close()
	calls := map[string]func() error{
		"Ready": func() error { return Ready(t.Context(), endpoint) },
		"Provision": func() error {
			_, err := Provision(t.Context(), standInOptions(endpoint))
			return err
		},
		"VerifyExternal": func() error { return VerifyExternal(t.Context(), standInExternal(endpoint)) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			err := call()
			if err == nil || isPermanent(err) || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), endpoint) {
				t.Errorf("%v: want that %s refuses connections, which waiting may mend", err, endpoint)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("told after %v", took)
			}
		})
	}
}

func standInOptions(endpoint string) Options {
	return Options{
		Endpoint: endpoint, AccessKey: "root", SecretKey: "a secret of root",
		JobsAccessKey: "jobs", JobsSecretKey: "a secret of jobs", Bucket: "xtesting",
	}
}

func standInExternal(endpoint string) External {
	return External{Endpoint: endpoint, AccessKey: "jobs", SecretKey: "a secret of jobs", Bucket: "xtesting"}
}

// TestProvisionWhileStarting puts what a MinIO says on its way up before a
// real one.
func TestProvisionWhileStarting(t *testing.T) {
	t.Parallel()
	o := optionsFor(miniotest.Start(t))
	target, err := url.Parse(o.Endpoint)
	must(t, err)
	behind := httputil.NewSingleHostReverseProxy(target) // keeps the Host, which is signed
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isAdmin := strings.HasPrefix(r.URL.Path, "/minio/admin/")
		switch n := asked.Add(1); {
		case n%2 == 0 && n < 20 && isAdmin:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"Code":"XMinioIAMNotInitialized","Message":"IAM sub-system not initialized yet, please try again."}`)
		case n%2 == 0 && n < 20:
			w.Header().Set("X-Minio-Error-Code", "XMinioServerNotInitialized")
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			behind.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	through := o
	through.Endpoint = server.URL
	changed, err := Provision(t.Context(), through)
	if err != nil || len(changed) != 4 {
		t.Errorf("%q, %v", changed, err)
	}
	provision(t, o)
}

// TestProvisionGivesUp is that waiting for a store that never comes up ends
// when the caller says so, with what the store said.
func TestProvisionGivesUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(told(503, map[string]string{"X-Minio-Error-Code": "XMinioServerNotInitialized"}, ""))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := Provision(ctx, standInOptions(server.URL))
	if err == nil || isPermanent(err) {
		t.Errorf("%v: want an error that waiting may mend", err)
	}
}

func TestProvisionBucketOfSomebodyElse(t *testing.T) {
	t.Parallel()
	// As S3 answers, where names of buckets are everybody's.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>BucketAlreadyExists</Code><Message>The requested bucket name is not available.</Message></Error>`)
	}))
	defer server.Close()
	refused(t, standInOptions(server.URL), "name another one")
	// Where it is there, and closed.
	closed := httptest.NewServer(told(403, nil, ""))
	defer closed.Close()
	refused(t, standInOptions(closed.URL), "give the key the right")
}

func TestProvisionNotMinio(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(told(200, nil, "<html>"))
	defer server.Close()
	_, err := Provision(t.Context(), standInOptions(server.URL))
	if err == nil {
		t.Error("a web page was taken for a store")
	}
}

func TestProvisionStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	if _, err := Provision(ctx, standInOptions(server.URL)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v: want that it was cancelled", err)
	}
}

func TestPolicyEquals(t *testing.T) {
	t.Parallel()
	want := anonymousPolicy("b")
	tests := map[string]struct {
		document string
		want     bool
	}{
		"as written":           {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"]}]}`, true},
		"lists of one":         {`{"Version":"2012-10-17","Statement":{"Sid":"","Effect":"Allow","Principal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{}}}`, true},
		"with an id":           {`{"ID":"","Version":"2012-10-17","Statement":[{"Sid":"","Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"NotAction":[],"Resource":["arn:aws:s3:::b/*"]}]}`, true},
		"with more":            {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::b/*"]}]}`, false},
		"with a condition":     {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"],"Condition":{"StringEquals":{"a":["b"]}}}]}`, false},
		"with no conditions":   {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::b/*"],"Condition":{}}]}`, true},
		"of another bucket":    {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::c/*"]}]}`, false},
		"nothing":              {``, false},
		"no JSON":              {`<Error>`, false},
		"JSON of other things": {`[1,2]`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := want.equals([]byte(tt.document)); got != tt.want {
				t.Errorf("equals is %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzCanonical(f *testing.F) {
	encoded, err := anonymousPolicy("b").encode()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(encoded), `{"a":[[""],{}],"b":[1,"x",null]}`, `[`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		once := canonical(document)
		if again := canonical(text(once)); !reflect.DeepEqual(once, again) {
			t.Errorf("%#v becomes %#v", once, again)
		}
	})
}
