package main

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// padding is on both sides of every cell of Xtesting's tables.
const padding = 5

// table draws a table as Xtesting has them (spec/testapi-xtesting.md, b.6):
// headers in upper case, everything in the middle. Cells may have several
// lines.
func table(header []string, rows ...[]string) string {
	upper := make([]string, len(header))
	for i, name := range header {
		upper[i] = strings.ToUpper(name)
	}
	rows = slices.Concat([][]string{upper}, rows)
	widths := make([]int, len(header))
	for _, row := range rows {
		for i, cell := range row {
			for line := range strings.SplitSeq(cell, "\n") {
				widths[i] = max(widths[i], utf8.RuneCountInString(line))
			}
		}
	}
	var border strings.Builder
	for _, width := range widths {
		border.WriteString("+" + strings.Repeat("-", width+2*padding))
	}
	border.WriteString("+")
	out := []string{border.String()}
	for i, row := range rows {
		out = append(out, drawRow(row, widths)...)
		if i == 0 {
			out = append(out, border.String())
		}
	}
	return strings.Join(append(out, border.String()), "\n")
}

func drawRow(row []string, widths []int) (lines []string) {
	cells, height := make([][]string, len(row)), 0
	for i, cell := range row {
		cells[i] = strings.Split(cell, "\n")
		height = max(height, len(cells[i]))
	}
	for k := range height {
		line := ""
		for i := range row {
			text := ""
			if k < len(cells[i]) {
				text = cells[i][k]
			}
			line += "|" + strings.Repeat(" ", padding) + centre(text, widths[i]) + strings.Repeat(" ", padding)
		}
		lines = append(lines, line+"|")
	}
	return lines
}

// centre puts the odd space to the right of a text of odd length, and to the
// left of one of even length.
func centre(text string, width int) string {
	n := utf8.RuneCountInString(text)
	left := (width - n) / 2
	if (width-n)%2 == 1 && n%2 == 0 {
		left++
	}
	return strings.Repeat(" ", left) + text + strings.Repeat(" ", width-n-left)
}

// wrap breaks a text into lines of at most width characters, at blanks and
// after hyphens between letters, as Python's textwrap does.
func wrap(text string, width int) string {
	var lines []string
	line := ""
	for _, chunk := range chunks(text) {
		for {
			if len(line)+len(chunk) <= width {
				if line != "" || strings.TrimSpace(chunk) != "" {
					line += chunk
				}
				break
			}
			if len(chunk) > width { // it is cut anywhere
				line, chunk = line+chunk[:width-len(line)], chunk[width-len(line):]
			}
			if strings.TrimSpace(line) == "" {
				break
			}
			lines, line = append(lines, strings.TrimRight(line, " ")), ""
		}
	}
	if strings.TrimSpace(line) != "" {
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return strings.Join(lines, "\n")
}

// chunks cuts a text where a line may end.
func chunks(text string) (parts []string) {
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] == '_' || unicode.IsLetter(rune(text[i])))
	}
	hyphen := func(i int) bool { return i >= 0 && i < len(text) && text[i] == '-' }
	start := 0
	for i := 1; i < len(text); i++ {
		blank := (text[i] == ' ') != (text[i-1] == ' ')
		before := letter(i-2) && (letter(i-3) || hyphen(i-3) && letter(i-4))
		after := letter(i) && (letter(i+1) || hyphen(i+1) && letter(i+2))
		if blank || hyphen(i-1) && before && after {
			parts = append(parts, text[start:i])
			start = i
		}
	}
	if start < len(text) {
		parts = append(parts, text[start:])
	}
	return parts
}
