package artifacts

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/miniotest"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()
	store := newBucket(t, miniotest.Start(t))
	files := []string{"TAG/job-1/case/e2e.log", "TAG/job-1/file", "TAG/job-2/file", "TAG/job.txt"}
	for _, key := range append([]string{"TAG.json", "TAG2/file"}, files...) {
		putText(t, store, key, strings.Repeat(key, 10))
	}
	// what others stored, under names that no file can have or that are folders
	for _, key := range []string{"TAG/marker/", "TAG/<script>", "TAG/evil\u202egnp"} {
		putForeign(t, store, key, "")
	}
	shot, err := store.snapshot(t.Context(), "TAG")
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(shot, files...); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(walk(t, FS(t.Context(), store)), walk(t, shot)); diff != "" {
		t.Errorf("it shows other files than the store (-store +snapshot):\n%s", diff)
	}
	none, err := store.snapshot(t.Context(), "NOTHING")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.ReadDir(none, "NOTHING"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// walk lists files and folders with what is known of them, as one line each.
func walk(t *testing.T, files fs.FS) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(files, "TAG", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			all = append(all, name+" "+fs.FormatFileInfo(info))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// What changes after the listing is an error, and never other content.
func TestSnapshotOfWhatChanges(t *testing.T) {
	t.Parallel()
	store := newBucket(t, miniotest.Start(t))
	for _, name := range []string{"stays", "replaced", "read and replaced", "removed"} {
		putText(t, store, "TAG/"+name, "the old one")
	}
	shot, err := store.snapshot(t.Context(), "TAG")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(shot, "TAG/read and replaced"); err != nil || string(got) != "the old one" {
		t.Errorf("%q, %v", got, err)
	}
	putText(t, store, "TAG/replaced", "the new one")
	putText(t, store, "TAG/read and replaced", "the new one")
	putText(t, store, "TAG/later", "x")
	removeObject(t, store, "TAG/removed")
	for name, want := range map[string]string{
		"stays": "", "replaced": "it was replaced", "read and replaced": "it was replaced", "removed": "file does not exist", "later": "file does not exist",
	} {
		got, err := fs.ReadFile(shot, "TAG/"+name)
		switch {
		case want == "" && err == nil && string(got) == "the old one":
		case want == "" || err == nil || !strings.Contains(err.Error(), want):
			t.Errorf("%s: %q, %v, want an error: %s", name, got, err, want)
		}
	}
}

// A server that knows no conditions answers with the new object.
func TestS3StoreObjectReplacedOnASimpleServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", "Tue, 06 Jan 2026 12:00:00 GMT")
		w.Header().Set("ETag", map[string]string{http.MethodHead: `"old"`, http.MethodGet: `"new"`}[r.Method])
		_, _ = io.WriteString(w, "the new one")
	}))
	t.Cleanup(server.Close)
	object, err := openS3(t, S3Options{Endpoint: server.URL, Bucket: "bucket"}).Open(t.Context(), "TAG/file")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if got, err := io.ReadAll(object); !errors.Is(err, errReplaced) {
		t.Errorf("%q, %v", got, err)
	}
}
