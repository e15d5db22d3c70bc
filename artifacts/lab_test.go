package artifacts

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/anuket-project/xtci/testcases"
)

// greenTag is the build tag of the flawless campaign.
const greenTag = "GREEN0000001"

// A lab is a campaign in a store, made in code. The one of flawlessLab is
// conformant; tests change copies of it.
type lab struct {
	catalog *testcases.Catalog
	files   fstest.MapFS
	records []testcases.Record // newest first
	pages   int                // that the index says to be one of
	suites  map[string]suite   // what the e2e cases' files were made from
	target  string             // the case that a mutation is about
}

// A suite is one run of the Kubernetes e2e suite.
type suite struct {
	nodes int
	v2    bool // in the form of ginkgo v2
	specs []spec
}

// A spec is what a suite lists of one test.
type spec struct {
	name    string
	node    int // the parallel ginkgo node that lists it
	fate    fate
	seconds float64
}

type fate int

const (
	unselected fate = iota
	passed
	failed
	flaked   // failed, and passed when it was tried again
	withdrew // skipped itself while it ran
	pending
	dry // listed as passed, without having run
)

// flawlessLab returns a copy of a campaign in which everything went well.
func flawlessLab(t testing.TB) *lab {
	t.Helper()
	l, err := green()
	if err != nil {
		t.Fatal(err)
	}
	return &lab{catalog: l.catalog, files: maps.Clone(l.files), records: slices.Clone(l.records), pages: 1, suites: maps.Clone(l.suites)}
}

var green = sync.OnceValues(func() (*lab, error) {
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		return nil, err
	}
	specs, err := catalog.Specs()
	if err != nil {
		return nil, err
	}
	l := &lab{catalog: catalog, files: fstest.MapFS{}, pages: 1, suites: map[string]suite{}}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if !c.Default {
			continue
		}
		if c.Focus != "" {
			if l.suites[c.Name], err = flawlessSuite(c, specs, i); err != nil {
				return nil, err
			}
			l.write(c.Name)
		} else {
			l.add(c.Name, flawlessFiles(c, i))
		}
		l.record(c.Name, testcases.CriteriaPass, flawlessDetails(c))
		if c.Focus != "" {
			l.recount(c.Name)
		}
	}
	return l, nil
})

// folder is where the newest run of a case has its files.
func (l *lab) folder(name string) string { return l.build(name, 7) }

func (l *lab) build(name string, number int) string {
	c, _ := l.catalog.Case(name)
	return path.Join(greenTag, testcases.JobName("functest-kubernetes", c)+"-"+strconv.Itoa(number))
}

// add puts files into the folder of a case.
func (l *lab) add(name string, files map[string]string) {
	for file, content := range files {
		l.files[path.Join(l.folder(name), file)] = &fstest.MapFile{Data: []byte(content)}
	}
}

// record pushes a record, with links to all files that the case has now.
func (l *lab) record(name string, criteria testcases.Criteria, details map[string]any) *testcases.Record {
	var links []string
	for file := range l.files {
		if strings.HasPrefix(file, l.folder(name)+"/") {
			links = append(links, "http://198.51.100.7:8181/"+file)
		}
	}
	slices.Sort(links)
	all := map[string]any{"links": links}
	maps.Copy(all, details)
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // texts and numbers alone
	}
	hour := len(l.records)
	start, stop := fmt.Sprintf("2022-09-19 %02d:00:00", hour), fmt.Sprintf("2022-09-19 %02d:20:34", hour)
	scenario := "k8-nosdn-nofeature-noha"
	l.records = append([]testcases.Record{{
		ID: fmt.Sprintf("%024x", hour+1), BuildTag: greenTag, CaseName: name, Criteria: criteria, Details: raw,
		PodName: "functest-kubernetes", ProjectName: "functest", Scenario: &scenario, StartDate: &start, StopDate: &stop,
	}}, l.records...)
	return &l.records[0]
}

// of returns the newest record of a case, to be changed.
func (l *lab) of(name string) *testcases.Record {
	at := slices.IndexFunc(l.records, func(r testcases.Record) bool { return r.CaseName == name })
	return &l.records[at]
}

// forget removes all records of a case.
func (l *lab) forget(name string) {
	l.records = slices.DeleteFunc(l.records, func(r testcases.Record) bool { return r.CaseName == name })
}

// matching lists the files of a case whose path holds the text.
func (l *lab) matching(name, text string) []string {
	var files []string
	for file := range l.files {
		if inside, ok := strings.CutPrefix(file, l.folder(name)+"/"); ok && strings.Contains(inside, text) {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// remove deletes the files of a case whose path holds the text.
func (l *lab) remove(name, text string) {
	for _, file := range l.matching(name, text) {
		delete(l.files, file)
	}
}

// edit changes the content of one file of a case.
func (l *lab) edit(name, file string, change func(string) string) {
	at := path.Join(l.folder(name), file)
	l.files[at] = &fstest.MapFile{Data: []byte(change(string(l.files[at].Data)))}
}

// replace returns a change of one text to another, which must be there.
func replace(t testing.TB, old, with string) func(string) string {
	return func(content string) string {
		t.Helper()
		if !strings.Contains(content, old) {
			t.Fatalf("nothing to replace: no %q", old)
		}
		return strings.ReplaceAll(content, old, with)
	}
}

// move puts all files of a case into the folder of another build.
func (l *lab) move(name string, number int) {
	for _, file := range l.matching(name, "") {
		l.files[l.build(name, number)+strings.TrimPrefix(file, l.folder(name))] = l.files[file]
		delete(l.files, file)
	}
	record := l.of(name)
	record.Details = json.RawMessage(strings.ReplaceAll(string(record.Details), l.folder(name)+"/", l.build(name, number)+"/"))
}

// rerun changes what a suite did: XML, log and record agree on it.
func (l *lab) rerun(name string, change func(*suite)) {
	l.forge(name, change, true)
	l.recount(name)
}

// forgeXML changes the XML of a suite alone. Its headers agree with it.
func (l *lab) forgeXML(name string, change func(*suite)) { l.forge(name, change, false) }

func (l *lab) forge(name string, change func(*suite), withLog bool) {
	s := l.suites[name]
	s.specs = slices.Clone(s.specs)
	change(&s)
	l.suites[name] = s
	log := l.files[path.Join(l.folder(name), name, "e2e.log")]
	l.remove(name, "junit")
	l.write(name)
	if !withLog {
		l.files[path.Join(l.folder(name), name, "e2e.log")] = log
	}
}

// each changes the specs for which want holds, and says how many there were.
func (s *suite) each(want func(*spec) bool, change func(*spec)) (changed int) {
	for i := range s.specs {
		if want(&s.specs[i]) {
			change(&s.specs[i])
			changed++
		}
	}
	return changed
}

// first changes the first spec of a fate.
func (s *suite) first(of fate, change func(*spec)) {
	found := false
	s.each(func(spec *spec) bool {
		hit := !found && spec.fate == of
		found = found || hit
		return hit
	}, change)
}

// write writes the XML and the log of a suite, and the container's log.
func (l *lab) write(name string) {
	s := l.suites[name]
	files := map[string]string{
		name + "/e2e.log":         s.log(),
		"functest-kubernetes.log": containerLog(name, "PASS", ""),
	}
	for node := range s.nodes {
		files[fmt.Sprintf("%s/junit_%02d.xml", name, node+1)] = s.junit(node)
	}
	l.add(name, files)
}

// recount makes the record of an e2e case state what its log does.
func (l *lab) recount(name string) {
	s, record := l.suites[name], l.of(name)
	var details map[string]json.RawMessage
	if err := json.Unmarshal(record.Details, &details); err != nil {
		panic(err) // written by record
	}
	n := s.count()
	for key, count := range map[string]int{"passed": n[passed] + n[flaked], "failed": n[failed], "pending": n[pending], "skipped": n[unselected] + n[withdrew]} {
		delete(details, key)
		if n[flaked] == 0 { // the container does not understand a summary with flaked specs
			details[key] = json.RawMessage(strconv.Itoa(count))
		}
	}
	record.Details, _ = json.Marshal(details) // raw JSON already
}

func (s *suite) count() map[fate]int {
	n := map[fate]int{}
	for _, spec := range s.specs {
		n[spec.fate]++
	}
	return n
}

// junit is the file of one parallel node (spec/results.md, 1).
func (s *suite) junit(node int) string {
	var cases strings.Builder
	tests, failures := 0, 0
	for i := range s.specs {
		spec := &s.specs[i]
		if spec.node%s.nodes != node {
			continue
		}
		switch spec.fate {
		case passed, withdrew, dry, flaked: // the header counts specs, not attempts
			tests++
		case failed:
			tests++
			failures++
		}
		spec.write(&cases, s.v2)
	}
	if s.v2 {
		tests = len(s.specs)
		return fmt.Sprintf("<testsuites><testsuite name=\"Kubernetes e2e suite\" tests=\"%d\" failures=\"%d\" errors=\"0\">%s</testsuite></testsuites>", tests, failures, &cases)
	}
	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n  <testsuite name=\"Kubernetes e2e suite\" tests=\"%d\" failures=\"%d\" errors=\"0\" time=\"1200.5\">\n%s  </testsuite>", tests, failures, &cases)
}

func (s *spec) write(w *strings.Builder, v2 bool) {
	const failure = `<failure type="Failure">test/e2e/framework/util.go:100&#xA;timed out waiting for the condition&#xA;test/e2e/apps/job.go:53</failure>`
	one := func(seconds float64, status, inner string) {
		w.WriteString(`      <testcase name="`)
		if v2 {
			w.WriteString("[It] ")
		}
		_ = xml.EscapeText(w, []byte(s.name)) // strings.Builder never fails
		w.WriteString(`" classname="Kubernetes e2e suite" time="`)
		w.WriteString(strconv.FormatFloat(seconds, 'g', -1, 64))
		if v2 {
			w.WriteString(`" status="` + status)
		}
		w.WriteString(`">` + inner + "</testcase>\n")
	}
	notSelected := `<skipped></skipped>`
	if v2 {
		notSelected = `<skipped message="skipped"></skipped>`
	}
	switch s.fate {
	case unselected:
		one(0, "skipped", notSelected)
	case passed:
		one(s.seconds, "passed", "")
	case failed:
		one(s.seconds, "failed", failure)
	case flaked:
		one(s.seconds, "failed", failure)
		one(s.seconds, "passed", "")
	case withdrew:
		one(0.25, "skipped", "<skipped>test/e2e/node.go:31&#xA;Requires at least 2 nodes (not 1)&#xA;test/e2e/node.go:31</skipped>")
	case pending:
		one(0, "pending", strings.Replace(notSelected, `"skipped"`, `"pending"`, 1))
	case dry:
		one(0, "passed", "")
	}
}

func (s *suite) log() string {
	n := s.count()
	word, flakes := "SUCCESS!", ""
	if n[failed] > 0 {
		word = "FAIL!"
	}
	if n[flaked] > 0 {
		flakes = fmt.Sprintf("%d Flaked | ", n[flaked])
	}
	ran := len(s.specs) - n[unselected] - n[pending]
	return fmt.Sprintf("Sep 19 10:00:01.000: INFO: kube-apiserver version: v1.23.17\n\nRan %d of %d Specs in 1234.567 seconds\n%s -- %d Passed | %d Failed | %s%d Pending | %d Skipped\n\nGinkgo ran 1 suite in 20m34s\n",
		ran, len(s.specs), word, n[passed]+n[flaked]+n[dry], n[failed], flakes, n[pending], n[unselected]+n[withdrew])
}

// containerLog is what Xtesting leaves of a case (spec/testapi-xtesting.md, b.6).
func containerLog(name, result, output string) string {
	const border = "+-------------------+------------------+------------------+----------------+\n"
	return "2022-09-19 10:00:00,000 - xtesting.ci.run_tests - INFO - Loading test case '" + name + "'...\n" + output +
		"\n2022-09-19 10:20:34,900 - xtesting.ci.run_tests - INFO - Test result:\n\n" + border +
		"|     TEST CASE     |     PROJECT      |     DURATION     |     RESULT     |\n" + border +
		"|     " + name + "     |     functest     |      20:34       |      " + result + "      |\n" + border
}

// flawlessSuite runs what the case selects; every run has durations of its own.
func flawlessSuite(c *testcases.Case, names []string, seed int) (suite, error) {
	selection, err := testcases.NewSelection(c)
	if err != nil {
		return suite{}, err
	}
	s := suite{nodes: c.Nodes, specs: make([]spec, 0, len(names))}
	for i, name := range names {
		one := spec{name: name, node: i}
		if selected, _ := selection.Match(name); selected {
			one.fate, one.seconds = passed, 5+float64(i)/1000+float64(seed)/10000
		}
		s.specs = append(s.specs, one)
	}
	return s, nil
}

// flawlessFiles are what a case that is no e2e suite leaves.
func flawlessFiles(c *testcases.Case, seed int) map[string]string {
	files := map[string]string{}
	output := ""
	switch c.Driver {
	case "xrally_kubernetes":
		files[c.Name+"/"+c.Name+".xml"] = rallyXML(c.Name, seed)
	case "kube_hunter":
		output = "2022-09-19 10:00:09,100 - functest_kubernetes.security.security - INFO - \n\n" + hunterJSON("low", "medium") + "\n"
	case "kube_bench":
		output = "2022-09-19 10:00:09,100 - functest_kubernetes.security.security - INFO - \n\n" + benchLiteral(c.Args["target"]) + "\n"
	case "netperf":
		files[c.Name+"/netperf.csv"] = netperfCSV()
	case "k8s_vims", "helm_vims":
		output = "2022-09-19 10:15:00,100 - functest_kubernetes.ims.ims - INFO - " + liveTest
	}
	files["functest-kubernetes.log"] = containerLog(c.Name, "PASS", output)
	return files
}

// flawlessDetails are what its record carries (spec/testapi-xtesting.md, d).
func flawlessDetails(c *testcases.Case) map[string]any {
	details := map[string]any{}
	switch c.Driver {
	case "xrally_kubernetes":
		details["status"], details["pass_sla"], details["uuid"] = "finished", true, "task-of-"+c.Name
	case "kube_hunter":
		_ = json.Unmarshal([]byte(hunterJSON("low", "medium")), &details) // written here
	}
	return details
}

// table21 is RC2 table 2.1 as Rally's own JUnit export names the scenarios:
// without class, and those that come twice by one name.
const table21 = `create_and_delete_deployment create_and_delete_job create_and_delete_namespace create_and_delete_pod
create_and_delete_pod_with_configmap_volume create_and_delete_pod_with_configmap_volume
create_and_delete_pod_with_emptydir_volume create_and_delete_pod_with_emptydir_volume
create_and_delete_pod_with_hostpath_volume
create_and_delete_pod_with_secret_volume create_and_delete_pod_with_secret_volume
create_and_delete_replicaset create_and_delete_replication_controller create_and_delete_statefulset
create_check_and_delete_pod_with_cluster_ip_service create_check_and_delete_pod_with_cluster_ip_service
create_check_and_delete_pod_with_node_port_service create_rollout_and_delete_deployment create_scale_and_delete_replicaset
create_scale_and_delete_replication_controller create_scale_and_delete_statefulset list_namespaces`

func rallyXML(name string, seed int) string {
	scenarios := strings.Fields(table21)
	var cases strings.Builder
	for i, scenario := range scenarios {
		fmt.Fprintf(&cases, "    <testcase classname=\"Kubernetes\" id=\"%d\" name=%q time=\"%.2f\" timestamp=\"2022-09-19T10:00:00\" />\n", i, scenario, 0.2+float64(i*seed)/100)
	}
	return fmt.Sprintf("<testsuites>\n  <!--Report is generated by Rally 3.4.0 at 2022-09-19T10:10:00-->\n"+
		"  <testsuite errors=\"0\" failures=\"0\" id=\"task-of-%s\" skipped=\"0\" tests=\"%d\" time=\"22.00\" timestamp=\"2022-09-19T10:00:00\">\n%s  </testsuite>\n</testsuites>\n",
		name, len(scenarios), &cases)
}

// hunterJSON is a report of kube-hunter with a vulnerability of each severity.
func hunterJSON(severities ...string) string {
	vulnerabilities := []string{}
	for i, severity := range severities {
		vulnerabilities = append(vulnerabilities, fmt.Sprintf(
			`{"location": "192.0.2.1:10255", "vid": "KHV04%d", "category": "Access Risk", "severity": %q, "vulnerability": "Finding %d", "description": "It is open", "evidence": "", "hunter": "Hunter"}`, i, severity, i))
	}
	return fmt.Sprintf(`{"nodes": [{"type": "Node/Master", "location": "192.0.2.1"}], "services": [{"service": "Kubelet API", "location": "192.0.2.1:10250"}], "vulnerabilities": [%s], "hunter_statistics": [{"name": "Etcd Remote Access", "description": "Checks etcd", "vulnerabilities": 0}]}`,
		strings.Join(vulnerabilities, ", "))
}

// benchLiteral is kube-bench's report as Python prints it: failed and manual
// controls are normal.
func benchLiteral(target any) string {
	result := func(number, status string) string {
		return fmt.Sprintf(`{'test_number': '%s', 'test_desc': "Ensure that the API server's file is owned by root (Scored)", 'audit': 'stat', 'type': '', 'remediation': 'Run chown\nroot', 'status': '%s', 'actual_value': '', 'scored': True, 'expected_result': '', 'reason': None}`, number, status)
	}
	return fmt.Sprintf(`[{'id': '1', 'version': '1.5', 'text': 'Security Configuration', 'node_type': '%v', 'tests': [{'section': '1.1', 'pass': 1, 'fail': 1, 'warn': 1, 'info': 0, 'desc': 'Files', 'results': [%s, %s, %s]}], 'total_pass': 1, 'total_fail': 1, 'total_warn': 1, 'total_info': 0}]`,
		target, result("1.1.1", "PASS"), result("1.1.2", "FAIL"), result("1.1.3", "WARN"))
}

// netperfCSV has the 18 rows of the commit that functest pins.
func netperfCSV() string {
	var csv strings.Builder
	csv.WriteString("MSS                                          , Maximum, 96, 160, 224,\n")
	paths := []string{"Same VM using Pod IP", "Same VM using Virtual IP", "Remote VM using Pod IP", "Remote VM using Virtual IP", "Hairpin Pod to own Virtual IP"}
	row := 0
	for _, program := range []string{"iperf TCP", "iperf SCTP", "iperf UDP", "netperf"} {
		for i, path := range paths {
			row++
			switch {
			case program == "iperf TCP", program == "iperf SCTP":
				fmt.Fprintf(&csv, "%d %s. %s ,2500.000000,2472,2500,2491,\n", row, program, path)
			case i == 4: // no hairpin over UDP, nor by the program netperf
				row--
			case program == "netperf" && strings.Contains(path, "Virtual"):
				fmt.Fprintf(&csv, "%d %s. %s ,0.000000,0,\n", row, program, path)
			default:
				fmt.Fprintf(&csv, "%d %s. %s ,4130.000000,4130,\n", row, program, path)
			}
		}
	}
	return csv.String()
}

// liveTest is Clearwater's live test: some tests always skip themselves.
const liveTest = `Basic Call - Mainline (TCP) - (6505550093, 6505550023) Passed
Basic Call - SDP (TCP) - (6505550040, 6505550029) Passed
Basic Registration (TCP) - (6505550029) Passed
Emergency Registration (TCP) - Skipped (Not running with emergency registrations)
   - Call with EMERGENCY_REG=Y to run test
0 failures out of 4 tests run
1 tests skipped
`

// assess judges the campaign, or only some cases of it: the catalogue has no
// others then. Judging all 16 suites takes most of a second.
func (l *lab) assess(t testing.TB, waivers map[string]string, cases ...string) *testcases.Assessment {
	t.Helper()
	files := maps.Clone(l.files)
	raw, err := json.Marshal(Index{Pagination: Pagination{CurrentPage: 1, TotalPages: l.pages}, Results: l.records})
	if err != nil {
		t.Fatal(err)
	}
	files[IndexName(greenTag)] = &fstest.MapFile{Data: raw}
	campaign, err := OpenCampaign(files, greenTag)
	if err != nil {
		t.Fatal(err)
	}
	assessment, err := campaign.Assess(context.Background(), l.narrowed(cases), waivers)
	if err != nil {
		t.Fatal(err)
	}
	return assessment
}

func (l *lab) narrowed(cases []string) *testcases.Catalog {
	if len(cases) == 0 {
		return l.catalog
	}
	narrow := *l.catalog
	narrow.Cases = slices.DeleteFunc(slices.Clone(narrow.Cases), func(c testcases.Case) bool { return !slices.Contains(cases, c.Name) })
	return &narrow
}
