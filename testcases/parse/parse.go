// Package parse derives checks from the raw files that a container left: one
// file a format. Parsers stream, count what they read rather than trust what
// headers say, and refuse garbage with an error that names file and line.
//
// A parser never decides whether a campaign is conformant: it says what is in
// the files. Package testcases judges.
package parse

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Input is what there is to parse of one case.
type Input struct {
	Case *testcases.Case
	// Files is the folder of the case: what the container left, at any depth.
	Files fs.FS
	// Details is what the container's record carries, if it pushed one. It
	// stands in only for what the containers leave nowhere else.
	Details json.RawMessage
	// Names, if not nil, are shared by the cases of a campaign: the same
	// 7,000 names of specs stand in every suite.
	Names Names
}

// Names keeps one copy of each name.
type Names map[string]string

func (n Names) share(name string) string {
	if n == nil {
		return name
	}
	shared, ok := n[name]
	if !ok {
		n[name], shared = name, name
	}
	return shared
}

// An Error is unreadable evidence: a file, a line in it (0 when it is about
// the whole file) and what is wrong.
type Error struct {
	File string
	Line int
	Err  error
}

func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s: %v", e.File, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// A parser reads one format. Its evidence holds what could be read even when
// it also returns an error, which joins one *Error for each unreadable place.
type parser func(Input) (testcases.Evidence, error)

// parsers are the formats by the driver that writes them
// (spec/testapi-xtesting.md, section d).
var parsers = map[string]parser{
	"e2e_testing":       parseE2E,
	"xrally_kubernetes": parseRally,
	"kube_hunter":       parseKubeHunter,
	"kube_bench":        parseKubeBench,
	"netperf":           parseNetperf,
	"k8s_vims":          parseVIMS,
	"helm_vims":         parseVIMS,
}

// Case derives the evidence of one case. The evidence is valid even with an
// error: unreadable places are also findings in it, so that none is lost.
func Case(in Input) (testcases.Evidence, error) {
	parse, ok := parsers[in.Case.Driver]
	if !ok {
		err := fmt.Errorf("not parsed: no parser for results of driver %q", in.Case.Driver)
		finding := testcases.Finding{Kind: testcases.FindingIncomplete, Text: err.Error()}
		return testcases.Evidence{Findings: []testcases.Finding{finding}, NotParsed: true}, fmt.Errorf("%s: %w", in.Case.Name, err)
	}
	evidence, err := parse(in)
	for _, e := range unjoin(err) {
		finding := testcases.Finding{Kind: testcases.FindingIncomplete, Text: "unreadable evidence: " + e.Error()}
		if bad, ok := errors.AsType[*Error](e); ok {
			finding.Text = "unreadable evidence: " + bad.Err.Error()
			finding.Source = testcases.Source{File: bad.File, Line: bad.Line}
		}
		evidence.Findings = append(evidence.Findings, finding)
	}
	return evidence, err
}

// unjoin takes apart what errors.Join put together.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// find returns the files, at any depth, whose base name matches, sorted.
func find(files fs.FS, match func(base string) bool) ([]string, error) {
	var names []string
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); entry.Type().IsRegular() && match(base) && !testcases.IsOwnFile(base) {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the case's files: %w", err)
	}
	sort.Strings(names)
	return names, nil
}

// isLog matches the container's own logs, which hold what some cases leave
// nowhere else (spec/testapi-xtesting.md, b.5 and d).
func isLog(base string) bool {
	base = strings.ToLower(base)
	return strings.HasSuffix(base, ".log") || strings.HasSuffix(base, ".txt")
}
