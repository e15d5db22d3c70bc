package parse

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// parseKubeHunter reads the report of kube-hunter: a JSON file, or the last
// line of the pod's log, which the container prints in its own (spec/results.md,
// 3). A vulnerability of the severity that the case names, or above, fails it;
// the others are shown.
func parseKubeHunter(in Input) (testcases.Evidence, error) {
	search := reportSearch[*hunterReport]{fresh: func() *hunterReport { return &hunterReport{} }}
	search.inJSONFiles(in)
	search.inLogs(in)
	search.inDetails(in)
	var c collector
	c.errs = search.errs
	if !search.found {
		search.missing(in, &c, "kube-hunter's report", "it as the last line of its pod's log, a JSON object with vulnerabilities")
		return c.result()
	}
	search.contradict(&c)
	search.report.gather(&c, search.file, in.Case)
	if len(search.report.vulnerabilities) == 0 {
		findLogged(&c, in)
	}
	return c.result()
}

type hunterReport struct {
	isReport        bool
	nodes, services int
	vulnerabilities []vulnerability
	hunters         []hunter
}

// A vulnerability is what kube-hunter found. Words and severities differ
// between its versions (spec/results.md, 3): they are kept as they are.
type vulnerability struct {
	line                                                                    int
	name, severity, category, location, description, evidence, hunter, link string
}

// A hunter is one of kube-hunter's tests with how much it found.
type hunter struct {
	line              int
	name, description string
	found             int
}

func (h *hunterReport) recognised() bool { return h.isReport }

func (h *hunterReport) gist() string {
	var found []string
	for _, v := range h.vulnerabilities {
		found = append(found, fmt.Sprintf("%q %q %q", v.name, v.severity, v.location))
	}
	slices.Sort(found)
	return strings.Join(found, "\n")
}

func (h *hunterReport) read(l *literalReader) error {
	return l.object(func(key string) error {
		switch key {
		case "nodes":
			return l.array(func() error { h.nodes++; return l.skip() })
		case "services":
			return l.array(func() error { h.services++; return l.skip() })
		case "vulnerabilities":
			h.isReport = true
			if first, err := l.peek(); err != nil {
				return err
			} else if first != '[' { // null, too, lists nothing
				return l.unexpected("a list of vulnerabilities", first)
			}
			return l.array(func() error { return h.readVulnerability(l) })
		case "hunter_statistics":
			return l.array(func() error { return h.readHunter(l) })
		default:
			return l.skip()
		}
	})
}

func (h *hunterReport) readVulnerability(l *literalReader) error {
	if len(h.vulnerabilities) >= maxChecks {
		return l.fail("more than %d vulnerabilities", maxChecks)
	}
	if _, err := l.peek(); err != nil {
		return err
	}
	v := vulnerability{line: l.line}
	texts := map[string]*string{
		"vulnerability": &v.name, "severity": &v.severity, "category": &v.category, "location": &v.location,
		"description": &v.description, "evidence": &v.evidence, "hunter": &v.hunter, "vid": &v.link,
	}
	err := l.object(func(key string) error {
		into, ok := texts[key]
		if !ok {
			return l.skip()
		}
		if c, err := l.peek(); err != nil || c == '[' || c == '{' {
			return l.skip() // evidence may be a list
		}
		return l.text(into)
	})
	v.link = hunterLink(v.link)
	h.vulnerabilities = append(h.vulnerabilities, v)
	return err
}

func (h *hunterReport) readHunter(l *literalReader) error {
	if len(h.hunters) >= maxChecks {
		return l.fail("more than %d hunters", maxChecks)
	}
	if _, err := l.peek(); err != nil {
		return err
	}
	row := hunter{line: l.line}
	err := l.object(func(key string) error {
		switch key {
		case "name":
			return l.text(&row.name)
		case "description":
			return l.text(&row.description)
		case "vulnerabilities":
			return readCount(l, &row.found)
		default:
			return l.skip()
		}
	})
	h.hunters = append(h.hunters, row)
	return err
}

var hunterID = regexp.MustCompile(`^KHV\d{1,6}$`)

// hunterLink is the page of a vulnerability. Not every one has an id: 0.3.1
// writes "None" then.
func hunterLink(id string) string {
	if !hunterID.MatchString(id) {
		return ""
	}
	return "https://aquasecurity.github.io/kube-hunter/kb/" + id
}

// hunterSeverities are kube-hunter's words, by how bad they are.
var hunterSeverities = map[string]int{"low": 1, "medium": 2, "high": 3}

func (h *hunterReport) gather(c *collector, file string, kase *testcases.Case) {
	if file == recordFile {
		c.find(testcases.FindingNote, testcases.Source{File: file}, "neither a JSON file nor a log holds the report: it is read from the container's record")
	}
	c.fact("nodes", fmt.Sprint(h.nodes))
	c.fact("services", fmt.Sprint(h.services))
	if len(h.hunters) > 0 {
		c.fact("hunters", fmt.Sprint(len(h.hunters)))
	}
	h.gatherVulnerabilities(c, file, failingSeverity(c, kase))
	for i, row := range h.hunters {
		if row.found > 0 {
			continue
		}
		if row.name == "" {
			row.name = fmt.Sprintf("hunter %d", i+1)
		}
		c.add(testcases.Check{
			Name: row.name, Status: testcases.StatusPass, Informative: true,
			Reason: oneLine(row.description), Source: testcases.Source{File: file, Line: row.line},
		})
	}
	if h.nodes+h.services == 0 {
		c.find(testcases.FindingNote, testcases.Source{File: file}, "kube-hunter discovered neither a node nor a service: it had nothing to scan")
	}
	if len(h.vulnerabilities) == 0 {
		for _, row := range h.hunters {
			if row.found > 0 {
				c.find(testcases.FindingIncomplete, testcases.Source{File: file, Line: row.line},
					"the statistics say that %q found %d, the report lists no vulnerability: it was cut or edited", shorten(row.name, 100), row.found)
			}
		}
		c.find(testcases.FindingNote, testcases.Source{File: file},
			"kube-hunter found no vulnerability; the container records FAIL then, because its own result stays 0")
	}
}

// loggedVulnerability is what kube-hunter logs of each that it finds.
var loggedVulnerability = regexp.MustCompile(`Found vulnerability "([^"]*)"`)

// findLogged looks in the logs for vulnerabilities that the report, which
// lists none, keeps quiet about. One of each log is named.
func findLogged(c *collector, in Input) {
	names, err := findLogs(in)
	c.failWith(err)
	for _, name := range names {
		c.failWith(inFile(name, findLoggedIn(c, in, name)))
	}
}

func findLoggedIn(c *collector, in Input, name string) error {
	file, err := in.Files.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := newLineReader(file)
	for {
		line, err := lines.next()
		if err != nil {
			return atEOF(err)
		}
		if m := loggedVulnerability.FindStringSubmatch(stripColours(line)); m != nil {
			c.find(testcases.FindingIncomplete, testcases.Source{File: name, Line: lines.number},
				"the log says that kube-hunter found %q, its report lists no vulnerability: it was cut or edited", shorten(m[1], 100))
			return nil
		}
	}
}

// noSeverity is the word of a case that no vulnerability fails, as RC2 has it
// from Nile on.
const noSeverity = "none"

// failingSeverity is the severity from which a vulnerability fails the case.
func failingSeverity(c *collector, kase *testcases.Case) int {
	word, ok := kase.Args["severity"]
	if !ok {
		return hunterSeverities["high"]
	}
	if word == noSeverity {
		return hunterSeverities["high"] + 1
	}
	severity := hunterSeverities[strings.ToLower(fmt.Sprint(word))]
	if severity == 0 {
		c.find(testcases.FindingNote, testcases.Source{}, "the case's severity %q is none that kube-hunter has: high is taken", word)
		return hunterSeverities["high"]
	}
	return severity
}

func (h *hunterReport) gatherVulnerabilities(c *collector, file string, failing int) {
	times := map[string]int{}
	for _, v := range h.vulnerabilities {
		times[v.name]++
	}
	for _, v := range h.vulnerabilities {
		check := testcases.Check{
			Name: v.name, Status: testcases.StatusFail, Class: testcases.ClassFailure,
			Severity: shorten(v.severity, 40), Link: v.link, Reason: v.reason(),
			Source: testcases.Source{File: file, Line: v.line},
		}
		if times[v.name] > 1 && v.location != "" {
			check.Name = v.name + " at " + oneLine(v.location)
		}
		if v.name == "" {
			check.Name = "unnamed vulnerability"
		}
		severity := hunterSeverities[strings.ToLower(v.severity)]
		check.Informative = severity > 0 && severity < failing
		if severity == 0 {
			check.Reason = fmt.Sprintf("severity %q is none that kube-hunter has, so it fails the case: %s", shorten(v.severity, 40), check.Reason)
		}
		c.add(check)
	}
}

func (v *vulnerability) reason() string {
	reason := oneLine(v.description)
	if reason == "" {
		reason = "no description given by kube-hunter"
	}
	for _, part := range []struct{ label, text string }{
		{"category", v.category}, {"location", v.location}, {"evidence", v.evidence}, {"found by", v.hunter},
	} {
		if text := oneLine(part.text); text != "" {
			reason += "\n" + part.label + ": " + shorten(text, 1000)
		}
	}
	return reason
}

// webToken is a service account's token, which is evidence of KHV050: it
// opens the cluster, and reports are published.
var webToken = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// oneLine puts a text that is broken over indented lines on one, and leaves
// tokens out.
func oneLine(text string) string {
	return webToken.ReplaceAllString(strings.Join(strings.Fields(text), " "), "[a token, left out here]")
}
