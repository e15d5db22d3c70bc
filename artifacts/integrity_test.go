package artifacts

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anuket-project/xtci/testcases"
)

const smallTag = "SMALLTAG"

// smallArchive is a whole archive of a few kilobytes.
func smallArchive(tb testing.TB, key *Key) []byte {
	tb.Helper()
	files := fstest.MapFS{
		IndexName(smallTag):                  {Data: []byte(`{"pagination":{"current_page":1,"total_pages":1},"results":[]}`)},
		smallTag + "/job-a-1/a.log":          {Data: []byte(strings.Repeat("one line of a log\n", 30))},
		smallTag + "/job-b-1/b/junit_01.xml": {Data: []byte("<testsuite></testsuite>")},
		smallTag + "/job-b-1/b/größe.txt":    {Data: []byte("not ASCII")},
		smallTag + "/job-b-1/b/empty":        {},
	}
	campaign, err := OpenCampaign(files, smallTag)
	if err != nil {
		tb.Fatal(err)
	}
	documents := []Document{{Name: ReportJSON, Write: func(w io.Writer) error { _, err := io.WriteString(w, "{}"); return err }}}
	var archive bytes.Buffer
	if err := campaign.WriteArchive(context.Background(), &archive, documents, testcases.NotConformant, key); err != nil {
		tb.Fatal(err)
	}
	return archive.Bytes()
}

// integrity checks the archive that a file holds, as a review does first.
func integrity(tb testing.TB, archive []byte, known *PublicKey) (Integrity, error) {
	tb.Helper()
	name := filepath.Join(tb.TempDir(), "archive.zip")
	if err := os.WriteFile(name, archive, 0o600); err != nil {
		tb.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer file.Close()
	z, err := openZip(file, DefaultLimits())
	if err != nil {
		return Integrity{}, err
	}
	return checkIntegrity(context.Background(), file, z, known)
}

func TestIntegrityOfAnUntouchedArchive(t *testing.T) {
	t.Parallel()
	key, other := benchKey(t), benchKey(t)
	archive := smallArchive(t, key)
	for _, test := range []struct {
		name  string
		known *PublicKey
		want  bool
		good  bool
	}{
		{name: "without a key", good: true},
		{name: "with the lab's key", known: &key.PublicKey, want: true, good: true},
		{name: "with another key", known: &other.PublicKey},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := integrity(t, archive, test.known)
			if err != nil {
				t.Fatal(err)
			}
			if (len(got.Problems) == 0) != test.good || got.KnownKey != test.want || got.Signer != key.Fingerprint() {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestArchiveIsDeterministic(t *testing.T) {
	t.Parallel()
	key := benchKey(t)
	if !bytes.Equal(smallArchive(t, key), smallArchive(t, key)) {
		t.Error("the same campaign gives other bytes")
	}
	// with another key, the attestation alone differs
	a, b := contents(t, smallArchive(t, key)), contents(t, smallArchive(t, benchKey(t)))
	for name := range a {
		if same := a[name] == b[name]; same == (name == Attestation) {
			t.Errorf("%s: the same with another key: %v", name, same)
		}
	}
}

func contents(tb testing.TB, archive []byte) map[string]string {
	tb.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		tb.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range z.File {
		r, err := file.Open()
		if err != nil {
			tb.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		files[file.Name] = string(content)
	}
	return files
}

// Every byte of an archive is changed, one after the other, in every bit of
// the small parts and in one bit of each: none goes unseen.
func TestEveryChangedByteIsSeen(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: thousands of archives")
	}
	t.Parallel()
	archive := smallArchive(t, benchKey(t))
	for at := range archive {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(archive)
			changed[at] ^= bit
			got, err := integrity(t, changed, nil)
			if err == nil && len(got.Problems) == 0 {
				t.Errorf("byte %d of %d, bit %#x: the change goes unseen", at, len(archive), bit)
			}
		}
	}
}

// rewrite makes a zip with the entries that change returns, in their order.
func rewrite(tb testing.TB, archive []byte, change func([]entry) []entry) []byte {
	tb.Helper()
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		tb.Fatal(err)
	}
	files := contents(tb, archive)
	var entries []entry
	for _, file := range z.File {
		entries = append(entries, entry{file.Name, files[file.Name], file.Method})
	}
	var out bytes.Buffer
	a, err := newArchiveWriter(&out)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range change(entries) {
		if err := a.add(e.name, e.method, func(w io.Writer) error { _, err := io.WriteString(w, e.content); return err }); err != nil {
			tb.Fatal(err)
		}
	}
	if err := a.close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

type entry struct {
	name, content string
	method        uint16
}

func TestChangedArchivesAreNamed(t *testing.T) {
	t.Parallel()
	archive := smallArchive(t, benchKey(t))
	const log, xml = smallTag + "/job-a-1/a.log", smallTag + "/job-b-1/b/junit_01.xml"
	at := func(entries []entry, name string) int {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == name })
		if i < 0 {
			t.Fatalf("no %s", name)
		}
		return i
	}
	for _, test := range []struct {
		name   string
		change func([]entry) []entry
		want   []string // in the problems; none when nothing changes
	}{
		{name: "nothing", change: func(e []entry) []entry { return e }},
		{
			name:   "a file's content",
			change: func(e []entry) []entry { e[at(e, log)].content += "x"; return e },
			want:   []string{log + ": was changed"},
		},
		{
			name:   "a file dropped",
			change: func(e []entry) []entry { i := at(e, xml); return slices.Delete(e, i, i+1) },
			want:   []string{xml + ": the manifest lists it"},
		},
		{
			name:   "a file renamed",
			change: func(e []entry) []entry { e[at(e, xml)].name += "2"; return e },
			want:   []string{xml + ": the manifest lists it", xml + "2: the manifest does not list it"},
		},
		{
			name:   "a file added",
			change: func(e []entry) []entry { return append(e, entry{smallTag + "/job-c-1/c.log", "new", zip.Deflate}) },
			want:   []string{smallTag + "/job-c-1/c.log: the manifest does not list it"},
		},
		{
			name: "the content of two files swapped",
			change: func(e []entry) []entry {
				a, b := at(e, log), at(e, xml)
				e[a].content, e[b].content = e[b].content, e[a].content
				return e
			},
			want: []string{log + ": was changed", xml + ": was changed"},
		},
		{
			name: "the order of two files swapped",
			change: func(e []entry) []entry {
				a, b := at(e, log), at(e, xml)
				e[a], e[b] = e[b], e[a]
				return e
			},
			want: []string{"order"},
		},
		{
			name:   "a file packed in another way",
			change: func(e []entry) []entry { e[at(e, log)].method = zip.Store; return e },
			want:   []string{log + ": was packed again"},
		},
		{
			name:   "the manifest dropped",
			change: func(e []entry) []entry { i := at(e, Manifest); return slices.Delete(e, i, i+1) },
			want:   []string{Manifest + ": it is missing"},
		},
		{
			name:   "the attestation dropped",
			change: func(e []entry) []entry { i := at(e, Attestation); return slices.Delete(e, i, i+1) },
			want:   []string{Attestation + ": it is missing"},
		},
		{
			name:   "the manifest changed with its file",
			change: func(e []entry) []entry { e[at(e, Manifest)].content += " "; return e },
			want:   []string{Attestation + ": it signs another manifest.json"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := integrity(t, rewrite(t, archive, test.change), nil)
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, problem := range got.Problems {
				problems = append(problems, problem.String())
			}
			all := strings.Join(problems, "\n")
			if (len(test.want) == 0) != (len(problems) == 0) {
				t.Errorf("got problems:\n%s", all)
			}
			for _, want := range test.want {
				if !strings.Contains(all, want) {
					t.Errorf("problems do not name %q:\n%s", want, all)
				}
			}
		})
	}
}
