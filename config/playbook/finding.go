package playbook

import (
	"cmp"
	"fmt"
	"slices"
)

// A Level says how much a finding matters.
type Level string

// The levels of findings.
const (
	// LevelWarning is of what the playbook wants and xtci does not do, or does
	// otherwise.
	LevelWarning Level = "warning"
	// LevelNote is of what needs nobody's attention.
	LevelNote Level = "note"
)

// A Finding is what there is to say of a playbook that was read.
type Finding struct {
	Level Level  `json:"level"`
	File  string `json:"file"`
	Line  int    `json:"line"`
	// Variable is what it is about; empty where that is no variable.
	Variable string `json:"variable,omitempty"`
	Text     string `json:"text"`
}

func (f Finding) String() string {
	subject := ""
	if f.Variable != "" {
		subject = f.Variable + ": "
	}
	return fmt.Sprintf("%s:%d: %s: %s%s", f.File, f.Line, f.Level, subject, f.Text)
}

func (r *reader) warn(at place, variable, text string) { r.find(LevelWarning, at, variable, text) }
func (r *reader) note(at place, variable, text string) { r.find(LevelNote, at, variable, text) }

// maxFindings is how many findings are kept: more help nobody.
const maxFindings = 2000

// find keeps a finding once.
func (r *reader) find(level Level, at place, variable, text string) {
	f := Finding{level, at.file, at.line, variable, text}
	if len(r.findings) < maxFindings && !r.found[f] {
		if r.found == nil {
			r.found = map[Finding]bool{}
		}
		r.found[f] = true
		r.findings = append(r.findings, f)
	}
}

// sortFindings orders findings by file and line.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}
