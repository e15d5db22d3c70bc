package main

import (
	"fmt"
	"os"
	"strings"

	xterm "golang.org/x/term"

	"github.com/anuket-project/xtci/installer/doctor"
	"github.com/anuket-project/xtci/internal/term"
)

// A doctorPrinter prints results as they come: a line each, and what to do
// below it. On a terminal, long lines are wrapped so that the columns stay.
type doctorPrinter struct {
	a       *app
	names   int // columns of the longest name
	width   int // of the terminal, 0 where there is none
	colours bool
	results []doctor.Result
	group   string
	err     error
}

func newDoctorPrinter(a *app, checks []doctor.Check) *doctorPrinter {
	p := &doctorPrinter{a: a}
	for _, check := range checks {
		p.names = max(p.names, len(check.Name))
	}
	if file, ok := a.out.(*os.File); ok && xterm.IsTerminal(int(file.Fd())) {
		if width, _, err := xterm.GetSize(int(file.Fd())); err == nil {
			p.width = width
		}
		p.colours = os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
	}
	return p
}

func (p *doctorPrinter) print(r doctor.Result) {
	p.results = append(p.results, r)
	if p.a.json() || p.err != nil {
		return
	}
	var text strings.Builder
	if r.Group != p.group {
		if p.group != "" {
			text.WriteString("\n")
		}
		p.group = r.Group
		text.WriteString(r.Group + "\n")
	}
	indent := len("  pass  ") + p.names + len("  ")
	fmt.Fprintf(&text, "  %s  %-*s  %s\n", p.coloured(r.Status), p.names, r.Name, term.Wrap(term.Plain(r.Seen), indent, p.width))
	if r.Advice != "" {
		fmt.Fprintf(&text, "%*s%s\n", indent, "", term.Wrap("to do: "+term.Plain(r.Advice), indent, p.width))
	}
	_, p.err = fmt.Fprint(p.a.out, text.String())
}

// coloured is a status as it is printed (ECMA-48, select graphic rendition).
func (p *doctorPrinter) coloured(status doctor.Status) string {
	colours := map[doctor.Status]string{doctor.Pass: "32", doctor.Warn: "33", doctor.Fail: "31", doctor.Skip: "2"}
	if !p.colours {
		return string(status)
	}
	return "\x1b[" + colours[status] + "m" + string(status) + "\x1b[m"
}

// finish prints the sum, or the JSON document, and answers.
func (p *doctorPrinter) finish() error {
	counts := map[doctor.Status]int{doctor.Pass: 0, doctor.Warn: 0, doctor.Fail: 0, doctor.Skip: 0}
	for _, r := range p.results {
		counts[r.Status]++
	}
	err := p.err
	if p.a.json() {
		err = p.a.printJSON(map[string]any{"results": p.results, "counts": counts})
	} else if err == nil {
		_, err = fmt.Fprintf(p.a.out, "\n%d passed, %d warned, %d failed, %d skipped\n",
			counts[doctor.Pass], counts[doctor.Warn], counts[doctor.Fail], counts[doctor.Skip])
	}
	if err == nil && counts[doctor.Fail] > 0 {
		err = errNo
	}
	return err
}
