package artifacts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/miniotest"
	"github.com/anuket-project/xtci/testcases"
)

// storedRecords stands in for a test DB: it has what it is given, the oldest
// first.
type storedRecords struct {
	mu      sync.Mutex
	records []testcases.Record
	err     error
	asked   func(times int)
	times   int
}

func (s *storedRecords) Results(_ context.Context, tag string) iter.Seq2[testcases.Record, error] {
	return func(yield func(testcases.Record, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.times++; s.asked != nil {
			s.asked(s.times)
		}
		if s.err != nil {
			yield(testcases.Record{}, s.err)
			return
		}
		for _, record := range s.records {
			if !yield(record, nil) {
				return
			}
		}
	}
}

// upload stores the files of a lab as its containers do, and returns its
// records as the test DB has them: with links to a file server.
func (l *lab) upload(t *testing.T, store Store) *storedRecords {
	t.Helper()
	for name, file := range l.files {
		if name == IndexName(greenTag) {
			continue
		}
		if err := store.Put(t.Context(), name, bytes.NewReader(file.Data)); err != nil {
			t.Fatal(err)
		}
	}
	records := slices.Clone(l.records)
	slices.Reverse(records)
	return &storedRecords{records: records}
}

func collected(t *testing.T, store Store, records Records, l *lab, o CollectOptions) (*Campaign, []string) {
	t.Helper()
	o.Poll = 10 * time.Millisecond
	c, missing, err := Collect(t.Context(), store, records, greenTag, l.catalog, o)
	if err != nil {
		t.Fatal(err)
	}
	return c, missing
}

// One campaign, in a folder and in a bucket: its archives are the same byte
// by byte, conformant and untouched.
func TestPublishFromEveryStore(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	l.files[path.Join(l.folder("sig_node"), "sig_node", testcases.ImageFile)] = textFile(`{"image":"opnfv/functest-kubernetes-smoke:v1.23","id":"sha256:id","digests":["opnfv/functest-kubernetes-smoke@sha256:digest"]}` + "\n")
	l.files[path.Join(l.folder("sig_apps"), "sig_apps", testcases.ImageFile)] = textFile("no JSON")
	key := benchKey(t)
	archives := map[string][]byte{}
	for name, store := range map[string]Store{"folder": openStore(t, t.TempDir()), "bucket": newBucket(t, miniotest.Start(t))} {
		c, missing := collected(t, store, l.upload(t, store), l, CollectOptions{})
		if len(missing) > 0 {
			t.Errorf("%s: missing %v", name, missing)
		}
		if diff := cmp.Diff(map[string]string{"opnfv/functest-kubernetes-smoke:v1.23": "sha256:digest"}, c.Declared.Images); diff != "" {
			t.Errorf("%s: images (-want +got):\n%s", name, diff)
		}
		c.Declared.Tool, c.Declared.Release = "xtci test", "v1.23"
		assessment, err := Publish(t.Context(), store, c, l.catalog, key)
		if err != nil || assessment.Verdict != testcases.Conformant {
			t.Fatalf("%s: %v, %v", name, assessment, err)
		}
		archive, err := read(t.Context(), store, ArchiveName(greenTag))
		if err != nil {
			t.Fatal(err)
		}
		archives[name] = []byte(archive)
	}
	if !bytes.Equal(archives["folder"], archives["bucket"]) {
		t.Error("the archives differ")
	}
	file := filepath.Join(t.TempDir(), ArchiveName(greenTag))
	if err := os.WriteFile(file, archives["bucket"], 0o600); err != nil {
		t.Fatal(err)
	}
	review, err := ReviewArchive(t.Context(), file, ReviewOptions{Key: &key.PublicKey, Limits: DefaultLimits(), Release: "v1.23", Tool: "xtci test"})
	if err != nil || !review.Good() {
		t.Errorf("%+v, %v", review, err)
	}
	if bytes.Contains(archives["bucket"], []byte("http://")) {
		t.Error("a link leads out of the archive")
	}
}

// A file that no archive can hold is left out, and named: the archive is none
// that a review refuses.
func TestPublishLeavesOutWhatNoArchiveCanHold(t *testing.T) {
	t.Parallel()
	skipShort(t)
	l := flawlessLab(t)
	dir := t.TempDir()
	store := openStore(t, dir)
	records := l.upload(t, store)
	for _, name := range []string{"line\nbreak", `back\slash`, "evil\u202egnp.log"} {
		if err := os.WriteFile(filepath.Join(dir, l.folder("sig_node"), name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, missing := collected(t, store, records, l, CollectOptions{Wait: time.Hour})
	if len(missing) != 3 || !strings.Contains(strings.Join(missing, "\n"), `line\nbreak", which no archive can hold`) {
		t.Errorf("left out %q", missing)
	}
	key := benchKey(t)
	c.Declared.Tool, c.Declared.Release = "xtci test", "v1.23"
	if _, err := Publish(t.Context(), store, c, l.catalog, key); err != nil {
		t.Fatal(err)
	}
	review, err := ReviewArchive(t.Context(), filepath.Join(dir, ArchiveName(greenTag)), ReviewOptions{Key: &key.PublicKey, Limits: DefaultLimits(), Release: "v1.23", Tool: "xtci test"})
	if err != nil || !review.Integrity.Untouched || review.Good() {
		t.Fatalf("%+v, %v: want an archive that is sound, and a campaign that is not conformant", review, err)
	}
	for _, outcome := range review.Assessment.Outcomes {
		incomplete := outcome.Verdict == testcases.VerdictIncomplete
		if incomplete != (outcome.Case.Name == "sig_node") {
			t.Errorf("%s is %s: %v", outcome.Case.Name, outcome.Verdict, outcome.Findings)
		}
	}
}

func TestPublishThatFails(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	store := openStore(t, t.TempDir())
	c, _ := collected(t, store, l.upload(t, store), l, CollectOptions{})
	bad := errors.New("bad block")
	full := putterFunc(func(ctx context.Context, key string, r io.Reader) error {
		_, _ = io.CopyN(io.Discard, r, 1000)
		return bad
	})
	if _, err := Publish(t.Context(), full, c, l.catalog, benchKey(t)); !errors.Is(err, bad) || strings.Contains(err.Error(), "pipe") {
		t.Errorf("a store that fails: %v", err)
	}
	c.files = brokenFS{FS: c.files, read: path.Join(l.folder("sig_node"), "functest-kubernetes.log"), err: bad, closed: make(chan string, 10_000)}
	if _, err := Publish(t.Context(), store, c, l.catalog, benchKey(t)); !errors.Is(err, bad) {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if _, err := store.Open(t.Context(), ArchiveName(greenTag)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part of an archive is there: %v", err)
	}
}

type putterFunc func(context.Context, string, io.Reader) error

func (f putterFunc) Put(ctx context.Context, key string, r io.Reader) error { return f(ctx, key, r) }

func TestCollectNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*lab, *storedRecords)
		want   []string
	}{
		{"nothing", func(*lab, *storedRecords) {}, nil},
		{"a file", func(l *lab, _ *storedRecords) { delete(l.files, l.folder("sig_node")+"/functest-kubernetes.log") }, []string{"FOLDER/functest-kubernetes.log"}},
		{"all files of a run", func(l *lab, _ *storedRecords) { l.remove("sig_node", "") }, nil}, // filled in below
		{"a record", func(l *lab, s *storedRecords) {
			s.records = slices.DeleteFunc(s.records, func(r testcases.Record) bool { return r.CaseName == "sig_node" })
		}, []string{"the record of RUN"}},
		{"links, since nothing could be uploaded", func(l *lab, s *storedRecords) {
			for i := range s.records {
				if s.records[i].CaseName == "sig_node" {
					s.records[i].Details = json.RawMessage("null")
				}
			}
		}, nil},
		{"what is of no case", func(l *lab, _ *storedRecords) { l.files[greenTag+"/notes-1/file"] = textFile("x") }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := flawlessLab(t)
			before := l.matching("sig_node", "")
			records := &storedRecords{records: slices.Clone(l.records)}
			slices.Reverse(records.records)
			test.change(l, records)
			store := openStore(t, t.TempDir())
			l.upload(t, store)
			_, missing := collected(t, store, records, l, CollectOptions{})
			want := test.want
			if test.name == "all files of a run" {
				want = linkedOnly(l, before)
			}
			for i := range want {
				want[i] = strings.NewReplacer("FOLDER", l.folder("sig_node"), "RUN", path.Base(l.folder("sig_node"))).Replace(want[i])
			}
			if diff := cmp.Diff(want, missing); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// linkedOnly are those of the names that the record of sig_node links to.
func linkedOnly(l *lab, names []string) []string {
	var linked []string
	for _, link := range linksOf(l.of("sig_node")) {
		if _, inside, ok := strings.Cut(link, "/"+greenTag+"/"); ok && slices.Contains(names, greenTag+"/"+inside) {
			linked = append(linked, greenTag+"/"+inside)
		}
	}
	slices.Sort(linked)
	return linked
}

// What is late is waited for.
func TestCollectWaits(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	store := openStore(t, t.TempDir())
	late := l.folder("sig_node") + "/functest-kubernetes.log"
	content := string(l.files[late].Data)
	delete(l.files, late)
	records := l.upload(t, store)
	all := records.records
	records.records = all[:len(all)-1]
	records.asked = func(times int) {
		switch times {
		case 3:
			records.records = all
		case 5:
			putText(t, store, late, content)
		}
	}
	var told [][]string
	c, missing := collected(t, store, records, l, CollectOptions{Wait: time.Minute, Waiting: func(missing []string) { told = append(told, missing) }})
	if len(missing) > 0 || len(c.Index.Results) != len(all) {
		t.Errorf("missing %v, %d records", missing, len(c.Index.Results))
	}
	last := all[len(all)-1].CaseName
	if diff := cmp.Diff([][]string{{late, "the record of " + path.Base(l.folder(last))}, {late}}, told); diff != "" {
		t.Errorf("waited for (-want +got):\n%s", diff)
	}
	if c.Index.Results[0].CaseName != last {
		t.Errorf("the index begins with %s, want the newest, %s", c.Index.Results[0].CaseName, last)
	}
}

// Of whoever has ended nothing more comes. A test DB that does not answer is
// waited for all the same.
func TestCollectWhatIsComplete(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	store := openStore(t, t.TempDir())
	late := l.folder("sig_node") + "/functest-kubernetes.log"
	delete(l.files, late)
	records := l.upload(t, store)
	records.err = errors.New("connection refused")
	records.asked = func(times int) {
		if times == 3 {
			records.err = nil
		}
	}
	complete := CollectOptions{Wait: time.Hour, Complete: true}
	_, missing := collected(t, store, records, l, complete)
	if diff := cmp.Diff([]string{late}, missing); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, err := Collect(t.Context(), openStore(t, t.TempDir()), &storedRecords{}, greenTag, l.catalog, complete); !errors.Is(err, ErrNothing) {
		t.Errorf("nothing at all: %v", err)
	}
}

func TestCollectWithoutAnything(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	store := openStore(t, t.TempDir())
	down := errors.New("connection refused")
	for _, test := range []struct {
		name    string
		records *storedRecords
		tag     string
		want    error
		text    string
	}{
		{"no such campaign", &storedRecords{}, greenTag, fs.ErrNotExist, "neither a record in the test DB nor a file in the store"},
		{"no tag", &storedRecords{}, "../etc", nil, "build tag"},
		{"no test DB", &storedRecords{err: down}, greenTag, down, "connection refused"},
		{"another campaign's record", &storedRecords{records: []testcases.Record{{BuildTag: "OTHER0000"}}}, greenTag, nil, "OTHER0000"},
		{"too many", &storedRecords{records: slices.Repeat([]testcases.Record{{BuildTag: greenTag}}, maxRecords+1)}, greenTag, nil, "more records"},
		{"too large", &storedRecords{records: slices.Repeat([]testcases.Record{{BuildTag: greenTag, Details: make([]byte, 1<<20)}}, 65)}, greenTag, nil, "more records"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, _, err := Collect(t.Context(), store, test.records, test.tag, l.catalog, CollectOptions{Wait: 50 * time.Millisecond, Poll: 10 * time.Millisecond})
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupt signal received"))
	if _, _, err := Collect(ctx, store, &storedRecords{}, greenTag, l.catalog, CollectOptions{Wait: time.Hour}); err == nil || !strings.Contains(err.Error(), "interrupt") {
		t.Errorf("interrupted: %v", err)
	}
}

// A store that comes up late is waited for; one that refuses the key is not.
func TestCollectFromStores(t *testing.T) {
	t.Parallel()
	l := flawlessLab(t)
	server := miniotest.Start(t)
	refused := openS3(t, S3Options{Endpoint: server.Endpoint, Bucket: "bucket", Credentials: Credentials{server.AccessKey, "wrong-secret"}})
	for _, test := range []struct {
		name  string
		store Store
		want  error
	}{
		{"a wrong key", refused, fs.ErrPermission},
		{"no bucket", openS3(t, S3Options{Endpoint: server.Endpoint, Bucket: "no-such-bucket", Credentials: Credentials{server.AccessKey, server.SecretKey}}), ErrNoBucket},
	} {
		began := time.Now()
		if _, _, err := Collect(t.Context(), test.store, &storedRecords{}, greenTag, l.catalog, CollectOptions{Wait: time.Hour}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: it was waited for %v", test.name, took)
		}
	}
}

func textFile(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
