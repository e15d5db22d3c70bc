package parse

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

var netperfCase = &testcases.Case{Name: "netperf", Driver: "netperf"}

const csvOfCase = "netperf/netperf.csv"

func TestNetperfAgreesWithTheTruth(t *testing.T) {
	t.Parallel()
	for name, want := range truth(t, "testdata/netperf/TRUTH.tsv") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := asText(csvOfCase, recorded(t, "testdata/netperf", name))
			evidence, err := parseFiles(netperfCase, files, "")
			if err != nil {
				t.Fatal(err)
			}
			checkSound(t, files, evidence, err)
			got := tally(evidence.Checks)
			zero := number(t, want["rows_with_zero_maximum"])
			if got[testcases.StatusSkip] != zero || got[testcases.StatusPass] != number(t, want["rows"])-zero {
				t.Errorf("got %v, want %v", got, want)
			}
			ragged := 0
			for _, f := range evidence.Findings {
				if strings.HasPrefix(f.Text, "ragged") {
					ragged++
				}
			}
			if ragged != number(t, want["ragged_rows"]) {
				t.Errorf("got %d ragged rows, want %s: %v", ragged, want["ragged_rows"], evidence.Findings)
			}
			wantNoIncomplete(t, evidence)
		})
	}
}

func TestNetperfAgreesWithTheTruthOfACampaign(t *testing.T) {
	t.Parallel()
	want := truth(t, "testdata/campaign/TRUTH.tsv")["netperf"]
	evidence, err := parseRecording(t, netperfCase, "testdata/campaign/netperf")
	if err != nil {
		t.Fatal(err)
	}
	// the truth counts rows that hold 0 as failed
	got := tally(evidence.Checks)
	if got[testcases.StatusPass] != number(t, want["passed"]) || got[testcases.StatusSkip] != number(t, want["failed"]) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(evidence.Findings) != 0 {
		t.Errorf("want no finding, got %v", evidence.Findings)
	}
	first := named(t, evidence, "iperf TCP. Same VM using Pod IP")
	if len(first.Figures) != 23 || !first.Informative {
		t.Errorf("want the maximum and 22 values, informative, got %+v", first)
	}
}

func TestNetperfChecks(t *testing.T) {
	t.Parallel()
	const table = "MSS , Maximum, 96, 160,\n" +
		"1 iperf TCP. Remote VM using Pod IP ,907.500000,900,907.5,\n" +
		"2 iperf UDP. Remote VM using Pod IP ,12.000000,12,\n" +
		"3 iperf TCP. Hairpin Pod to own Virtual IP ,0.000000,0,0,\n" +
		"4 netperf. Remote VM using Virtual IP ,0.000000,0.00,\n"
	evidence, err := parseFiles(netperfCase, map[string]string{csvOfCase: table}, "")
	if err != nil {
		t.Fatal(err)
	}
	figure := func(name string, value float64) testcases.Figure {
		return testcases.Figure{Name: name, Value: value, Unit: "Mbit/s"}
	}
	source := func(line int) testcases.Source { return testcases.Source{File: csvOfCase, Line: line} }
	want := []testcases.Check{
		{
			Name: "iperf TCP. Remote VM using Pod IP", Status: testcases.StatusPass, Informative: true, Source: source(2),
			Figures: []testcases.Figure{figure("maximum", 907.5), figure("MSS 96", 900), figure("MSS 160", 907.5)},
		},
		{
			Name: "iperf UDP. Remote VM using Pod IP", Status: testcases.StatusPass, Informative: true, Source: source(3),
			Figures: []testcases.Figure{figure("maximum", 12)},
		},
		{
			Name: "iperf TCP. Hairpin Pod to own Virtual IP", Status: testcases.StatusSkip, Class: testcases.ClassSkipped, Informative: true, Source: source(4),
			Reason:  "not measured: value 0: the test failed, or its output could not be read",
			Figures: []testcases.Figure{figure("maximum", 0), figure("MSS 96", 0), figure("MSS 160", 0)},
		},
		{
			Name: "netperf. Remote VM using Virtual IP", Status: testcases.StatusSkip, Class: testcases.ClassSkipped, Informative: true, Source: source(5),
			Reason:  "not measured: value 0, by design: the program netperf cannot use the virtual IP of a service",
			Figures: []testcases.Figure{figure("maximum", 0)},
		},
	}
	if diff := cmp.Diff(want, evidence.Checks); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
	wantFinding(t, evidence, testcases.FindingIncomplete, "1 of the 5 network paths of RC2 2.2 were measured over TCP; "+
		"not measured: Same VM using Pod IP, Same VM using Virtual IP, Remote VM using Virtual IP, Hairpin Pod to own Virtual IP")
	wantFinding(t, evidence, testcases.FindingIncomplete, "holds 4 rows, netperf writes at least 13")
}

func TestNetperfToleratesOddRows(t *testing.T) {
	t.Parallel()
	ragged, err := parseFiles(netperfCase, asText(csvOfCase, recorded(t, "testdata/netperf", "mrahbar-ragged.csv")), "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, ragged, testcases.FindingNote, "the header does not end with a comma")
	wantFinding(t, ragged, testcases.FindingNote, "ragged: 21 values for 22 maximum segment sizes")
	wantFinding(t, ragged, testcases.FindingNote, "values are 0: not measured")
	wantFinding(t, ragged, testcases.FindingNote, "1 values are above the maximum that the row states")

	table := string(recorded(t, "testdata/netperf", "perf-tests-readme-13rows.csv"))
	tests := map[string]struct {
		old, new string
		kind     testcases.FindingKind
		want     string
	}{
		"no comma at the end": {"11046,10064,10622,10528,10246,", "11046,10064,10622,10528,10246", testcases.FindingNote, "does not end with a comma"},
		"a row is lost":       {"3 iperf TCP. Remote VM using Pod IP          ,10652.000000,8793,9836,10602,9959,9941,10652,\n", "", testcases.FindingIncomplete, "row 4 follows row 2"},
		"a row twice":         {"4 iperf TCP. Remote VM using Virtual IP", "3 iperf TCP. Remote VM using Pod IP", testcases.FindingIncomplete, "row 3 follows row 3"},
		"a path not measured": {"10652.000000,8793,9836,10602,9959,9941,10652,", "0.000000,0,0,0,0,0,0,", testcases.FindingIncomplete, "4 of the 5 network paths"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edited := strings.Replace(table, test.old, test.new, 1)
			if edited == table {
				t.Fatal("nothing was edited")
			}
			evidence, err := parseFiles(netperfCase, map[string]string{csvOfCase: edited}, "")
			if err != nil {
				t.Fatal(err)
			}
			wantFinding(t, evidence, test.kind, test.want)
		})
	}
}

func TestNetperfRefusesGarbage(t *testing.T) {
	t.Parallel()
	const row = "1 iperf TCP. Same VM using Pod IP,1.0,1,\n"
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":        {map[string]string{"netperf.png": "x"}, "netperf.csv: none found: the container leaves"},
		"empty":          {map[string]string{csvOfCase: ""}, csvOfCase + ": empty"},
		"header alone":   {map[string]string{csvOfCase: "MSS , Maximum, 96,\n"}, csvOfCase + ": holds no row"},
		"no header":      {map[string]string{csvOfCase: row}, csvOfCase + ":1: netperf's header, MSS, is missing"},
		"bad header":     {map[string]string{csvOfCase: "MSS, Maximum, 96, high,\n" + row}, csvOfCase + `:1: the header holds "high"`},
		"not a table":    {map[string]string{csvOfCase: "<html>\n"}, csvOfCase + `:1: "<html>" is neither`},
		"quotes":         {map[string]string{csvOfCase: "MSS, Maximum, 96,\na\"b\n"}, csvOfCase + ":2: not a table of comma-separated values"},
		"no number":      {map[string]string{csvOfCase: "MSS, Maximum, 96,\n" + row + "2 iperf TCP. B,fast,1,\n"}, csvOfCase + `:3: iperf TCP. B: maximum "fast" is not a bandwidth`},
		"no finite one":  {map[string]string{csvOfCase: "MSS, Maximum, 96,\n1 iperf TCP. B,NaN,1,\n"}, `"NaN" is not a bandwidth`},
		"bad value":      {map[string]string{csvOfCase: "MSS, Maximum, 96,\n1 iperf TCP. B,1.0,-1,\n"}, `value 1 "-1" is not a bandwidth`},
		"no maximum":     {map[string]string{csvOfCase: "MSS, Maximum, 96,\n1 iperf TCP. B,\n"}, "the row has no maximum"},
		"endless":        {map[string]string{csvOfCase: strings.Repeat("MSS,", maxNetperfFile)}, "longer than 1048576 bytes"},
		"second header":  {map[string]string{csvOfCase: "MSS, Maximum, 96,\nMSS, Maximum, 96,\n" + row}, csvOfCase + `:2: "MSS" is neither`},
		"number without": {map[string]string{csvOfCase: "MSS, Maximum, 96,\n1 iperf,1.0,1,\n"}, `"1 iperf" is neither`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			evidence, err := parseFiles(netperfCase, test.files, "")
			wantError(t, err, test.want)
			checkSound(t, test.files, evidence, err)
		})
	}
}

func TestNetperfTablesThatDifferHideNothing(t *testing.T) {
	t.Parallel()
	table := string(recorded(t, "testdata/netperf", "perf-tests-readme-13rows.csv"))
	const path = "10652.000000,8793,9836,10602,9959,9941,10652,"
	unmeasured := strings.Replace(table, path, "0.000000,0,0,0,0,0,0,", 1)
	for name, files := range map[string]map[string]string{
		"two of one name": {"a/netperf.csv": table, "b/netperf.csv": unmeasured},
		"of another name": {csvOfCase: table, "a/results.CSV": unmeasured},
		"fewer rows":      {csvOfCase: table, "a.csv": table[:strings.Index(table, "\n13 ")+1]},
	} {
		evidence, err := parseFiles(netperfCase, files, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantFinding(t, evidence, testcases.FindingIncomplete, "holds other rows or figures than ")
	}
	copies, err := parseFiles(netperfCase, map[string]string{csvOfCase: table, "copy.csv": table}, "")
	if err != nil || len(copies.Checks) != 13 {
		t.Errorf("copies: %d checks, %v", len(copies.Checks), err)
	}
	wantNoIncomplete(t, copies)
	_, err = parseFiles(netperfCase, map[string]string{csvOfCase: table, "z.csv": "a,b\n"}, "")
	wantError(t, err, `z.csv:1: "a" is neither`)

	tiny, err := parseFiles(netperfCase, map[string]string{csvOfCase: strings.Replace(table, path, "0.000900,0,0,0,0,0,0,", 1)}, "")
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, tiny, testcases.FindingIncomplete, "4 of the 5 network paths")
	if got := named(t, tiny, "iperf TCP. Remote VM using Pod IP"); got.Status != testcases.StatusSkip || !strings.Contains(got.Reason, "value 0.0009") {
		t.Errorf("got %+v", got)
	}
}

func FuzzNetperf(f *testing.F) {
	for _, name := range []string{"mrahbar-ragged.csv", "perf-tests-readme-13rows.csv"} {
		f.Add(recorded(f, "testdata/netperf", name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		files := asText(csvOfCase, data)
		evidence, err := parseFiles(netperfCase, files, "")
		checkSound(t, files, evidence, err)
	})
}
