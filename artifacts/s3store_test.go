package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/miniotest"
)

func openS3(t *testing.T, o S3Options) *S3Store {
	t.Helper()
	store, err := OpenS3Store(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// everyCall makes each call of a store and returns what came back, by call.
func everyCall(t *testing.T, store *S3Store) map[string]error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, openErr := store.Open(ctx, "TAG/file")
	_, _, listErr := store.List(ctx, "TAG", "", 10)
	return map[string]error{
		"ping": store.Ping(ctx), "open": openErr, "list": listErr,
		"put":       store.Put(ctx, "TAG/other", strings.NewReader("x")),
		"large put": store.Put(ctx, "TAG/large", io.LimitReader(zeros{}, partSize+1)),
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestS3StoreSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t)
	good := newBucket(t, server)
	putText(t, good, "TAG/file", "content")
	key := Credentials{server.AccessKey, server.SecretKey}
	const secret = "sesame-open-sesame"
	// nobody listens there
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "<html>no object store</html>", http.StatusTeapot)
	}))
	t.Cleanup(page.Close)
	for _, test := range []struct {
		name string
		S3Options
		want  error
		text  string
		calls []string
	}{
		{"a wrong secret", S3Options{Endpoint: server.Endpoint, Bucket: good.bucket, Credentials: Credentials{server.AccessKey, secret}}, fs.ErrPermission, "permission denied", nil},
		{"an unknown key", S3Options{Endpoint: server.Endpoint, Bucket: good.bucket, Credentials: Credentials{"nobody-at-all", secret}}, fs.ErrPermission, "permission denied", nil},
		{"no key", S3Options{Endpoint: server.Endpoint, Bucket: good.bucket}, fs.ErrPermission, "permission denied", nil},
		{"no such bucket", S3Options{Endpoint: server.Endpoint, Bucket: "no-such-bucket", Credentials: key}, ErrNoBucket, "no-such-bucket", []string{"ping", "list", "put", "large put"}},
		{"a bucket's name that is none", S3Options{Endpoint: server.Endpoint, Bucket: "No_Bucket", Credentials: key}, nil, "No_Bucket", nil},
		{"nobody listens", S3Options{Endpoint: closed, Bucket: "bucket", Credentials: Credentials{"key", secret}}, ErrAway, "connection refused", nil},
		{"on its way up", S3Options{Endpoint: answering(t, http.StatusServiceUnavailable, "XMinioServerNotInitialized"), Bucket: "bucket", Credentials: Credentials{"key", secret}}, ErrAway, "503", []string{"put"}},
		{"it goes away while it answers", S3Options{Endpoint: hangingUp(t), Bucket: "bucket", Credentials: Credentials{"key", secret}}, ErrAway, "unexpected EOF", nil},
		{"no room", S3Options{Endpoint: answering(t, http.StatusInsufficientStorage, "XMinioStorageFull"), Bucket: "bucket", Credentials: Credentials{"key", secret}}, ErrFull, "make room there", []string{"put"}},
		{"no object store", S3Options{Endpoint: page.URL, Bucket: "bucket", Credentials: Credentials{"key", secret}}, nil, "418", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for name, err := range everyCall(t, openS3(t, test.S3Options)) {
				if test.calls != nil && !strings.Contains(strings.Join(test.calls, ","), name) {
					continue
				}
				t.Logf("%s: %v", name, err)
				if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), test.Bucket) {
					t.Errorf("%s: got %v, want one that says %q and the bucket", name, err, test.text)
				}
				if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), server.SecretKey.Reveal())) {
					t.Errorf("%s: the error shows a secret", name)
				}
			}
		})
	}
}

// answering is an object store that answers everything so.
func answering(t *testing.T, code int, reason string) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(code)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>not now</Message></Error>", reason)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// hangingUp is an object store that hangs up on whoever asks.
func hangingUp(t *testing.T) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			err = conn.Close()
		}
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// What cannot be read is not the store's fault.
func TestS3StoreOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	store := newBucket(t, miniotest.Start(t))
	broken := errors.New("input/output error")
	for _, size := range []int64{1, 3 * partSize} {
		content := io.MultiReader(io.LimitReader(zeros{}, size), iotest.ErrReader(broken))
		if err := store.Put(t.Context(), "TAG/file", content); !errors.Is(err, broken) || errors.Is(err, ErrAway) {
			t.Errorf("after %d bytes: got %v", size, err)
		}
	}
}

func TestS3EndpointsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{"", "127.0.0.1:9000", "ftp://host", "http://", "http://host/path", "http://host?x=sesame", "http://user:sesame@host", "http://user:sesame@ho st", "http://host:port"} {
		_, err := OpenS3Store(S3Options{Endpoint: endpoint, Bucket: "bucket"})
		if err == nil || !strings.Contains(err.Error(), "endpoint") {
			t.Errorf("%q: got %v", endpoint, err)
		}
		if err != nil && strings.Contains(err.Error(), "user") && strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: the error %v shows a password", endpoint, err)
		}
	}
}

func TestS3StoreServerIsLost(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t)
	store := newBucket(t, server)
	if err := store.Put(t.Context(), "large", io.LimitReader(zeros{}, 64<<20)); err != nil {
		t.Fatal(err)
	}
	object, err := store.Open(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if _, err := io.CopyN(io.Discard, object, 1<<20); err != nil {
		t.Fatal(err)
	}
	sent := 0
	err = store.Put(t.Context(), "lost", readFunc(func(p []byte) (int, error) {
		if sent += len(p); sent > 3*partSize {
			server.Kill(t)
			return 0, io.EOF
		}
		return len(p), nil
	}))
	if !errors.Is(err, ErrAway) || !strings.Contains(err.Error(), `store "lost"`) {
		t.Errorf("storing: got %v", err)
	}
	n, err := io.Copy(io.Discard, object)
	if err == nil || !strings.Contains(err.Error(), `read "large"`) {
		t.Errorf("read %d bytes, %v: a part must not look like the whole", n, err)
	}
}

func TestS3StoreObjectReplacedWhileItIsRead(t *testing.T) {
	t.Parallel()
	store := newBucket(t, miniotest.Start(t))
	putText(t, store, "file", "the old one")
	object, err := store.Open(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	putText(t, store, "file", "the new one")
	if _, err := io.ReadAll(object); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("got %v", err)
	}
	if _, err := object.ReadAt(make([]byte, 3), 4); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("got %v", err)
	}
}

// What a failed Put had sent is not kept by the server.
func TestS3StoreLeavesNoParts(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t)
	store := newBucket(t, server)
	ctx, interrupt := context.WithCancel(t.Context())
	sent := 0
	err := store.Put(ctx, "large", readFunc(func(p []byte) (int, error) {
		if sent += len(p); sent > 4*partSize {
			interrupt()
		}
		return len(p), nil
	}))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var left []string
	err = filepath.WalkDir(filepath.Join(server.Folder, ".minio.sys", "multipart"), func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			left = append(left, name)
		}
		return err
	})
	if (err != nil && !errors.Is(err, fs.ErrNotExist)) || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// putForeign stores as others do, under any name.
func putForeign(t *testing.T, store *S3Store, key, content string) {
	t.Helper()
	if _, err := store.client.Client.PutObject(t.Context(), store.bucket, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
		t.Fatalf("%q: %v", key, err)
	}
}

func removeObject(t *testing.T, store *S3Store, key string) {
	t.Helper()
	if err := store.client.RemoveObject(t.Context(), store.bucket, key, minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Others store under names that Put refuses.
func TestS3StoreOfOthersNames(t *testing.T) {
	t.Parallel()
	store := newBucket(t, miniotest.Start(t))
	good := []string{"<script>x", "a\nb", "a\r\nb", "evil\u202egnp", "back\\slash", "%2e%2e", "+ &?#", "\x1b[31m", strings.Repeat("n", 200)}
	for _, name := range append([]string{"marker/"}, good...) { // the first is a folder, as some tools make it
		content := name
		if strings.HasSuffix(name, "/") {
			content = ""
		}
		putForeign(t, store, "TAG/"+name, content)
	}
	entries, _, err := store.List(t.Context(), "TAG", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if e.Folder {
			continue
		}
		got = append(got, e.Name)
		if content, err := read(t.Context(), store, "TAG/"+e.Name); err != nil || content != e.Name {
			t.Errorf("%q: %q, %v", e.Name, content, err)
		}
	}
	slices.Sort(good)
	slices.Sort(got)
	if diff := cmp.Diff(good, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if entries, _, err := store.List(t.Context(), "TAG/marker", "", 10); err == nil && len(entries) > 0 {
		t.Errorf("a folder's mark is in it: %v", entries)
	}
}

func TestS3StoreContentTypes(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t)
	store := newBucket(t, server)
	for key, want := range map[string]string{"a.log": "text/plain; charset=utf-8", "a.html": "text/html; charset=utf-8", "a.zip": "application/zip", "subunit_stream": "application/octet-stream"} {
		putText(t, store, key, "x")
		info, err := store.stat(t.Context(), key)
		if err != nil || info.ContentType != want {
			t.Errorf("%s: %q, %v, want %q", key, info.ContentType, err, want)
		}
	}
}

// Memory does not grow with what is stored or read.
func TestS3StoreMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: much data")
	}
	server := miniotest.Start(t)
	store := newBucket(t, server)
	const size, limit = 400 << 20, 64 << 20
	peak := watchMemory(t)
	if err := store.Put(t.Context(), "large", io.LimitReader(zeros{}, size)); err != nil {
		t.Fatal(err)
	}
	object, err := store.Open(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if n, err := io.Copy(io.Discard, object); err != nil || n != size {
		t.Fatal(n, err)
	}
	if used := peak(); used > limit {
		t.Errorf("%d MiB of memory for %d MiB, want %d at most", used>>20, size>>20, limit>>20)
	}
}

// watchMemory looks at the heap until the function is called, which returns
// by how much it was larger at most.
func watchMemory(t *testing.T) func() uint64 {
	t.Helper()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	before, peak := heap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				peak = max(peak, heap())
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		if peak < before {
			return 0
		}
		return peak - before
	}
}

func TestReadCredentials(t *testing.T) {
	t.Parallel()
	const good = "# of the lab\n[other]\naws_access_key_id = no\n\n[default]\r\naws_access_key_id=key\n aws_secret_access_key = se=cret \nregion = x\n[third]\naws_access_key_id = third\naws_secret_access_key = 3\n"
	for _, test := range []struct {
		name, text, profile string
		want                Credentials
		err                 string
	}{
		{"default", good, "", Credentials{"key", "se=cret"}, ""},
		{"a profile", good, "third", Credentials{"third", "3"}, ""},
		{"no such profile", good, "fourth", Credentials{}, "no section [fourth]"},
		{"half a key", good, "other", Credentials{}, "wants aws_access_key_id and aws_secret_access_key"},
		{"empty", "", "", Credentials{}, "no section [default]"},
		{"no settings", "[default]\nsesame\n", "", Credentials{}, "line 2: want NAME = VALUE"},
		{"a section that does not end", "[default\n", "", Credentials{}, "line 1"},
		{"one endless line", "[default]\nx=" + strings.Repeat("sesame", 100_000), "", Credentials{}, "too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "credentials")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := ReadCredentials(file, test.profile)
			if got != test.want || (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), file)) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if _, err := ReadCredentials(filepath.Join(t.TempDir(), "none"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", Credentials{"k", "sesame"}, Credentials{"k", "sesame"}, Credentials{"k", config.Secret("sesame")}); strings.Contains(text, "sesame") {
		t.Errorf("a key shows itself: %s", text)
	}
}

func FuzzReadCredentials(f *testing.F) {
	f.Add("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
	f.Add("[default")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCredentials(bytes.NewBufferString(text), "default")
		if (err == nil) != (c.AccessKey != "" && c.SecretKey != "") {
			t.Errorf("%v, %v", c, err)
		}
	})
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"e2e.log": "text/plain; charset=utf-8", "a/REPORT.HTML": "text/html; charset=utf-8", "repositories.yml": "text/plain; charset=utf-8",
		"junit_01.xml": "text/xml; charset=utf-8", "x.json": "application/json", "netperf.svg": "image/svg+xml", "TAG.zip": "application/zip",
		"subunit_stream": "application/octet-stream", "": "application/octet-stream", "a.b/c": "application/octet-stream", ".log": "text/plain; charset=utf-8",
	} {
		if got := ContentType(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
