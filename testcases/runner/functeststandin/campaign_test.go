package main

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/parse"
	"github.com/anuket-project/xtci/testcases/runner/functeststandin/layout"
)

func TestUploadIsThatOfBoto(t *testing.T) {
	t.Parallel()
	lab := newLab(t)
	job := lab.job("job-1", "DEBUG=true", "FUNCTEST_STANDIN_FILL=17MiB")
	root := newRoot(t, "benchmarking")
	if console, status := call(t, root, job, "run_tests", "-t", "netperf", "-p"); status != 0 {
		t.Fatalf("status %d: %s", status, console)
	}
	got := slices.Clone(lab.stored)
	digests := regexp.MustCompile(`: [0-9a-f]{64}|: [A-Za-z0-9+/]{22}==|uploadId=[^&\n]+`)
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for i := range got {
		got[i] = digests.ReplaceAllString(strings.ReplaceAll(got[i], empty, "of nothing"), ": DIGEST")
	}
	put := func(name, of string) string {
		return "PUT /xtesting/FX/job-1/" + name + "\nContent-Type: " + of + "\nContent-MD5: DIGEST\nExpect: 100-continue\nX-Amz-Content-SHA256: DIGEST"
	}
	want := []string{
		"HEAD /xtesting\nX-Amz-Content-SHA256: of nothing",
		"PUT /xtesting\nX-Amz-Content-SHA256: of nothing", // it was not there
		put("functest-kubernetes.log", "text/plain"),
		put("functest-kubernetes.debug.log", "text/plain"),
	}
	if diff := cmp.Diff(want, got[:4]); diff != "" {
		t.Error(diff)
	}
	want = []string{
		put("netperf/netperf.bar.png", "image/png"), put("netperf/netperf.bar.svg", "image/svg+xml"), put("netperf/netperf.csv", "text/csv"),
		put("netperf/netperf.png", "image/png"), put("netperf/netperf.svg", "image/svg+xml"),
		"POST /xtesting/FX/job-1/netperf/fill.bin?: DIGEST\nX-Amz-Content-SHA256: DIGEST",
		"POST /xtesting/FX/job-1/netperf/fill.bin?uploads=\nContent-Type: application/octet-stream\nX-Amz-Content-SHA256: of nothing",
	}
	for part := 1; part <= 3; part++ {
		want = append(want, fmt.Sprintf("PUT /xtesting/FX/job-1/netperf/fill.bin?partNumber=%d&: DIGEST\nContent-MD5: DIGEST\nExpect: 100-continue\nX-Amz-Content-SHA256: DIGEST", part))
	}
	slices.Sort(want)
	files := slices.Sorted(slices.Values(got[4:]))
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
	before := len(lab.stored)
	call(t, root, job, "run_tests", "-t", "netperf", "-p")
	if again := lab.stored[before+1]; !strings.HasPrefix(again, "PUT /xtesting/FX/job-1/functest-kubernetes.log") {
		t.Errorf("after HEAD of a bucket that is there: %s", again)
	}
}

// The stand-in draws results as the drivers do; what it draws from a recording
// must be what was recorded.
func TestResultsAreThoseRecorded(t *testing.T) {
	t.Parallel()
	root := newRoot(t, layout.Tiers()...)
	_, status := call(t, root, []string{"DEPLOY_SCENARIO=k8-x", "TEST_DB_URL=file:///dump.txt"}, "run_tests", "-t", "all", "-r")
	if status != 255 {
		t.Errorf("status %d: the sample has failures", status)
	}
	raw, err := os.ReadFile(filepath.Join(root, "dump.txt"))
	if err != nil {
		t.Fatal(err)
	}
	sample, err := recording.Open("../../testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	defer sample.Close()
	compared := 0
	for line := range strings.Lines(string(raw)) {
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var got testcases.Record
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		folder, err := sample.Sub(got.CaseName)
		if err != nil {
			t.Fatal(err)
		}
		want, err := testcases.ReadRecord(folder, got.CaseName)
		if err != nil {
			t.Fatal(err)
		}
		if got.Criteria != want.Criteria || !sameJSON(t, got.Details, want.Details) {
			t.Errorf("%s: %s %.200s, recorded %s %.200s", got.CaseName, got.Criteria, got.Details, want.Criteria, want.Details)
		}
		compared++
	}
	if compared != 24 {
		t.Errorf("%d records, want 24", compared)
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	x, err := decodeObject(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := decodeObject(b)
	if err != nil {
		t.Fatal(err)
	}
	return cmp.Equal(x, y)
}

// campaign runs cases, each in a container of its own, and collects what they
// pushed and left.
func campaign(t *testing.T, of func(*testcases.Case) bool, env ...string) *testcases.Assessment {
	t.Helper()
	const tag = "STANDIN00001"
	catalog, err := testcases.Load(release)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	var records []string
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if !of(c) {
			continue
		}
		root := newRoot(t, c.Tier)
		call(t, root, append([]string{"DEPLOY_SCENARIO=k8-x", "BUILD_TAG=" + tag, "NODE_NAME=n", "TEST_DB_URL=file:///dump.txt"}, env...), "run_tests", "-t", c.Name, "-r")
		if raw, err := os.ReadFile(filepath.Join(root, "dump.txt")); err == nil {
			records = append(records, regexp.MustCompile(`(?m)^\{.*\}$`).FindString(string(raw)))
		}
		left := os.DirFS(filepath.Join(root, resultsDir))
		err := fs.WalkDir(left, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := fs.ReadFile(left, name)
			files[path.Join(tag, testcases.JobName("functest-kubernetes", c)+"-1", name)] = &fstest.MapFile{Data: content}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	files[artifacts.IndexName(tag)] = &fstest.MapFile{Data: []byte(`{"pagination": {"current_page": 1, "total_pages": 1}, "results": [` + strings.Join(records, ",") + `]}`)}
	opened, err := artifacts.OpenCampaign(files, tag)
	if err != nil {
		t.Fatal(err)
	}
	a, err := opened.Assess(t.Context(), catalog, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCampaignIsConformant(t *testing.T) {
	t.Parallel()
	a := campaign(t, func(c *testcases.Case) bool { return c.Default }, "FUNCTEST_STANDIN_PASS=all")
	if a.Verdict != testcases.Conformant || len(a.Outcomes) != 24 {
		t.Errorf("%s, %d cases: %q", a.Verdict, len(a.Outcomes), a.Reasons)
	}
	for _, finding := range a.Findings {
		t.Errorf("%s: %s", finding.Kind, finding.Text)
	}
	for _, o := range a.Outcomes {
		if o.Verdict != testcases.VerdictPass || !o.Complete || o.Recorded != testcases.CriteriaPass {
			t.Errorf("%s: %s: %+v", o.Case.Name, o.Verdict, o.Findings)
		}
	}
}

func TestEveryDriverCanFail(t *testing.T) {
	t.Parallel()
	some := map[string]testcases.CaseVerdict{
		"sig_auth": testcases.VerdictFail, "sig_storage_serial": testcases.VerdictFail, "xrally_kubernetes": testcases.VerdictFail,
		"kube_hunter": testcases.VerdictFail, "netperf": testcases.VerdictFail, "k8s_vims": testcases.VerdictFail,
		// it fails only when there is no report, and pushes no record then
		"kube_bench_node": testcases.VerdictIncomplete,
	}
	a := campaign(t, func(c *testcases.Case) bool { return some[c.Name] != "" }, "FUNCTEST_STANDIN_PASS=all", "FUNCTEST_STANDIN_FAIL=all")
	for _, o := range a.Outcomes {
		if want := some[o.Case.Name]; want != "" && o.Verdict != want {
			t.Errorf("%s: %s: %+v", o.Case.Name, o.Verdict, o.Findings)
		}
	}
}

func TestBadRecords(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"lie": `"criteria": "FAIL"`, "criteria": `"criteria": "PERHAPS"`, "case": `"case_name": "k8s_smoke"`, "json": "",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			root := newRoot(t, "healthcheck")
			call(t, root, []string{"DEPLOY_SCENARIO=k8-x", "TEST_DB_URL=file:///dump.txt", "FUNCTEST_STANDIN_BADRECORD=k8s_quick=" + kind}, "run_tests", "-t", "k8s_quick", "-r")
			raw, err := os.ReadFile(filepath.Join(root, "dump.txt"))
			if err != nil || !strings.Contains(string(raw), want) {
				t.Fatal(err, string(raw))
			}
			body := strings.TrimSpace(string(raw[strings.Index(string(raw), "{"):]))
			if json.Valid([]byte(body)) == (kind == "json") {
				t.Error(body)
			}
		})
	}
}

func TestSlowSuiteShowsHowFarItIs(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"live", "end"} {
		t.Run(ends, func(t *testing.T) {
			t.Parallel()
			root := newRoot(t, "smoke")
			done := make(chan int, 1)
			go func() {
				_, status := call(t, root, []string{"DEPLOY_SCENARIO=k8-x", "FUNCTEST_STANDIN_PASS=all", "FUNCTEST_STANDIN_SLOW=sig_auth=2s", "FUNCTEST_STANDIN_E2ELOG=" + ends}, "run_tests", "-t", "sig_auth")
				done <- status
			}()
			log := filepath.Join(root, resultsDir, "sig_auth", ginkgoLog)
			seen := map[int]bool{}
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for running := true; running; {
				select {
				case status := <-done:
					if running = false; status != 0 {
						t.Errorf("status %d", status)
					}
				case <-tick.C:
					if raw, err := os.ReadFile(log); err == nil {
						seen[strings.Count(string(raw), `{"msg":"PASSED `)] = true
					}
				}
			}
			if many := len(seen) > 5; many != (ends == "live") {
				t.Errorf("seen %v", seen)
			}
		})
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		order  string
		name   string
		status int
		says   string
		log    bool // whether half of e2e.log is there
	}{
		{"CRASH=all", "k8s_quick", 137, "", true},
		{"CRASH=3", "k8s_quick", 3, "", true},
		{"CRASH=k8s_quick=3", "k8s_quick", 3, "", true},
		{"CRASH=k8s_smoke=3", "k8s_quick", 0, "EX_OK", true},
		{"RAISE=k8s_quick", "k8s_quick", 255, "Please fix the testcase k8s_quick.\nAll exceptions should be caught", false},
		{"FILL=k8s_quick=1MB", "k8s_quick", 0, "EX_OK", true},
	} {
		t.Run(tt.order, func(t *testing.T) {
			t.Parallel()
			root := newRoot(t, "healthcheck")
			console, status := call(t, root, []string{"DEPLOY_SCENARIO=k8-x", "FUNCTEST_STANDIN_" + tt.order}, "run_tests", "-t", tt.name)
			if status != tt.status || !strings.Contains(console, tt.says) || strings.Contains(console, "Test result") == (tt.status != 0) {
				t.Errorf("status %d:\n%s", status, console)
			}
			if log := exists(filepath.Join(root, resultsDir, tt.name, ginkgoLog)); log != tt.log {
				t.Errorf("e2e.log: %v", log)
			}
			if info, err := os.Stat(filepath.Join(root, resultsDir, tt.name, "fill.bin")); strings.HasPrefix(tt.order, "FILL") && (err != nil || info.Size() != 1e6) {
				t.Errorf("fill.bin: %v, %v", info, err)
			}
		})
	}
}

// What a suite of the stand-in leaves is read as what it says.
func TestCrashedSuiteHasNoResult(t *testing.T) {
	t.Parallel()
	root := newRoot(t, "smoke")
	call(t, root, []string{"DEPLOY_SCENARIO=k8-x", "FUNCTEST_STANDIN_CRASH=all"}, "run_tests", "-t", "sig_auth")
	catalog, err := testcases.Load(release)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := catalog.Case("sig_auth")
	evidence, err := parse.Case(parse.Input{Case: c, Files: os.DirFS(filepath.Join(root, resultsDir))})
	if err == nil || len(evidence.Checks) != 0 {
		t.Errorf("%d checks, %v", len(evidence.Checks), err)
	}
}

func TestZipCampaign(t *testing.T) {
	t.Parallel()
	lab := newLab(t)
	for _, name := range []string{"k8s_quick", "k8s_smoke"} {
		if console, status := call(t, newRoot(t, "healthcheck"), lab.job(name+"-1"), "run_tests", "-t", name, "-p", "-r"); status != 0 {
			t.Fatal(console)
		}
	}
	root := newRoot(t, "healthcheck")
	env := append(slices.Clone(lab.env), "S3_DST_URL=s3://xtesting", "HTTP_DST_URL="+fileURL)
	console, status := call(t, root, env, "zip_campaign")
	if status != 0 || !strings.HasSuffix(console, "INFO - All data were successfully published:\n\n"+fileURL+"/FX.zip\n") {
		t.Fatalf("status %d: %s", status, console)
	}
	if !strings.Contains(console, "INFO - Downloading FX/k8s_quick-1/k8s_quick/e2e.log\n") {
		t.Error(console)
	}
	archive, err := zip.OpenReader(filepath.Join(root, "FX.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if first := archive.File[0]; first.Name != "FX.json" || first.Method != zip.Deflate || len(archive.File) != 1+2*4 {
		t.Errorf("%s first, %d files", first.Name, len(archive.File))
	}
	// the index is the DB's answer, unchanged
	answer, err := exchange(http.MethodGet, lab.dbURL+"?build_tag="+url.QueryEscape(testTag), "")
	if err != nil || answer.code != http.StatusOK {
		t.Fatal(answer, err)
	}
	if got, err := fs.ReadFile(archive, "FX.json"); err != nil || string(got) != string(answer.body) {
		t.Errorf("index %s, %v", got, err)
	}
	if !slices.Contains(lab.stored, "GET /xtesting?encoding-type=url&prefix=FX%2F\nX-Amz-Content-SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") {
		t.Errorf("not listed: %q", lab.stored)
	}

	// one result without links breaks it, and status is 0 all the same
	call(t, newRoot(t, "healthcheck"), lab.job("k8s_quick-2"), "run_tests", "-t", "k8s_quick", "-r")
	console, status = call(t, newRoot(t, "healthcheck"), env, "zip_campaign")
	if status != 0 || !strings.Contains(console, "ERROR - The results cannot be collected from DB\nTraceback") || !strings.Contains(console, "\nKeyError: 'links'\n") || strings.Contains(console, ".zip") {
		t.Errorf("status %d: %s", status, console)
	}
}
