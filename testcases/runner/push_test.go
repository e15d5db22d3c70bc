package runner

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

// recordingDB is a stand-in for a results database.
type recordingDB struct {
	registered []string
	posted     []testcases.Record
	err        error
}

func (d *recordingDB) Register(_ context.Context, pod, project string, cases ...string) error {
	d.registered = append(append(d.registered, pod, project), cases...)
	return nil
}

func (d *recordingDB) Post(_ context.Context, result testcases.Record) (string, error) {
	if d.err != nil {
		return "", d.err
	}
	d.posted = append(d.posted, result)
	return "6b04bf6c754128e97f000047", nil
}

func TestPushedRecordsAreInBoth(t *testing.T) {
	t.Parallel()
	index := &memoryIndex{}
	db := &recordingDB{}
	record := testcases.Record{ID: "1", CaseName: "k8s_quick", Criteria: testcases.CriteriaPass, BuildTag: "RECORDED"}
	if err := Pushed(index, db, tag, "lab", "functest").Add(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	want := record
	want.BuildTag, want.PodName, want.ProjectName = tag, "lab", "functest"
	if diff := cmp.Diff([]testcases.Record{want}, db.posted); diff != "" {
		t.Errorf("posted (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"lab", "functest", "k8s_quick"}, db.registered); diff != "" {
		t.Errorf("registered (-want +got):\n%s", diff)
	}
	if kept, err := index.Find(t.Context(), "1"); err != nil || kept == nil || kept.BuildTag != "RECORDED" {
		t.Errorf("the index has %v, %v: want the record as it was", kept, err)
	}
}

func TestWhatCannotBePushedIsNotKept(t *testing.T) {
	t.Parallel()
	index := &memoryIndex{}
	refused := errors.New("507")
	err := Pushed(index, &recordingDB{err: refused}, tag, "lab", "functest").Add(t.Context(), testcases.Record{ID: "1"})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v, want %v", err, refused)
	}
	if kept, _ := index.Find(t.Context(), "1"); kept != nil {
		t.Error("the index has it: a resumed run would take the job as done")
	}
}

func TestRecordsAreFoundByWhatTheyLinkTo(t *testing.T) {
	t.Parallel()
	linking := func(name, details string) testcases.Record {
		return testcases.Record{CaseName: name, Criteria: testcases.CriteriaPass, Details: []byte(details)}
	}
	db := &pushedRecords{earlier: []testcases.Record{
		linking("free", `"no object"`), linking("unlinked", `{}`), linking("shallow", `{"links": ["http://files:8181/`+tag+`/log"]}`),
		linking("other", `{"links": ["http://files:8181/OTHER/job-a-1/log"]}`),
		linking("a", `{"links": ["http://files:8181/`+tag+`/job-a-2/a/x", "http://files:8181/`+tag+`/job-a-2/log"]}`),
	}}
	index := InTestDB(db, tag)
	for folder, want := range map[string]string{tag + "/job-a-2": "a", tag + "/job-a-1": "", tag + "/log": "", "OTHER/job-a-1": ""} {
		record, err := index.Find(t.Context(), recordID(folder))
		if got := record; err != nil || (got == nil) != (want == "") || got != nil && got.CaseName != want {
			t.Errorf("%s: %v, %v, want %q", folder, got, err, want)
		}
	}
}
