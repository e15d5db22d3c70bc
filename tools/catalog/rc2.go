package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// A version is one version of RC2 and the release that it is of.
type version struct {
	branch  string
	chapter string // in the repository
	url     string // of the chapter
	words   testcases.Specification
	notes   []string
	// ofCases are what else its text says of a case.
	ofCases map[string]string
}

const (
	title    = "Anuket Reference Conformance for RA2 based Implementations (RC2)"
	folder   = "doc/ref_cert/RC2/"
	onGitHub = "https://github.com/anuket-project/RC2/blob/stable/"
	onTheDoc = "https://cntt.readthedocs.io/projects/rc2/en/stable-"
)

// versions are the newest of each release that RC2 is of. Those before Moselle
// were not published by themselves: links are to their sources.
var versions = map[string]version{
	"v1.21": inMarkdown("kali", "Kali, Jul 1, 2021"),
	"v1.22": inMarkdown("lakelse", "Lakelse, Jan 4, 2022"),
	"v1.25": inRST("orinoco", "Orinoco, Oct 1, 2023",
		"Nile is of v1.25 too: it asks for the same cases, with the same lists of focus and skip."),
	"v1.29": inRST("pieman", "Pieman, Apr 18, 2024",
		"RA2 of Quinnipiac (Nov 18, 2024), which took RC2 in, is of v1.29 too: it asks for the same cases, with the same lists of focus and skip."),
}

func inMarkdown(name, published string) (v version) {
	v.branch, v.chapter = "stable/"+name, folder+"chapters/chapter02.md"
	v.url = onGitHub + name + "/" + v.chapter
	v.words = testcases.Specification{Title: title, Version: published, URL: onGitHub + name + "/" + folder + "README.md"}
	return v
}

func inRST(name, published, note string) (v version) {
	v.branch, v.chapter = "stable/"+name, folder+"chapters/chapter02.rst"
	v.url = onTheDoc + name + "/chapters/chapter02.html"
	v.words = testcases.Specification{Title: title, Version: published, URL: onTheDoc + name + "/"}
	v.notes = []string{note}
	v.ofCases = map[string]string{
		"kube_hunter": "From Nile on RC2 has all vulnerabilities printed for information alone; before, high ones failed the case.",
	}
	return v
}

// A section is a part of the chapter that says what is to be tested.
type section struct {
	title  string
	focus  string
	skip   []string
	tables [][][]string // tables of rows of cells
}

var (
	markdownHeading = regexp.MustCompile(`^#+ +(.*\S)`)
	underline       = regexp.MustCompile(`^(=+|-+|~+|\^+)$`)
	listItem        = regexp.MustCompile(`^ *- +(.*\S)`)
	cell            = regexp.MustCompile(`^( *)(\* )?- +(.*\S)`)
)

func readSections(ctx context.Context, rc2 clone, v version) ([]section, error) {
	text, err := rc2.show(ctx, v.branch, v.chapter)
	if err != nil {
		return nil, err
	}
	sections := parseSections(strings.Split(string(text), "\n"))
	if len(sections) == 0 {
		return nil, fmt.Errorf("%s: no section", v.chapter)
	}
	return sections, nil
}

// parseSections reads a chapter in Markdown or reStructuredText, as far as
// headings, lists of focus and skip, and tables go.
func parseSections(lines []string) []section {
	var sections []section
	skipping, table := false, false // inside a list of skips, inside a table
	for i, line := range lines {
		if heading := headingAt(lines, i); heading != "" {
			sections = append(sections, section{title: heading})
			skipping, table = false, false
			continue
		}
		if len(sections) == 0 {
			continue
		}
		s := &sections[len(sections)-1]
		switch {
		case strings.HasPrefix(line, "focus: "):
			s.focus = words(strings.TrimPrefix(line, "focus: "))
		case strings.TrimSpace(line) == "skip:":
			skipping = true
		case strings.HasPrefix(line, ".. list-table::"):
			table = true
			s.tables = append(s.tables, nil)
		case skipping && listItem.MatchString(line):
			s.skip = append(s.skip, listItem.FindStringSubmatch(line)[1])
		case table && cell.MatchString(line):
			s.addCell(cell.FindStringSubmatch(line))
		case strings.HasPrefix(line, "|"):
			s.addRow(line, i > 0 && strings.HasPrefix(lines[i-1], "|"))
		case strings.TrimSpace(line) != "":
			skipping, table = false, table && strings.HasPrefix(line, " ")
		}
	}
	return sections
}

func headingAt(lines []string, i int) string {
	if match := markdownHeading.FindStringSubmatch(lines[i]); match != nil {
		return match[1]
	}
	if i+1 < len(lines) && lines[i] != "" && len(lines[i+1]) >= len(lines[i]) && underline.MatchString(lines[i+1]) {
		return lines[i]
	}
	return ""
}

// addCell adds a cell of a list-table: "* - " begins a row.
func (s *section) addCell(match []string) {
	last := &s.tables[len(s.tables)-1]
	if match[2] != "" {
		*last = append(*last, nil)
	}
	if row := len(*last) - 1; row >= 0 {
		(*last)[row] = append((*last)[row], match[3])
	}
}

// addRow adds a row of a table in Markdown, but for the ruler.
func (s *section) addRow(line string, within bool) {
	if !within {
		s.tables = append(s.tables, nil)
	}
	if strings.HasPrefix(line, "|-") {
		return
	}
	var row []string
	for _, text := range strings.Split(strings.Trim(line, "|"), "|") {
		row = append(row, strings.TrimSpace(text))
	}
	last := &s.tables[len(s.tables)-1]
	*last = append(*last, row)
}

// words is what a reader sees of a link in reStructuredText.
func words(text string) string {
	if link, ok := strings.CutPrefix(text, "`"); ok {
		text, _, _ = strings.Cut(link, " <")
	}
	return text
}

// anchor is where a section begins in the built document.
func anchor(title string) string {
	return strings.ToLower(strings.ReplaceAll(title, " ", "-"))
}

// table returns the rows below the headings of the table whose first heading
// is named.
func (s *section) table(heading string) [][]string {
	for _, table := range s.tables {
		if len(table) > 0 && strings.EqualFold(table[0][0], heading) {
			return table[1:]
		}
	}
	return nil
}
