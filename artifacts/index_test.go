package artifacts

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

const indexTag = "INDEXTAG"

func TestRecordsAddedAtOnceAreAllKept(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	var group sync.WaitGroup
	var want []string
	for i := range 24 {
		name := fmt.Sprintf("case_%02d", i)
		want = append(want, name)
		index := store.Index(indexTag) // several indexes of one campaign are one
		group.Go(func() {
			if err := index.Add(t.Context(), testcases.Record{ID: "id of " + name, CaseName: name, Criteria: testcases.CriteriaPass}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	index, err := readIndex(store.FS(), indexTag)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, record := range index.Results {
		got = append(got, record.CaseName)
		if record.BuildTag != indexTag {
			t.Errorf("%s: build tag %q", record.CaseName, record.BuildTag)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cases (-want +got):\n%s", diff)
	}
	for _, name := range want {
		if record, err := store.Index(indexTag).Find(t.Context(), "id of "+name); err != nil || record == nil || record.CaseName != name {
			t.Errorf("find %s: %+v, %v", name, record, err)
		}
	}
}

func TestNewestRecordIsFirst(t *testing.T) {
	t.Parallel()
	store := openStore(t, t.TempDir())
	index := store.Index(indexTag)
	if record, err := index.Find(t.Context(), "x"); record != nil || err != nil {
		t.Errorf("find in no index: %v, %v", record, err)
	}
	for _, name := range []string{"first", "second"} {
		if err := index.Add(t.Context(), testcases.Record{CaseName: name, Criteria: testcases.CriteriaFail, Details: []byte(`{"a":"<b>"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(filepath.Join(store.root.Name(), IndexName(indexTag)))
	if err != nil {
		t.Fatal(err)
	}
	record := func(name string) string {
		return `{"build_tag":"INDEXTAG","case_name":"` + name + `","criteria":"FAIL","details":{"a":"<b>"},"installer":null,"pod_name":"","project_name":"","scenario":null,"start_date":null,"stop_date":null,"version":null}`
	}
	want := `{"pagination":{"current_page":1,"total_pages":1},"results":[` + record("second") + "," + record("first") + "]}\n"
	if diff := cmp.Diff(want, string(file)); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
	if record, err := index.Find(t.Context(), "x"); record != nil || err != nil {
		t.Errorf("find one that is not there: %v, %v", record, err)
	}
}

func TestDamagedIndexesAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, index, want string }{
		{"empty", "", "line 1: unexpected end of JSON input"},
		{"cut off", "{\"pagination\": {},\n\"results\": [\n{\"build_tag\": ", "line 3: unexpected end of JSON input"},
		{"no JSON", "{\n\"results\": hello}", "line 2: invalid character"},
		{"something behind it", "{\"results\": []}\n\n}", "line 3: invalid character"},
		{"a wrong type", "{\n\n\"results\": {}}", "line 3: json: cannot unmarshal object"},
		{"a record of another campaign", `{"results": [{"build_tag": "` + indexTag + `"}, {"build_tag": "ANOTHER1"}]}`, `result 2 has build_tag "ANOTHER1", not "INDEXTAG"`},
		{"too large", strings.Repeat(" ", maxIndex+1), "larger than 64 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			store := openStore(t, t.TempDir())
			if err := store.Put(t.Context(), IndexName(indexTag), strings.NewReader(test.index)); err != nil {
				t.Fatal(err)
			}
			check := func(what string, err error) {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), IndexName(indexTag)) {
					t.Errorf("%s: got %v, want an error that names the file and says %q", what, err, test.want)
				}
			}
			check("add", store.Index(indexTag).Add(t.Context(), testcases.Record{}))
			_, err := store.Index(indexTag).Find(t.Context(), "x")
			check("find", err)
			if left := stored(t, store.root.Name()); left[IndexName(indexTag)] != test.index {
				t.Error("a damaged index was overwritten: what can be saved of it is lost")
			}
		})
	}
}

// An index is refused, or what is written of it reads the same again.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"pagination":{"current_page":1,"total_pages":2},"results":[{"_id":"1","build_tag":"INDEXTAG","case_name":"a","criteria":"PASS","details":{"links":["http://lab/INDEXTAG/a"]}}]}`))
	f.Add([]byte("{\n\"results\":[{\"build_tag\":\"INDEXTAG\",\"details\":null,\"version\":null}]}"))
	f.Add([]byte(`{"results":[{"build_tag":1}]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		index, err := readIndex(fstest.MapFS{IndexName(indexTag): {Data: raw}}, indexTag)
		if err != nil {
			if !strings.Contains(err.Error(), IndexName(indexTag)) {
				t.Errorf("error without the file: %v", err)
			}
			return
		}
		var first, second bytes.Buffer
		if err := writeIndex(&first, index.relative(indexTag)); err != nil {
			t.Fatal(err)
		}
		again, err := readIndex(fstest.MapFS{IndexName(indexTag): {Data: first.Bytes()}}, indexTag)
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, &first)
		}
		if err := writeIndex(&second, again.relative(indexTag)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first.String(), second.String()); diff != "" {
			t.Errorf("written again (-first +second):\n%s", diff)
		}
	})
}
