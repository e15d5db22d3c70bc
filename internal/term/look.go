package term

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// look is how a board is drawn.
type look struct {
	colours bool
	marks   bool // characters beyond ASCII
}

// Colours, as terminals know them (ECMA-48, select graphic rendition).
const (
	plain  = ""
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	cyan   = "\x1b[36m"
	faint  = "\x1b[2m"
	normal = "\x1b[m"
)

// A piece is a text in one colour.
type piece struct{ text, colour string }

// words and marks of the ends, and their colours.
func (l look) mark(end End) piece {
	switch {
	case end == Good && l.marks:
		return piece{"✓", green}
	case end == Good:
		return piece{"ok    ", green}
	case end == Bad && l.marks:
		return piece{"✗", red}
	case end == Bad:
		return piece{"failed", red}
	case end == Same && l.marks:
		return piece{"=", faint}
	case end == Same:
		return piece{"same  ", faint}
	case l.marks:
		return piece{"•", cyan}
	}
	return piece{"..    ", cyan}
}

// lines are the rows as they are at that time, none wider than width, and not
// more than height. If there are more rows, the last line says how many are
// left out.
func (l look) lines(rows []boardRow, width, height int, now time.Time) []string {
	shown := rows
	if len(rows) > height {
		shown = choose(rows, height-1)
	}
	names, states := columns(rows, width)
	var lines []string
	for _, row := range shown {
		lines = append(lines, l.line(row, names, states, width, now))
	}
	if left := len(rows) - len(shown); left > 0 && height > 0 {
		lines = append(lines, l.fit([]piece{{fmt.Sprintf("and %d more", left), faint}}, width))
	}
	return lines
}

// choose returns those n of the rows that matter most, in their order: what
// runs, then what failed, then what is last.
func choose(rows []boardRow, n int) []boardRow {
	chosen := make([]bool, len(rows))
	for _, end := range []End{Running, Bad, Good, Same} {
		for i := range rows {
			if end == Good || end == Same {
				i = len(rows) - 1 - i
			}
			if rows[i].End == end && n > 0 {
				chosen[i] = true
				n--
			}
		}
	}
	var shown []boardRow
	for i, row := range rows {
		if chosen[i] {
			shown = append(shown, row)
		}
	}
	return shown
}

// columns are the widths of names and states, so that they stand below each
// other, and stay where they are when a state becomes a shorter one.
func columns(rows []boardRow, width int) (names, states int) {
	for _, row := range rows {
		names = max(names, columnsOf(Plain(row.Name)))
		states = max(states, row.wide, columnsOf(row.State))
	}
	return min(names, width/3), min(states, width/3)
}

// barWidths are tried until a line has room.
func barWidths() []int { return []int{24, 12, 6, 0} }

// leastDetail is how much of a detail is worth a place beside a bar.
const leastDetail = 20

// line is a row, at most width wide. The detail is what is cut first, then
// the bar.
func (l look) line(row boardRow, names, states, width int, now time.Time) string {
	state := plain
	switch row.End {
	case Bad:
		state = red
	case Same:
		state = faint
	}
	var pieces []piece
	bars := false
	for _, bar := range barWidths() {
		pieces = []piece{
			l.mark(row.End),
			{" " + pad(l.cutStart(Plain(row.Name), names), names) + " ", plain},
			{pad(shorten(row.State, states), states), state},
			{" " + row.elapsed(now), faint},
		}
		if row.End == Running {
			filled := l.bar(row.Row, bar)
			bars = len(filled) > 0
			pieces = append(pieces, filled...)
		}
		if l.columns(pieces) <= width {
			break
		}
	}
	left := width - l.columns(pieces) - len("  ")
	if row.Detail != "" && (!bars || left >= min(columnsOf(row.Detail), leastDetail)) {
		pieces = append(pieces, piece{"  " + row.Detail, state})
	}
	return l.fit(pieces, width)
}

// bar shows how much of a row is done.
func (l look) bar(row Row, width int) []piece {
	done := max(row.Done, 0)
	if row.Total <= 0 {
		if row.Bytes && done > 0 {
			return []piece{{"  " + Size(done), plain}}
		}
		return nil
	}
	done = min(done, row.Total)
	total, amount := fmt.Sprint(row.Total), fmt.Sprint(done)
	if row.Bytes {
		total, amount = Size(row.Total), Size(done)
	}
	amount = fmt.Sprintf(" %*s of %s", len(total), amount, total) // what follows stays where it is
	if width == 0 {
		return []piece{{" " + amount, plain}}
	}
	full := int(float64(done) / float64(row.Total) * float64(width))
	if l.marks {
		return []piece{{"  " + strings.Repeat("━", full), cyan}, {strings.Repeat("─", width-full), faint}, {amount, plain}}
	}
	return []piece{{"  [" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]", plain}, {amount, plain}}
}

// Size is a number of bytes for people: 45.2 MB.
func Size(bytes int64) string {
	const kilo = 1000
	if bytes < kilo {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/kilo, 0
	for value >= kilo-0.05 && unit < len("kMGTPE")-1 {
		value, unit = value/kilo, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[unit])
}

// elapsed is how long a row has run, and how long it usually does.
func (r boardRow) elapsed(now time.Time) string {
	if r.End != Running {
		return fmt.Sprintf("%5s", duration(r.ended.Sub(r.Started)))
	}
	text := fmt.Sprintf("%5s", duration(now.Sub(r.Started)))
	if r.Expected > 0 {
		text += " of about " + duration(r.Expected)
	}
	return text
}

// duration is a time for people: 2.1s, 4m05s, 3h07m.
func duration(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute-50*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour-time.Second/2:
		seconds := int(d.Round(time.Second) / time.Second)
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	}
	minutes := int(d.Round(time.Minute) / time.Minute)
	return fmt.Sprintf("%dh%02dm", minutes/60, minutes%60)
}

// plain is a row where there is no terminal.
func (r boardRow) plain() string {
	line := strings.TrimRight(look{}.mark(r.End).text, " ")
	line = fmt.Sprintf("%-7s %s: %s", line, Plain(r.Name), r.State)
	if r.End == Good || r.End == Bad {
		line += ", " + duration(r.ended.Sub(r.Started))
	}
	if r.Detail != "" {
		line += ": " + r.Detail
	}
	return line
}

// fit joins pieces to a line of at most width columns.
func (l look) fit(pieces []piece, width int) string {
	var out strings.Builder
	for _, p := range pieces {
		text := p.text
		if columnsOf(text) > width {
			text = l.cut(text, width)
		}
		width -= columnsOf(text)
		if l.colours && p.colour != plain && text != "" {
			out.WriteString(p.colour + text + normal)
		} else {
			out.WriteString(text)
		}
		if text != p.text {
			break
		}
	}
	return strings.TrimRight(out.String(), " ")
}

// cutLines cuts each line to width columns.
func (l look) cutLines(text string, width int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if columnsOf(line) > width {
			line = l.cut(line, width)
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

// cut shortens a text to width columns, and shows that it did.
func (l look) cut(text string, width int) string {
	if width < 1 {
		return ""
	}
	return shorten(text, width-1) + l.cutMark()
}

// cutStart shortens a name that is wider than width to its end, which tells it
// from others: names of jobs and images begin alike.
func (l look) cutStart(name string, width int) string {
	if columnsOf(name) <= width || width < 1 {
		return shorten(name, width)
	}
	for i := range name {
		if columnsOf(name[i:]) < width {
			return l.cutMark() + name[i:]
		}
	}
	return l.cutMark()
}

func (l look) cutMark() string {
	if l.marks {
		return "…"
	}
	return "~"
}

// shorten returns as much of a text as fits into width columns.
func shorten(text string, width int) string {
	for i, r := range text {
		if width -= columnsOfRune(r); width < 0 {
			return text[:i]
		}
	}
	return text
}

// pad fills a text with spaces.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-columnsOf(text), 0))
}

func (l look) columns(pieces []piece) int {
	sum := 0
	for _, p := range pieces {
		sum += columnsOf(p.text)
	}
	return sum
}

func columnsOf(text string) int {
	if len(text) == utf8.RuneCountInString(text) {
		return len(text)
	}
	sum := 0
	for _, r := range text {
		sum += columnsOfRune(r)
	}
	return sum
}

// columnsOfRune is how many columns a character takes, or one more where
// terminals differ, so that no line is wider than was counted.
func columnsOfRune(r rune) int {
	switch {
	case r >= 0x1100 && r <= 0x115F, // Hangul initials
		r >= 0x2600 && r <= 0x27BF && r != '✓' && r != '✗', // symbols, some of them emoji
		r >= 0x2E80 && r <= 0xA4CF,                         // CJK
		r >= 0xAC00 && r <= 0xD7A3,                         // Hangul
		r >= 0xF900 && r <= 0xFAFF,
		r >= 0xFE10 && r <= 0xFE6F,
		r >= 0xFF00 && r <= 0xFF60,
		r >= 0xFFE0 && r <= 0xFFE6,
		r >= 0x1F000: // emoji, and CJK beyond the basic plane
		return 2
	}
	return 1
}
