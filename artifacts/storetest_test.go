package artifacts

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anuket-project/xtci/internal/miniotest"
)

// contract is the same tests for every store. Each gets an
// empty one.
var contract = []struct {
	name string
	test func(*testing.T, Store)
}{
	{"what is stored is read again", storeReadsAgain},
	{"a file is replaced whole or not at all", storeReplaces},
	{"a reader that fails leaves nothing", storeFailingReader},
	{"storing stops with its context", storeInterrupted},
	{"what is not there is not there", storeNotThere},
	{"names that Put refuses", storeRefusesNames},
	{"parts of a file", storeParts},
	{"folders in the order of keys", storeLists},
	{"a folder page by page", storePages},
	{"a file system", storeFileSystem},
	{"many at once", storeAtOnce},
}

func TestDirStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, openStore(t, t.TempDir()))
		})
	}
}

func TestS3StoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t)
	for _, c := range contract {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, newBucket(t, server))
		})
	}
	t.Run("in a folder of the bucket", func(t *testing.T) {
		all := newBucket(t, server)
		putText(t, all, "beside/file", "x")
		store := *all
		store.prefix = "some/folder/"
		storeLists(t, &store)
		storeNotThere(t, &store)
		if got, err := read(t.Context(), all, "some/folder/b.txt"); err != nil || got != "b.txt" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// newBucket is a store in a bucket of its own.
func newBucket(tb testing.TB, server *miniotest.Server) *S3Store {
	tb.Helper()
	store, err := OpenS3Store(S3Options{
		Endpoint: server.Endpoint, Bucket: "bucket-" + strings.ToLower(rand.Text()),
		Credentials: Credentials{server.AccessKey, server.SecretKey},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	for range 2 { // safe to repeat
		if err := store.CreateBucket(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	if err := store.Ping(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return store
}

func putText(tb testing.TB, store Store, key, content string) {
	tb.Helper()
	if err := store.Put(tb.Context(), key, strings.NewReader(content)); err != nil {
		tb.Fatal(err)
	}
}

// read returns what a key holds, or an error.
func read(ctx context.Context, store Store, key string) (string, error) {
	object, err := store.Open(ctx, key)
	if err != nil {
		return "", err
	}
	content, err := io.ReadAll(object)
	return string(content), errors.Join(err, object.Close())
}

func storeReadsAgain(t *testing.T, store Store) {
	const large = 2*partSize + 12345 // more than one part
	for key, size := range map[string]int{"empty.log": 0, "TAG/job-1/case/e2e.log": 1000, "TAG/job-1/größe 1+2%20&?#.txt": 70_000, "part": partSize, "large.zip": large} {
		content := make([]byte, size)
		_, _ = rand.Read(content)
		before := time.Now().Add(-time.Minute)
		if err := store.Put(t.Context(), key, iotest.HalfReader(bytes.NewReader(content))); err != nil {
			t.Fatal(err)
		}
		object, err := store.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.New()
		n, err := io.Copy(digest, object)
		if err != nil || n != int64(size) || [32]byte(digest.Sum(nil)) != sha256.Sum256(content) {
			t.Errorf("%s: read %d bytes, %v, want %d as they were", key, n, err, size)
		}
		entry := object.Entry()
		if entry.Name != key[strings.LastIndexByte(key, '/')+1:] || entry.Size != int64(size) || entry.Folder || entry.ETag == "" || entry.Modified.Before(before) || entry.Modified.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s: %+v", key, entry)
		}
		if err := object.Close(); err != nil {
			t.Error(err)
		}
		if _, err := object.Read(make([]byte, 1)); err == nil && size > 0 {
			t.Errorf("%s: read after Close", key)
		}
	}
}

func storeReplaces(t *testing.T, store Store) {
	putText(t, store, "TAG/file", "old")
	before, err := store.Open(t.Context(), "TAG/file")
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	putText(t, store, "TAG/file", "newer")
	if got, err := read(t.Context(), store, "TAG/file"); got != "newer" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	// who opened the old one gets that or an error, never a mixture
	if content, err := io.ReadAll(before); err == nil && string(content) != "old" {
		t.Errorf("opened before: %q", content)
	}
	after, err := store.Open(t.Context(), "TAG/file")
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if before.Entry().ETag == after.Entry().ETag {
		t.Error("another file has the same ETag")
	}
}

func storeFailingReader(t *testing.T, store Store) {
	bad := errors.New("bad block")
	putText(t, store, "TAG/kept", "old")
	for name, content := range map[string]io.Reader{
		"at once":       iotest.ErrReader(bad),
		"in the middle": io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), iotest.ErrReader(bad)),
		"after a part":  io.MultiReader(strings.NewReader(strings.Repeat("x", partSize+1<<20)), iotest.ErrReader(bad)),
		"after two":     io.MultiReader(strings.NewReader(strings.Repeat("x", 3*partSize+1)), iotest.ErrReader(bad)),
	} {
		for _, key := range []string{"TAG/kept", "TAG/new"} {
			if err := store.Put(t.Context(), key, content); !errors.Is(err, bad) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: got %v, want an error that names %s and wraps its cause", name, err, key)
			}
			content = iotest.ErrReader(bad)
		}
	}
	if got, err := read(t.Context(), store, "TAG/kept"); got != "old" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := store.Open(t.Context(), "TAG/new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part is there: %v", err)
	}
}

func storeInterrupted(t *testing.T, store Store) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	cause := errors.New("interrupt signal received")
	sent := 0
	endless := readFunc(func(p []byte) (int, error) {
		if sent += len(p); sent > partSize*3/2 {
			interrupt(cause)
		}
		return len(p), nil
	})
	if err := store.Put(ctx, "TAG/endless", endless); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
	if _, err := store.Open(t.Context(), "TAG/endless"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part is there: %v", err)
	}
	putText(t, store, "TAG/file", "content")
	if _, err := read(ctx, store, "TAG/file"); err != nil && !errors.Is(err, cause) {
		t.Errorf("reading: got %v, want the cause, if any error", err)
	}
	if _, _, err := store.List(ctx, "TAG", "", 10); !errors.Is(err, cause) {
		t.Errorf("listing: got %v, want the cause", err)
	}
}

func storeNotThere(t *testing.T, store Store) {
	putText(t, store, "TAG/job-1/file", "content")
	for _, key := range []string{
		"nothing", "TAG/nothing", "TAG/job-1/file/below", "TAG", "TAG/job-1", "TA", "TAG/job-1/fil",
		"", ".", "..", "/", "../etc/passwd", "TAG/../TAG/job-1/file", "TAG//job-1/file", "/TAG/job-1/file", "TAG/job-1/file/", "./TAG",
		"a\x00b", "a\nb", "a\xff", "<script>", strings.Repeat("a", 300), strings.Repeat("ab/", 600) + "c",
	} {
		object, err := store.Open(t.Context(), key)
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%.40q: got %v", key, err)
		}
		if err == nil {
			object.Close()
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\x00\n") || !utf8.ValidString(err.Error())) {
			t.Errorf("the error %q shows raw bytes", err)
		}
	}
	for _, folder := range []string{"nothing", "TAG/job-1/file", "TA", "TAG/job", "", "..", "/", "TAG/", "TAG/..", "a\x00b", strings.Repeat("ab/", 600) + "c"} {
		if _, _, err := store.List(t.Context(), folder, "", 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%.40q: got %v", folder, err)
		}
	}
}

func storeRefusesNames(t *testing.T, store Store) {
	for _, key := range []string{
		"", ".", "..", "../a", "a/../b", "a/./b", "a//b", "a/", "/etc/passwd",
		`a\b`, "C:/a", "a\x00b", "a\nb", "a\u202eb", "a\xff", ".part-x", "TAG/.part-x", strings.Repeat("a", 2000),
	} {
		if err := store.Put(t.Context(), key, strings.NewReader("x")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%.40q: got %v", key, err)
		}
	}
	if entries, _, err := store.List(t.Context(), ".", "", 10); err != nil || len(entries) > 0 {
		t.Errorf("stored %v, %v", entries, err)
	}
}

func storeParts(t *testing.T, store Store) {
	content := strings.Repeat("0123456789", 100_000)
	putText(t, store, "file", content)
	object, err := store.Open(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	if err := iotest.TestReader(object, []byte(content)[:0]); err == nil {
		t.Error("it reads as if it were empty")
	}
	for _, test := range []struct {
		offset int64
		length int
		want   string
		err    error
	}{
		{0, 3, "012", nil},
		{999_990, 10, "0123456789", nil},
		{999_995, 10, "56789", io.EOF},
		{1_000_000, 1, "", io.EOF},
		{2_000_000, 1, "", io.EOF},
		{123_456, 0, "", nil},
	} {
		got := make([]byte, test.length)
		n, err := object.ReadAt(got, test.offset)
		if string(got[:n]) != test.want || !errors.Is(err, test.err) {
			t.Errorf("ReadAt(%d, %d): %q, %v", test.offset, test.length, got[:n], err)
		}
	}
	if _, err := object.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("read before the beginning")
	}
	for _, seek := range []struct {
		offset int64
		whence int
		at     int64
	}{{500_001, io.SeekStart, 500_001}, {2, io.SeekCurrent, 500_007}, {-3, io.SeekEnd, 999_997}, {0, io.SeekStart, 0}} {
		at, err := object.Seek(seek.offset, seek.whence)
		if err != nil || at != seek.at {
			t.Fatalf("Seek(%d, %d): %d, %v, want %d", seek.offset, seek.whence, at, err, seek.at)
		}
		want := content[at:min(at+4, int64(len(content)))]
		got := make([]byte, len(want))
		if _, err := io.ReadFull(object, got); err != nil || string(got) != want {
			t.Errorf("read at %d: %q, %v, want %q", at, got, err, want)
		}
	}
	if _, err := object.Seek(-1, io.SeekStart); err == nil {
		t.Error("went before the beginning")
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			got := make([]byte, 100_000)
			if _, err := object.ReadAt(got, int64(i)*100_000); err != nil || string(got) != content[:100_000] {
				t.Errorf("ReadAt at once: %v", err)
			}
		})
	}
	group.Wait()
}

func storeLists(t *testing.T, store Store) {
	for _, key := range []string{"b.txt", "a.zip", "a/x/1", "a/x/2", "a/y.log", "a.d/z", "aa", "ä/ö", "<script>alert(1)</script>", "a b", "%2e%2e"} {
		putText(t, store, key, key)
	}
	file := func(key string) Entry {
		return Entry{Name: key[strings.LastIndexByte(key, '/')+1:], Size: int64(len(key))}
	}
	folder := func(name string) Entry { return Entry{Name: name, Folder: true} }
	for name, want := range map[string][]Entry{
		".":   {file("%2e%2e"), folder("<script>alert(1)<"), file("a b"), folder("a.d"), file("a.zip"), folder("a"), file("aa"), file("b.txt"), folder("ä")},
		"a":   {folder("x"), file("a/y.log")},
		"a/x": {file("a/x/1"), file("a/x/2")},
		"ä":   {file("ä/ö")},
	} {
		got, more, err := store.List(t.Context(), name, "", 100)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Entry{}, "Modified", "ETag")); diff != "" || more || err != nil {
			t.Errorf("%s: more %v, %v (-want +got):\n%s", name, more, err, diff)
		}
		for _, e := range got {
			if !e.Folder && (e.ETag == "" || e.Modified.IsZero()) {
				t.Errorf("%s: %+v", name, e)
			}
			if object, err := store.Open(t.Context(), strings.TrimPrefix(name+"/"+e.Name, "./")); err == nil {
				if diff := cmp.Diff(e.ETag, object.Entry().ETag); diff != "" {
					t.Errorf("ETag of %s in its folder and by itself: %s", e.Name, diff)
				}
				object.Close()
			} else if !e.Folder {
				t.Error(err)
			}
		}
	}
}

func storePages(t *testing.T, store Store) {
	const all = 1203 // S3 answers 1,000 at a time
	var want []string
	var group sync.WaitGroup
	tokens := make(chan struct{}, 16)
	for i := range all {
		key := fmt.Sprintf("f/%04d.log", i)
		if i%7 == 0 {
			key = fmt.Sprintf("f/%04d/file", i)
		}
		want = append(want, key[2:6])
		group.Go(func() {
			tokens <- struct{}{}
			defer func() { <-tokens }()
			if err := store.Put(t.Context(), key, strings.NewReader("x")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, limit := range []int{1, 100, 1000, all - 1, all, all + 1} {
		var got []string
		pages := 0
		for after, more := "", true; more && pages < 30; pages++ {
			var entries []Entry
			var err error
			if entries, more, err = store.List(t.Context(), "f", after, limit); err != nil {
				t.Fatal(err)
			}
			if len(entries) > limit || more && len(entries) < limit {
				t.Errorf("%d entries of %d, more %v", len(entries), limit, more)
			}
			for _, e := range entries {
				got = append(got, e.Name[:4])
				after = e.After()
			}
		}
		if diff := cmp.Diff(want[:len(got)], got); diff != "" || len(got) < all && limit*pages > len(got) {
			t.Errorf("by %d: %d names (-want +got):\n%s", limit, len(got), diff)
		}
	}
}

func storeFileSystem(t *testing.T, store Store) {
	files := []string{"TAG.json", "TAG/job-1/case/e2e.log", "TAG/job-1/file", "TAG/job-2/file", "empty"}
	for _, key := range files {
		putText(t, store, key, strings.Repeat(key, 10))
	}
	putText(t, store, "empty", "")
	fsys := FS(t.Context(), store)
	if err := fstest.TestFS(fsys, files...); err != nil {
		t.Error(err)
	}
	var walked []string
	if err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			walked = append(walked, name)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	slices.Sort(walked)
	if diff := cmp.Diff(files, walked); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if _, err := fs.Stat(fsys, "TAG/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func storeAtOnce(t *testing.T, store Store) {
	var group sync.WaitGroup
	for i := range 20 {
		own, content := fmt.Sprintf("TAG/job-%d/deep/file", i), strings.Repeat(fmt.Sprint(i%10), 100_000)
		group.Go(func() {
			for _, key := range []string{own, "TAG/shared"} {
				if err := store.Put(t.Context(), key, strings.NewReader(content)); err != nil {
					t.Error(err)
				}
			}
			if got, err := read(t.Context(), store, own); got != content || err != nil {
				t.Errorf("%s: %d bytes, %v", own, len(got), err)
			}
		})
	}
	group.Wait()
	shared, err := read(t.Context(), store, "TAG/shared")
	if err != nil || len(shared) != 100_000 || strings.Trim(shared, shared[:1]) != "" {
		t.Errorf("a file that several wrote is that of none: %d bytes, %v", len(shared), err)
	}
}
