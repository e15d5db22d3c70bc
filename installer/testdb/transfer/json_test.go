package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/installer/testdb/sqlstore"
	"github.com/anuket-project/xtci/installer/testdb/transfer"
)

// jsonResult is the n-th result as GET /results answers it.
func jsonResult(n int, more string) string {
	return fmt.Sprintf(`{"_id": "%s", "pod_name": "p", "project_name": "functest", "case_name": "c"%s}`, objectID(n).Hex(), more)
}

// exported is the n-th result as mongoexport writes it.
func exported(n int, more string) string {
	return fmt.Sprintf(`{"_id":{"$oid":"%s"},"pod_name":"p","project_name":"functest","case_name":"c"%s}`, objectID(n).Hex(), more)
}

func TestImportJSON(t *testing.T) {
	t.Parallel()
	page := func(results ...string) string {
		return `{"pagination": {"current_page": 1, "total_pages": 2}, "results": [` + strings.Join(results, ", ") + `]}`
	}
	one, two, three := objectID(1).Hex(), objectID(2).Hex(), objectID(3).Hex()
	tests := map[string]struct {
		data string
		o    transfer.Options
		want map[testdb.Collection][]string // ids, the oldest first
	}{
		"an answer":        {data: page(jsonResult(2, ""), jsonResult(1, "")), want: map[testdb.Collection][]string{testdb.Results: {one, two}}},
		"an empty answer":  {data: page(), want: map[testdb.Collection][]string{testdb.Results: nil}},
		"all on page 0":    {data: `{"results": [` + jsonResult(1, "") + `]}`, want: map[testdb.Collection][]string{testdb.Results: {one}}},
		"several answers":  {data: page(jsonResult(3, "")) + page(jsonResult(2, "")) + "\n\t" + page(jsonResult(1, "")) + "\n", want: map[testdb.Collection][]string{testdb.Results: {one, two, three}}},
		"a list":           {data: "[" + page(jsonResult(3, "")) + " , " + page(jsonResult(1, "")) + "]", want: map[testdb.Collection][]string{testdb.Results: {one, three}}},
		"an empty list":    {data: "[ ]", want: map[testdb.Collection][]string{}},
		"one document":     {data: jsonResult(1, ""), want: map[testdb.Collection][]string{testdb.Results: {one}}},
		"names escaped":    {data: strings.Replace(page(jsonResult(1, "")), `"results"`, `"\u0072esults"`, 1), want: map[testdb.Collection][]string{testdb.Results: {one}}},
		"mongoexport":      {data: exported(2, "") + "\n" + exported(1, "") + "\n", want: map[testdb.Collection][]string{testdb.Results: {one, two}}},
		"mongoexport list": {data: "[" + exported(2, "") + ",\n" + exported(1, "") + "]\n", want: map[testdb.Collection][]string{testdb.Results: {one, two}}},
		"mongoexport of pods": {
			data: `{"_id":{"$oid":"` + one + `"},"name":"p"}`, o: transfer.Options{Collection: testdb.Pods},
			want: map[testdb.Collection][]string{testdb.Pods: {one}},
		},
		"the other lists": {
			data: `{"pods": [{"_id": "` + one + `", "name": "p"}]}{"projects": [{"_id": "` + one + `", "name": "functest"}]}` +
				`{"testcases": [{"_id": "` + one + `", "name": "c", "project_name": "functest"}]}{"scenarios": [{"_id": "` + one + `", "name": "s"}]}` +
				`{"pagination": {}, "deployresults": [{"_id": "` + one + `", "pod_name": "p", "installer": "i", "scenario": "s"}]}`,
			want: map[testdb.Collection][]string{
				testdb.Pods: {one}, testdb.Projects: {one}, testdb.TestCases: {one}, testdb.Scenarios: {one}, testdb.DeployResults: {one},
			},
		},
	}
	for name, test := range tests {
		for zipped, data := range map[string][]byte{"": []byte(test.data), " gzip": zip(t, []byte(test.data))} {
			t.Run(name+zipped, func(t *testing.T) {
				t.Parallel()
				store := newMemoryStore()
				summary, err := importBytes(t, store, data, test.o)
				if err != nil {
					t.Fatal(err)
				}
				got := map[testdb.Collection][]string{}
				for c := range summary.Collections {
					got[c] = ids(t, store, c)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestJSONForm is on what a document looks like that came as JSON.
func TestJSONForm(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		want  map[string]any
	}{
		"names that were numbers": {
			jsonResult(1, `, "build_tag": 12, "version": 1.1, "scenario": true, "installer": [1, 2]`),
			map[string]any{"build_tag": "12", "version": "1.1", "scenario": "True", "installer": "[1,2]"},
		},
		"missing": {jsonResult(1, ""), map[string]any{"details": nil, "build_tag": nil, "criteria": nil}},
		"NaN of Python": {
			jsonResult(1, `, "details": {"x": NaN, "y": "NaN", "z": -Infinity}`),
			map[string]any{"details": map[string]any{"x": "NaN", "y": "NaN", "z": "-Infinity"}},
		},
		"details are not looked at": {
			jsonResult(1, `, "details": {"a.b": {"$numberInt": "5"}, "$oid": 5}`),
			map[string]any{"details": map[string]any{"a.b": map[string]any{"$numberInt": "5"}, "$oid": 5.0}},
		},
		"canonical numbers": {
			exported(1, `,"build_tag":{"$numberInt":"12"},"version":{"$numberDouble":"1.0"},"details":{"a":[{"$numberLong":"-7"},{"$numberDouble":"NaN"},"{\"$numberInt\":\"5\"}"]}`),
			map[string]any{"build_tag": "12", "version": "1.0", "details": map[string]any{"a": []any{-7.0, map[string]any{"$numberDouble": "NaN"}, `{"$numberInt":"5"}`}}},
		},
		"dates": {
			exported(1, `,"start_date":{"$date":"2026-11-23T18:03:27Z"},"stop_date":{"$date":{"$numberLong":"1795456407771"}}`),
			map[string]any{"start_date": "2026-11-23 18:03:27", "stop_date": "2026-11-23 17:53:27.771000"},
		},
		"older dates": {
			exported(1, `,"start_date":{"$date":"2026-11-23T19:03:27.5+0100"},"stop_date":{"$date":-1000}`),
			map[string]any{"start_date": "2026-11-23 18:03:27.500000", "stop_date": "1969-12-31 23:59:59"},
		},
		"no dates": {
			exported(1, `,"start_date":{"$date":"yesterday"},"stop_date":{"date":1}`),
			map[string]any{"start_date": map[string]any{"$date": "yesterday"}, "stop_date": map[string]any{"date": 1.0}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemoryStore()
			if _, err := importBytes(t, store, []byte(test.given), transfer.Options{}); err != nil {
				t.Fatal(err)
			}
			got := fields(t, bodies(t, store, testdb.Results)[0])
			for field, want := range test.want {
				if diff := cmp.Diff(want, got[field]); diff != "" {
					t.Errorf("%s: %s", field, diff)
				}
			}
		})
	}
}

func TestBadJSON(t *testing.T) {
	t.Parallel()
	page := `{"results": [` + jsonResult(1, "") + ", "
	tests := map[string]struct {
		data, want string
		imported   int
	}{
		"white space":      {" \n", "answers is empty", 0},
		"HTML":             {"<html>500</html>", "neither a dump of mongodump --archive nor JSON", 0},
		"a number in it":   {page + "5]}", "document 2 of results, at byte 113: it is not an object", 1},
		"no id":            {page + `{"pod_name": "p"}]}`, "document 2 of results, at byte 113: _id must be", 1},
		"no answer":        {`{"href": "http://x"}`, "document 1 of results, at byte 0", 0},
		"a bad id":         {strings.Replace(jsonResult(1, ""), "6b", "zz", 1), "_id must be 24 hexadecimal digits", 0},
		"cut off":          {page + `{"_id": "6b`, "it was cut off, so copy or dump it again", 1},
		"cut at a comma":   {page, "it was cut off", 1},
		"cut in a name":    {`{"res`, "it was cut off", 0},
		"cut in an escape": {`{"results": ["\`, "it was cut off", 0},
		"no comma":         {`{"results": [` + jsonResult(1, "") + jsonResult(2, "") + `]}`, "a comma or ] should stand here, not '{'", 1},
		"comma too many":   {page + "]}", "a value should stand here, not ']'", 1},
		"no colon":         {`{"results" []}`, "a colon should stand here", 0},
		"no name":          {`{results: []}`, "a name should stand here, not 'r'", 0},
		"bad name":         {`{"\x": 1}`, "it is not JSON", 0},
		"not UTF-8":        {jsonResult(1, ", \"details\": \"\xff\""), "it is not UTF-8", 0},
		"wrong brackets":   {jsonResult(1, `, "details": [}`) + "}", "document 1 of results, at byte 0", 0},
		"too deep":         {jsonResult(1, `, "details": `+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)), "it nests deeper than 500 levels", 0},
		"after the end":    {jsonResult(1, "") + "]", "an answer of GET /results or a document should stand here, not ']'", 1},
		"a name too long":  {jsonResult(1, `, "version": "`+strings.Repeat("x", 2000)+`"`), "version must not be longer than 1024 bytes", 0},
		"value too large":  {page + `{"_id": "` + strings.Repeat(" ", 49<<20) + `"}]}`, "the document is larger than 48 MiB", 1},
		"text without end": {`{"pagination": "` + strings.Repeat(" ", 49<<20), "the document is larger than 48 MiB", 0},
		"document too large": {
			`{"a": "` + strings.Repeat(" ", 25<<20) + `", "b": "` + strings.Repeat(" ", 25<<20) + `"}`,
			"answers, at byte 0: the document is larger than 48 MiB", 0,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newMemoryStore()
			_, err := importBytes(t, store, []byte(test.data), transfer.Options{Name: "answers"})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v, not with %q", err, test.want)
			}
			if got := len(ids(t, store, testdb.Results)); got != test.imported {
				t.Errorf("%d results are imported, not %d", got, test.imported)
			}
		})
	}
}

func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	_, err := transfer.Import(t.Context(), newMemoryStore(), strings.NewReader("{}"), "xml", transfer.Options{TempDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), `the format "xml" is not known`) {
		t.Errorf("the error is %v", err)
	}
	_, err = transfer.Import(t.Context(), newMemoryStore(), strings.NewReader("{}"), transfer.Archive, transfer.Options{TempDir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "it was cut off") {
		t.Errorf("JSON as an archive: %v", err)
	}
}

// recorded are the lists that the old server answered when it was recorded.
func recorded(t testing.TB) []byte {
	t.Helper()
	files, err := filepath.Glob("../testdata/transcripts/0*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var answers bytes.Buffer
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			for _, list := range []string{"pods", "projects", "testcases", "results", "deployresults"} {
				if strings.HasPrefix(line, `{`) && strings.Contains(line, `"`+list+`": [`) {
					answers.WriteString(line)
				}
			}
		}
	}
	return answers.Bytes()
}

// TestRecordedAnswers imports what the old server really answered.
func TestRecordedAnswers(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	summary, err := importBytes(t, store, recorded(t), transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []testdb.Collection{testdb.Pods, testdb.Projects, testdb.TestCases, testdb.Results, testdb.DeployResults} {
		if tally := summary.Collections[c]; tally == nil || tally.Imported == 0 || tally.Imported+tally.Present != tally.Read {
			t.Errorf("%s: %+v", c, tally)
		}
	}
	if len(summary.Dropped) > 0 {
		t.Errorf("dropped %v", summary.Dropped)
	}
	if summary.Texts == 0 {
		t.Error("the recorded answers have names that the old server had turned into numbers, and none is text again")
	}
}

// stores are an empty store of each kind.
func stores(t testing.TB) map[string]func(testing.TB) testdb.Store {
	t.Helper()
	return map[string]func(testing.TB) testdb.Store{
		"memory": func(testing.TB) testdb.Store { return newMemoryStore() },
		"sqlite": func(t testing.TB) testdb.Store {
			store, err := sqlstore.Open(context.Background(), filepath.Join(t.TempDir(), "test.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := store.Close(); err != nil {
					t.Error(err)
				}
			})
			return store
		},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	inputs := map[string][]byte{"archive": history(t), "answers": recorded(t)}
	for storeName, newStore := range stores(t) {
		for name, data := range inputs {
			t.Run(storeName+" "+name, func(t *testing.T) {
				t.Parallel()
				first, second := newStore(t), newStore(t)
				if _, err := importBytes(t, first, data, transfer.Options{}); err != nil {
					t.Fatal(err)
				}
				var all bytes.Buffer
				order := []testdb.Collection{testdb.Results, testdb.DeployResults, testdb.Scenarios, testdb.TestCases, testdb.Projects, testdb.Pods}
				for _, c := range order {
					if err := transfer.Export(t.Context(), first, &all, c, testdb.Query{}); err != nil {
						t.Fatal(err)
					}
				}
				summary, err := importBytes(t, second, all.Bytes(), transfer.Options{})
				if err != nil {
					t.Fatal(err)
				}
				if len(summary.Registered) > 0 || summary.Texts > 0 || len(summary.Dropped) > 0 {
					t.Errorf("not all came back as it was: %s", summary)
				}
				for _, c := range order {
					before, after := bodies(t, first, c), bodies(t, second, c)
					if c == testdb.Results && len(before) == 0 {
						t.Error("there is nothing to compare")
					}
					if c == testdb.Pods || c == testdb.Projects || c == testdb.TestCases {
						before, after = sorted(before), sorted(after) // what was registered is the newest by its id
					}
					if diff := cmp.Diff(before, after); diff != "" {
						t.Errorf("%s: %s", c, diff)
					}
				}
			})
		}
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	for name, newStore := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := newStore(t)
			if _, err := importBytes(t, store, history(t), transfer.Options{}); err != nil {
				t.Fatal(err)
			}
			results := bodies(t, store, testdb.Results)
			pods := bodies(t, store, testdb.Pods)
			tagged := testdb.Query{Filters: []testdb.Filter{{Path: "build_tag", Value: "12"}}}
			none := testdb.Query{Filters: []testdb.Filter{{Path: "build_tag", Value: "none"}}}
			for _, test := range []struct {
				c    testdb.Collection
				q    testdb.Query
				want string
			}{
				{testdb.Results, testdb.Query{}, `{"pagination": {"current_page": 1, "total_pages": 1}, "results": [` + results[2] + ", " + results[1] + ", " + results[0] + "]}\n"},
				{testdb.Results, tagged, `{"pagination": {"current_page": 1, "total_pages": 1}, "results": [` + results[2] + "]}\n"},
				{testdb.Results, none, `{"pagination": {"current_page": 1, "total_pages": 0}, "results": []}` + "\n"},
				{testdb.Pods, testdb.Query{}, `{"pods": [` + strings.Join(pods, ", ") + "]}\n"},
			} {
				var out bytes.Buffer
				if err := transfer.Export(t.Context(), store, &out, test.c, test.q); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, out.String()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestExportFailures(t *testing.T) {
	t.Parallel()
	store := newMemoryStore()
	if _, err := importBytes(t, store, history(t), transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	full := writerFunc(func([]byte) (int, error) { return 0, testdb.ErrFull })
	tests := map[string]struct {
		store testdb.Store
		c     testdb.Collection
		want  string
	}{
		"no such collection": {store, "users", "export users: there is no such collection"},
		"full disk":          {store, testdb.Results, "write the export, after 3 documents: the disk is full"},
		"full disk, empty":   {store, testdb.Scenarios, "write the export, after 0 documents: the disk is full"},
		"broken store":       {brokenStore{}, testdb.Results, "export results, after 1 documents: broken"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := transfer.Export(t.Context(), test.store, full, test.c, testdb.Query{})
			if err == nil || err.Error() != test.want {
				t.Errorf("the error is %v, not %s", err, test.want)
			}
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A brokenStore finds one document.
type brokenStore struct{ testdb.Store }

func (brokenStore) Find(context.Context, testdb.Collection, testdb.Query) iter.Seq2[testdb.Document, error] {
	return func(yield func(testdb.Document, error) bool) {
		if yield(testdb.Document{Body: []byte("{}")}, nil) {
			yield(testdb.Document{}, fmt.Errorf("broken"))
		}
	}
}

// TestManyInAnyOrder imports more than a few, and their order is that of ids.
func TestManyInAnyOrder(t *testing.T) {
	t.Parallel()
	const n = 2000
	archive := newArchive(t, database, "results")
	var want []string
	for i := range n {
		archive.segment(database, "results", result(i*7919%n, bson.E{Key: "details", Value: strings.Repeat("x", i)}))
		want = append(want, objectID(i).Hex())
	}
	store := newMemoryStore()
	if _, err := importBytes(t, store, archive.end(database, "results").bytes(), transfer.Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, ids(t, store, testdb.Results)); diff != "" {
		t.Error(diff)
	}
}
