package flawless

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// A Suite is one run of the Kubernetes e2e suite.
type Suite struct {
	Nodes int
	V2    bool // in the form of ginkgo v2
	Specs []Spec
}

// A Spec is what a suite lists of one test.
type Spec struct {
	Name    string
	Node    int // the parallel ginkgo node that lists it
	Fate    Fate
	Seconds float64
}

// A Fate is what became of a spec.
type Fate int

// The fates of specs.
const (
	Unselected Fate = iota
	Passed
	Failed
	Flaked   // failed, and passed when it was tried again
	Withdrew // skipped itself while it ran
	Pending
	Dry // listed as passed, without having run
)

// NewSuite is a run in which all that the case selects passed. Every seed has
// durations of its own, as every run has.
func NewSuite(c *testcases.Case, names []string, seed int) (Suite, error) {
	selection, err := testcases.NewSelection(c)
	if err != nil {
		return Suite{}, err
	}
	s := Suite{Nodes: c.Nodes, Specs: make([]Spec, 0, len(names))}
	for i, name := range names {
		one := Spec{Name: name, Node: i}
		if selected, _ := selection.Match(name); selected {
			one.Fate, one.Seconds = Passed, 5+float64(i)/1000+float64(seed)/10000
		}
		s.Specs = append(s.Specs, one)
	}
	return s, nil
}

// Each changes the specs for which want holds, and says how many there were.
func (s *Suite) Each(want func(*Spec) bool, change func(*Spec)) (changed int) {
	for i := range s.Specs {
		if want(&s.Specs[i]) {
			change(&s.Specs[i])
			changed++
		}
	}
	return changed
}

// First changes the first spec of a fate.
func (s *Suite) First(of Fate, change func(*Spec)) {
	found := false
	s.Each(func(spec *Spec) bool {
		hit := !found && spec.Fate == of
		found = found || hit
		return hit
	}, change)
}

// Count counts the specs by fate.
func (s *Suite) Count() map[Fate]int {
	n := map[Fate]int{}
	for i := range s.Specs {
		n[s.Specs[i].Fate]++
	}
	return n
}

// JUnit is the file of one parallel node, the first being 0 (spec/results.md, 1).
func (s *Suite) JUnit(node int) string {
	var cases strings.Builder
	tests, failures := 0, 0
	for i := range s.Specs {
		spec := &s.Specs[i]
		if spec.Node%s.Nodes != node {
			continue
		}
		switch spec.Fate {
		case Passed, Withdrew, Dry, Flaked: // the header counts specs, not attempts
			tests++
		case Failed:
			tests++
			failures++
		}
		spec.write(&cases, s.V2)
	}
	if s.V2 {
		tests = len(s.Specs)
		return fmt.Sprintf("<testsuites><testsuite name=\"Kubernetes e2e suite\" tests=\"%d\" failures=\"%d\" errors=\"0\">%s</testsuite></testsuites>", tests, failures, &cases)
	}
	return fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n  <testsuite name=\"Kubernetes e2e suite\" tests=\"%d\" failures=\"%d\" errors=\"0\" time=\"1200.5\">\n%s  </testsuite>", tests, failures, &cases)
}

// Failure is what a failed spec says, in the places that it was seen from.
const Failure = "test/e2e/framework/util.go:100\ntimed out waiting for the condition\ntest/e2e/apps/job.go:53"

func (s *Spec) write(w *strings.Builder, v2 bool) {
	failure := `<failure type="Failure">` + strings.ReplaceAll(Failure, "\n", "&#xA;") + `</failure>`
	one := func(seconds float64, status, inner string) {
		w.WriteString(`      <testcase name="`)
		if v2 {
			w.WriteString("[It] ")
		}
		_ = xml.EscapeText(w, []byte(s.Name)) // strings.Builder never fails
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
	switch s.Fate {
	case Unselected:
		one(0, "skipped", notSelected)
	case Passed:
		one(s.Seconds, "passed", "")
	case Failed:
		one(s.Seconds, "failed", failure)
	case Flaked:
		one(s.Seconds, "failed", failure)
		one(s.Seconds, "passed", "")
	case Withdrew:
		one(0.25, "skipped", "<skipped>test/e2e/node.go:31&#xA;Requires at least 2 nodes (not 1)&#xA;test/e2e/node.go:31</skipped>")
	case Pending:
		one(0, "pending", strings.Replace(notSelected, `"skipped"`, `"pending"`, 1))
	case Dry:
		one(0, "passed", "")
	}
}

// Log is the shortest e2e.log of the run: the cluster's version and ginkgo's
// summary.
func (s *Suite) Log() string {
	return "Sep 19 10:00:01.000: INFO: kube-apiserver version: " + ClusterVersion + "\n\n" + s.Summary(1234.567) + "\nGinkgo ran 1 suite in 20m34s\n"
}

// ClusterVersion is that of the cluster that the suites name.
const ClusterVersion = "v1.23.17"

// Summary is how ginkgo ends: the two lines that count specs.
func (s *Suite) Summary(seconds float64) string {
	n := s.Count()
	word, flakes := "SUCCESS!", ""
	if n[Failed] > 0 {
		word = "FAIL!"
	}
	if n[Flaked] > 0 {
		flakes = fmt.Sprintf("%d Flaked | ", n[Flaked])
	}
	ran := len(s.Specs) - n[Unselected] - n[Pending]
	return fmt.Sprintf("Ran %d of %d Specs in %.3f seconds\n%s -- %d Passed | %d Failed | %s%d Pending | %d Skipped\n",
		ran, len(s.Specs), seconds, word, n[Passed]+n[Flaked]+n[Dry], n[Failed], flakes, n[Pending], n[Unselected]+n[Withdrew])
}
