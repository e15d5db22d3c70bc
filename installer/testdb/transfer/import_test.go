package transfer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/transfer"
)

const database = transfer.DefaultDatabase

// objectID is the n-th of the ids of these tests.
func objectID(n int) bson.ObjectID {
	id, err := bson.ObjectIDFromHex(fmt.Sprintf("6b047e25e1a8195eb668%04x", n))
	if err != nil {
		panic(err)
	}
	return id
}

// result is a result as the old server stores it, the n-th.
func result(n int, more ...bson.E) bson.D {
	return append(bson.D{
		{Key: "_id", Value: objectID(n)},
		{Key: "pod_name", Value: "functest-kubernetes"},
		{Key: "project_name", Value: "functest"},
		{Key: "case_name", Value: "k8s_smoke"},
		{Key: "criteria", Value: "PASS"},
		{Key: "start_date", Value: "2026-11-23 18:03:27"},
	}, more...)
}

// pod is a pod as the old server stores it: with a date, not a text.
func pod(n int, name any) bson.D {
	return bson.D{
		{Key: "_id", Value: objectID(n)},
		{Key: "name", Value: name},
		{Key: "mode", Value: "metal"},
		{Key: "role", Value: ""},
		{Key: "details", Value: ""},
		{Key: "creator", Value: ""},
		{Key: "creation_date", Value: time.UnixMilli(1795456407771)},
	}
}

// history is an archive with collections in a mixture, as several threads of
// mongodump write it, results before what they refer to.
func history(t testing.TB) []byte {
	t.Helper()
	return newArchive(t, database, "results", "users", "pods", "projects", "testcases", "scenarios", "deployresults").
		segment(database, "results", result(2), result(1)).
		segment(database, "users", bson.D{{Key: "user", Value: "admin"}}).
		segment(database, "pods", pod(10, "functest-kubernetes")).
		segment(database, "results", result(3, bson.E{Key: "build_tag", Value: int32(12)})).
		end(database, "users").
		segment(database, "projects").
		end(database, "projects").
		segment(database, "deployresults", bson.D{
			{Key: "_id", Value: objectID(30)}, {Key: "pod_name", Value: "lab"}, {Key: "installer", Value: "kubespray"}, {Key: "scenario", Value: "k8"},
		}).
		end(database, "results").
		segment(database, "testcases", bson.D{
			{Key: "_id", Value: objectID(20)}, {Key: "name", Value: "k8s_smoke"}, {Key: "project_name", Value: "functest"},
		}).
		end(database, "testcases").
		segment(database, "scenarios").
		end(database, "scenarios").
		end(database, "pods").
		end(database, "deployresults").
		bytes()
}

func tallies(s transfer.Summary) map[testdb.Collection]transfer.Tally {
	all := map[testdb.Collection]transfer.Tally{}
	for c, tally := range s.Collections {
		all[c] = *tally
	}
	return all
}

func importBytes(t testing.TB, store testdb.Store, data []byte, o transfer.Options) (transfer.Summary, error) {
	t.Helper()
	o.TempDir = t.TempDir()
	summary, err := transfer.Import(t.Context(), store, bytes.NewReader(data), transfer.Auto, o)
	left, readErr := os.ReadDir(o.TempDir)
	if readErr != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, readErr)
	}
	return summary, err
}

func TestImportArchive(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"plain": history(t), "gzip": zip(t, history(t))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemoryStore()
			summary, err := importBytes(t, store, data, transfer.Options{Name: "dump"})
			if err != nil {
				t.Fatal(err)
			}
			want := map[testdb.Collection]transfer.Tally{
				testdb.Pods: {Read: 1, Imported: 1}, testdb.Projects: {}, testdb.TestCases: {Read: 1, Imported: 1},
				testdb.Scenarios: {}, testdb.Results: {Read: 3, Imported: 3}, testdb.DeployResults: {Read: 1, Imported: 1},
			}
			if diff := cmp.Diff(want, tallies(summary)); diff != "" {
				t.Error(diff)
			}
			wantRegistered := map[testdb.Collection][]string{testdb.Pods: {"lab"}, testdb.Projects: {"functest"}}
			if diff := cmp.Diff(wantRegistered, summary.Registered); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{database + ".users"}, summary.Skipped); diff != "" {
				t.Error(diff)
			}
			wantIDs := []string{objectID(1).Hex(), objectID(2).Hex(), objectID(3).Hex()}
			if diff := cmp.Diff(wantIDs, ids(t, store, testdb.Results)); diff != "" {
				t.Errorf("not in the order of the ids: %s", diff)
			}
			wantText := `results: 3 read, 3 imported, 0 there already`
			if text := summary.String(); !strings.Contains(text, wantText) || !strings.Contains(text, `"lab"`) {
				t.Errorf("the summary says %s", text)
			}
		})
	}
}

func TestImportAgain(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	if _, err := importBytes(t, store, history(t), transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	before := bodies(t, store, testdb.Results)
	summary, err := importBytes(t, store, history(t), transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *summary.Collections[testdb.Results], (transfer.Tally{Read: 3, Present: 3}); got != want {
		t.Errorf("the second import: %+v, not %+v", got, want)
	}
	if len(summary.Registered) > 0 {
		t.Errorf("registered again: %v", summary.Registered)
	}
	if diff := cmp.Diff(before, bodies(t, store, testdb.Results)); diff != "" {
		t.Error(diff)
	}
}

// TestStoredForm is on what an imported document looks like.
func TestStoredForm(t *testing.T) {
	t.Parallel()
	decimal, err := bson.ParseDecimal128("1.10")
	if err != nil {
		t.Fatal(err)
	}
	details := bson.D{
		{Key: "z", Value: int32(1)},
		{Key: "a.b", Value: "dotted"},
		{Key: "$set", Value: bson.A{int64(1 << 60), 1.5, nil, true}},
		{Key: "when", Value: bson.DateTime(1795456407771)},
		{Key: "bytes", Value: bson.Binary{Data: []byte{0, 1}}},
		{Key: "id", Value: objectID(9)},
		{Key: "decimal", Value: decimal},
		{Key: "nan", Value: math.NaN()},
		{Key: "text", Value: "é\u0000\U0001F600"},
		{Key: "regex", Value: bson.Regex{Pattern: "^a", Options: "i"}},
		{Key: "", Value: bson.D{}},
	}
	const wantDetails = `{"z": 1, "a.b": "dotted", "$set": [1152921504606846976, 1.5, null, true], ` +
		`"when": {"$date": "2026-11-23T17:53:27.771Z"}, "bytes": {"$binary": {"base64": "AAE=", "subType": "00"}}, ` +
		`"id": {"$oid": "6b047e25e1a8195eb6680009"}, "decimal": {"$numberDecimal": "1.10"}, "nan": {"$numberDouble": "NaN"}, ` +
		`"text": "\u00e9\u0000\ud83d\ude00", "regex": {"$regularExpression": {"pattern": "^a", "options": "i"}}, "": {}}`
	store := newMemoryStore()
	data := newArchive(t, database, "results", "pods").
		segment(database, "results",
			result(1, bson.E{Key: "details", Value: details}),
			bson.D{
				{Key: "_id", Value: objectID(2)},
				{Key: "pod_name", Value: int32(34)},
				{Key: "project_name", Value: 1.1},
				{Key: "case_name", Value: true},
				{Key: "criteria", Value: "FAIL"},
				{Key: "build_tag", Value: bson.A{int32(1), int32(2)}},
				{Key: "version", Value: 1000.0},
				{Key: "start_date", Value: bson.DateTime(1795456407000)},
				{Key: "trust_indicator", Value: 0.5},
			}).
		end(database, "results").
		segment(database, "pods", pod(10, int32(34))).
		end(database, "pods").
		bytes()
	summary, err := importBytes(t, store, data, transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"project_name": "functest", "scenario": null, "stop_date": null, "case_name": "k8s_smoke", "build_tag": null, "version": null, ` +
			`"pod_name": "functest-kubernetes", "criteria": "PASS", "installer": null, "_id": "6b047e25e1a8195eb6680001", ` +
			`"start_date": "2026-11-23 18:03:27", "details": ` + wantDetails + `}`,
		`{"project_name": "1.1", "scenario": null, "stop_date": null, "case_name": "True", "build_tag": "[1,2]", "version": "1000.0", ` +
			`"pod_name": "34", "criteria": "FAIL", "installer": null, "_id": "6b047e25e1a8195eb6680002", ` +
			`"start_date": "2026-11-23 17:53:27", "details": null}`,
	}
	if diff := cmp.Diff(want, bodies(t, store, testdb.Results)); diff != "" {
		t.Error(diff)
	}
	pods := bodies(t, store, testdb.Pods)
	if first := fields(t, pods[0]); first["name"] != "34" || first["creation_date"] != "2026-11-23 17:53:27.771000" || first["mode"] != "metal" {
		t.Errorf("the pod is %s", pods[0])
	}
	if want := 6; summary.Texts != want { // five names of the result, one of the pod
		t.Errorf("%d names are text again, not %d", summary.Texts, want)
	}
	if diff := cmp.Diff(map[string]int{"results.trust_indicator": 1}, summary.Dropped); diff != "" {
		t.Error(diff)
	}
	const wantSummary = `pods: 1 read, 1 imported, 0 there already
results: 2 read, 2 imported, 0 there already
registered, since results name them: 1 pods: "functest-kubernetes"
registered, since results name them: 2 projects: "1.1", "functest"
registered, since results name them: 2 testcases: "1.1/True", "functest/k8s_smoke"
names that the old server had turned into numbers, text again: 6
fields that the test DB has not, dropped: "results.trust_indicator (1)"
`
	if diff := cmp.Diff(wantSummary, summary.String()); diff != "" {
		t.Error(diff)
	}
}

// replaced changes the first occurrence of bytes in an archive.
func replaced(t *testing.T, data []byte, old, now string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%q is not in the archive", old)
	}
	return bytes.Replace(data, []byte(old), []byte(now), 1)
}

// nested is a document in a document, so many levels deep.
func nested(levels int) bson.Raw {
	const more = 8 // bytes around the document inside
	var raw bson.Raw
	for level := levels; level > 0; level-- {
		raw = append(binary.LittleEndian.AppendUint32(raw, uint32(level*more+5)), "\x03d\x00"...)
	}
	return append(append(raw, "\x05\x00\x00\x00\x00"...), make([]byte, levels)...)
}

func TestBadArchives(t *testing.T) {
	t.Parallel()
	whole := history(t)
	prelude := newArchive(t, database, "results").bytes()
	oneResult := func() *archiveWriter {
		return newArchive(t, database, "results").segment(database, "results", result(1))
	}
	tests := map[string]struct {
		data     []byte
		want     string // in the error
		imported int    // results
	}{
		"empty":            {nil, "dump is empty: give it", 0},
		"foreign magic":    {append([]byte("\x6d\xe2\x99\x82"), whole[4:]...), "neither a dump of mongodump --archive nor JSON", 0},
		"a single bson":    {marshal(t, result(1)), "goes in with its folder", 0},
		"the magic alone":  {whole[:4], "dump ends at byte 4, in the middle", 0},
		"other version":    {replaced(t, whole, "0.1\x00", "0.2\x00"), `format version "0.2"`, 0},
		"no collection":    {replaced(t, prelude, "\x02collection\x00", "\x02kollection\x00"), "names no collection", 0},
		"cut in prelude":   {prelude[:len(prelude)-2], "it was cut off, so copy or dump it again", 0},
		"prelude alone":    {prelude, `the archive ends before "test_results_collection.results" does`, 0},
		"cut in a result":  {whole[:bytes.LastIndex(whole, []byte("k8s_smoke"))], "it was cut off", 3},
		"cut at a segment": {oneResult().bytes(), "the archive ends before", 1},
		"bad checksum":     {oneResult().endWith(database, "results", 1).bytes(), `not 0000000000000001 as the archive says`, 1},
		"flipped bit":      {replaced(t, oneResult().end(database, "results").bytes(), "k8s_smoke", "k8s_smokf"), "have the checksum", 1},
		"after its end":    {oneResult().end(database, "results").segment(database, "results", result(2)).bytes(), "goes on after its end", 1},
		"two terminators":  {append(oneResult().bytes(), 255, 255, 255, 255), "a terminator stands where a document should", 1},
		"negative length":  {append(oneResult().bytes(), 0, 0, 0, 0x80), "a document of 2147483648 bytes cannot be", 1},
		"length too large": {append(oneResult().bytes(), 1, 0, 0, 1), "a document of 16777217 bytes cannot be", 1},
		"length too small": {append(oneResult().bytes(), 4, 0, 0, 0), "a document of 4 bytes cannot be", 1},
		"large and cut":    {append(oneResult().bytes(), 0, 0, 0, 1), "it was cut off", 1},
		"no end of BSON":   {append(oneResult().bytes(), 5, 0, 0, 0, 1), "does not end as BSON does", 1},
		"documents at end": {append(prelude, dataAfterEnd(t)...), "documents follow the end of", 0},
		"other database":   {newArchive(t, "other", "results").segment("other", "results").end("other", "results").bytes(), `it has "other.results"`, 0},
		"inner length": {
			newArchive(t, database, "results").segment(database, "results", result(1), bson.Raw("\x0c\x00\x00\x00\x02a\x00\xff\xff\x00\x00\x00")).bytes(),
			"document 2 of results, at byte", 1,
		},
		"unknown type": {
			newArchive(t, database, "results").segment(database, "results", result(1), bson.Raw("\x08\x00\x00\x00\x20a\x00\x00")).bytes(),
			"a value in it has a wrong type or length", 1,
		},
		"too deep": {
			newArchive(t, database, "results").segment(database, "results", result(1), nested(2_000_000/8)).bytes(),
			"nests deeper than 500 levels", 1,
		},
		"no name": {
			newArchive(t, database, "results").segment(database, "results", result(1), bson.D{{Key: "_id", Value: objectID(2)}}, result(3)).bytes(),
			"document 2 of results, at byte", 1,
		},
		"no id": {
			newArchive(t, database, "results").segment(database, "results", bson.D{{Key: "_id", Value: "x"}}).bytes(),
			"_id must be 24 hexadecimal digits", 0,
		},
		"gzip cut":     {zip(t, whole)[:100], "it was cut off", 0},
		"gzip damaged": {damagedZip(t, whole), "is damaged near byte", 3},
		"gzip header":  {[]byte("\x1f\x8b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "is damaged near byte 0", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemoryStore()
			summary, err := importBytes(t, store, test.data, transfer.Options{Name: "dump"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, not with %q", err, test.want)
			}
			if got := len(ids(t, store, testdb.Results)); got != test.imported {
				t.Errorf("%d results are imported, not %d", got, test.imported)
			}
			if len(summary.Registered) > 0 {
				t.Errorf("registered though more could come: %v", summary.Registered)
			}
		})
	}
}

// dataAfterEnd is a segment that ends a collection and has a document.
func dataAfterEnd(t *testing.T) []byte {
	t.Helper()
	a := &archiveWriter{t: t}
	a.header(database, "results", true, 0)
	a.document(result(1))
	a.terminator()
	return a.bytes()
}

// damagedZip has a wrong checksum at its end.
func damagedZip(t *testing.T, data []byte) []byte {
	t.Helper()
	zipped := zip(t, data)
	zipped[len(zipped)-8] ^= 1
	return zipped
}

// TestResume stops an import by a document, mends it and imports again.
func TestResume(t *testing.T) {
	t.Parallel()
	archive := func(second bson.D) []byte {
		return newArchive(t, database, "results").segment(database, "results", result(1), second, result(3)).end(database, "results").bytes()
	}
	store := newMemoryStore()
	bad := bson.D{{Key: "_id", Value: objectID(2)}, {Key: "pod_name", Value: nil}}
	_, err := importBytes(t, store, archive(bad), transfer.Options{Name: "dump.archive"})
	const want = "dump.archive: document 2 of results, at byte 536: project_name must be a text; " +
		"the documents before that are in the test DB (1 of them new): correct it and import again, what is there is skipped"
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v\nnot %s", err, want)
	}
	summary, err := importBytes(t, store, archive(result(2)), transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := *summary.Collections[testdb.Results], (transfer.Tally{Read: 3, Imported: 2, Present: 1}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	if len(summary.Registered) != 3 {
		t.Errorf("registered %v, not a pod, a project and a case", summary.Registered)
	}
}

func TestImportFullDisk(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	store.full, store.after = testdb.ErrFull, 6 // pods, cases, what is registered, one deploy result, one result
	summary, err := importBytes(t, store, history(t), transfer.Options{})
	if !errors.Is(err, testdb.ErrFull) || !strings.Contains(err.Error(), "import results "+objectID(2).Hex()) {
		t.Errorf("the error is %v", err)
	}
	if got, want := *summary.Collections[testdb.Results], (transfer.Tally{Read: 3, Imported: 1}); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	data := history(t)
	cut := io.MultiReader(bytes.NewReader(data[:len(data)/2]), readerFunc(func([]byte) (int, error) {
		cancel()
		return 0, nil
	}))
	store := newMemoryStore()
	_, err := transfer.Import(ctx, store, cut, transfer.Archive, transfer.Options{TempDir: t.TempDir()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	if len(store.keys) > 0 {
		t.Errorf("stored after the interrupt: %v", store.keys)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestImportFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name string, data []byte) {
		t.Helper()
		name = filepath.Join(folder, database, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("results.bson.gz", zip(t, append(marshal(t, result(2)), marshal(t, result(1))...)))
	write("results.metadata.json.gz", zip(t, []byte("{}")))
	write("pods.bson", marshal(t, pod(10, "functest-kubernetes")))
	write("projects.bson", nil)
	write("users.bson", []byte("anything"))
	for _, given := range []string{folder, filepath.Join(folder, database)} {
		store := newMemoryStore()
		summary, err := transfer.ImportFolder(t.Context(), store, given, transfer.Options{TempDir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		want := map[testdb.Collection]transfer.Tally{
			testdb.Pods: {Read: 1, Imported: 1}, testdb.Projects: {}, testdb.Results: {Read: 2, Imported: 2},
		}
		if diff := cmp.Diff(want, tallies(summary)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{database + ".users"}, summary.Skipped); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{objectID(1).Hex(), objectID(2).Hex()}, ids(t, store, testdb.Results)); diff != "" {
			t.Error(diff)
		}
	}

	write("results.bson.gz", zip(t, append(marshal(t, result(2)), 0xff, 0xff, 0xff, 0xff)))
	_, err := transfer.ImportFolder(t.Context(), newMemoryStore(), folder, transfer.Options{})
	if err == nil || !strings.Contains(err.Error(), "results.bson.gz, at byte") {
		t.Errorf("a terminator in a file: %v", err)
	}
}

func TestBadFolders(t *testing.T) {
	t.Parallel()
	for folder, want := range map[string]string{
		t.TempDir():      "give the folder that mongodump wrote",
		"does/not/exist": "no such file or directory",
	} {
		_, err := transfer.ImportFolder(t.Context(), newMemoryStore(), folder, transfer.Options{TempDir: t.TempDir()})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not with %q", folder, err, want)
		}
	}
}

func TestNoTemporaryFolder(t *testing.T) {
	t.Parallel()
	o := transfer.Options{TempDir: filepath.Join(t.TempDir(), "none")}
	_, err := transfer.Import(t.Context(), newMemoryStore(), bytes.NewReader(history(t)), transfer.Auto, o)
	if err == nil || !strings.Contains(err.Error(), "make a temporary file for the import") {
		t.Errorf("the error is %v", err)
	}
}

// TestLargestDocument takes the largest document that MongoDB has.
func TestLargestDocument(t *testing.T) {
	t.Parallel()
	empty := len(marshal(t, result(1, bson.E{Key: "details", Value: ""})))
	document := marshal(t, result(1, bson.E{Key: "details", Value: strings.Repeat("x", 16<<20-empty)}))
	if len(document) != 16<<20 {
		t.Fatalf("the document has %d bytes", len(document))
	}
	data := newArchive(t, database, "results").segment(database, "results", document).end(database, "results").bytes()
	store := newMemoryStore()
	if _, err := importBytes(t, store, data, transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := len(bodies(t, store, testdb.Results)[0]); got < 16<<20-empty {
		t.Errorf("%d bytes are stored", got)
	}
}
