package artifacts

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

const classicZip = "testdata/classic/G2K7M0Q4ZX1P.zip"

// reviewClassic reviews the zip of the classic toolchain.
func reviewClassic(t *testing.T, o ReviewOptions) *Review {
	t.Helper()
	o.Limits, o.Release = DefaultLimits(), "v1.23"
	review, err := ReviewArchive(context.Background(), classicZip, o)
	if err != nil {
		t.Fatal(err)
	}
	return review
}

// classicOnce is the review that tests which change nothing in it share: it
// parses 30 MB.
var classicOnce = sync.OnceValues(func() (*Review, error) {
	return ReviewArchive(context.Background(), classicZip, ReviewOptions{Limits: DefaultLimits(), Release: "v1.23"})
})

func sharedClassic(t *testing.T) *Review {
	t.Helper()
	review, err := classicOnce()
	if err != nil {
		t.Fatal(err)
	}
	return review
}

// table reads an independent count.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows := csv.NewReader(r)
	rows.Comma, rows.FieldsPerRecord, rows.LazyQuotes = '\t', -1, true
	all, err := rows.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func outcomeOf(t *testing.T, a *testcases.Assessment, name string) *testcases.Outcome {
	t.Helper()
	for i := range a.Outcomes {
		if a.Outcomes[i].Case.Name == name {
			return &a.Outcomes[i]
		}
	}
	t.Fatalf("no outcome of %s", name)
	return nil
}

func TestClassicZipIsCalledWhatItIs(t *testing.T) {
	t.Parallel()
	review := sharedClassic(t)
	if i := review.Integrity; i.Kind != KindClassic || i.Untouched || i.Signer != "" || len(i.Problems) != 1 {
		t.Errorf("integrity %+v", i)
	}
	if review.Good() || review.Assessment.Verdict != testcases.NotConformant {
		t.Errorf("verdict %s", review.Assessment.Verdict)
	}
}

func TestClassicCampaignAgreesWithTheTruthOfEverySuite(t *testing.T) {
	t.Parallel()
	assessment := sharedClassic(t).Assessment
	rows := table(t, "testdata/classic/TRUTH-suites.tsv")[1:]
	if len(rows) != len(assessment.Outcomes) {
		t.Errorf("%d suites, %d outcomes", len(rows), len(assessment.Outcomes))
	}
	for _, row := range rows {
		name, verdict := row[0], row[1]
		t.Run(name, func(t *testing.T) {
			o := outcomeOf(t, assessment, name)
			if string(o.Recorded) != verdict {
				t.Errorf("recorded %s, want %s", o.Recorded, verdict)
			}
			if string(o.Derived) != verdict {
				t.Errorf("derived %s, want %s", o.Derived, verdict)
			}
			from := map[string]string{"yes": "record", "NO": "log"}[row[5]]
			if o.RecordedFrom != from {
				t.Errorf("recorded from %s, want %s", o.RecordedFrom, from)
			}
			if name == "sig_auth" { // the truth has what the container wrote, not what ran
				want := testcases.Counts{Errors: 10, Missing: 14}
				if o.Counts != want {
					t.Errorf("counts %+v, want %+v", o.Counts, want)
				}
				return
			}
			compareCounts(t, o, row)
		})
	}
}

// compareCounts compares the columns that the truth has for a suite.
func compareCounts(t *testing.T, o *testcases.Outcome, row []string) {
	t.Helper()
	got := []int{o.Counts.Passed, o.Counts.Failed, o.Counts.Skipped}
	switch o.Case.Driver {
	case "kube_hunter": // the truth counts vulnerabilities alone
		got = []int{0, o.Counts.Failed, 0}
	case "netperf": // and calls a figure of 0 a failure
		got = []int{o.Counts.Passed, o.Counts.Skipped, 0}
	}
	for i, cell := range row[2:5] {
		want, err := strconv.Atoi(cell)
		if err != nil {
			continue // the truth does not say
		}
		if got[i] != want {
			t.Errorf("counts %v, truth %v", got, row[2:5])
		}
	}
}

// Every record of every e2e suite: 98,588.
func TestClassicCampaignAgreesWithTheTruthOfEveryRecord(t *testing.T) {
	t.Parallel()
	type key struct{ suite, spec string }
	type fate struct{ status, class, reason string }
	assessment := sharedClassic(t).Assessment
	got := map[key]fate{}
	for i := range assessment.Outcomes {
		o := &assessment.Outcomes[i]
		for k := range o.Checks {
			check := &o.Checks[k]
			if o.Case.Focus == "" || check.Class == testcases.ClassSetup {
				continue
			}
			f := fate{status: strings.ToUpper(string(check.Status))}
			switch check.Class {
			case testcases.ClassNotSelected:
				f.class = "not selected"
			case testcases.ClassSkipped:
				f.class, f.reason = "run time", check.Reason
			}
			got[key{o.Case.Name, check.Name}] = f
		}
	}
	rows := table(t, "testdata/classic/TRUTH-specs.tsv.gz")[1:]
	if len(rows) != 98_588 || len(got) != len(rows) {
		t.Errorf("%d records in the truth, %d derived", len(rows), len(got))
	}
	wrong := 0
	for _, row := range rows {
		want := fate{status: row[2], class: row[3]}
		f, ok := got[key{row[0], row[1]}]
		if want.class == "run time" {
			want.reason = row[4]
		}
		if !ok || f.status != want.status || f.class != want.class && want.status == "SKIP" || want.reason != "" && !strings.Contains(want.reason, f.reason) {
			if wrong++; wrong < 10 {
				t.Errorf("%s %q: got %+v, want %+v", row[0], row[1], f, want)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d records are wrong", wrong, len(rows))
	}
}

func TestClassicCampaignMerged(t *testing.T) {
	t.Parallel()
	skipShort(t)
	assessment := sharedClassic(t).Assessment
	got, missing := map[string]int{}, map[string]int{}
	for i := range assessment.Specs {
		spec := &assessment.Specs[i]
		switch {
		case spec.Missing:
			got["not selected"]++ // the truth has no record of it
			missing[strings.Join(spec.Cases, ",")]++
		case spec.Class == testcases.ClassSkipped:
			got["run time"]++
		case spec.Class == testcases.ClassNotSelected:
			got["not selected"]++
		default:
			got[strings.ToUpper(string(spec.Status))]++
		}
	}
	want := map[string]int{}
	for _, row := range table(t, "testdata/classic/TRUTH-merged.tsv") {
		n, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		if row[0] != "records" { // of all suites, not merged
			want[row[0]] = n
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	// selected, and without a record of any suite: a report says why
	if diff := cmp.Diff(map[string]int{"sig_auth": 14, "sig_apps_serial": 5}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestClassicLinksBecomeRelative(t *testing.T) {
	t.Parallel()
	file, err := os.Open(classicZip)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := openZip(file, DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	campaign, err := OpenCampaign(z, "G2K7M0Q4ZX1P")
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, record := range campaign.Index.relative(campaign.Tag).Results {
		for _, link := range linksOf(&record) {
			links++
			if _, err := z.Open(link); err != nil {
				t.Errorf("%s does not lead into the archive: %v", link, err)
			}
		}
	}
	if links == 0 {
		t.Error("no links")
	}
}
