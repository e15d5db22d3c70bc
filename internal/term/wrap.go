package term

import (
	"fmt"
	"strings"
)

// Wrap breaks a text at blanks, so that it stays right of an indent, on a
// terminal of that width: the first line is printed there already. A word that
// is too long is left whole: somebody may want to copy it. Where there is no
// width, or hardly any beside the indent, nothing is broken.
func Wrap(text string, indent, width int) string {
	const narrow = 30
	room := width - indent
	if room < narrow {
		return text
	}
	var out strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		length := columnsOf(word)
		switch {
		case column == 0:
		case column+1+length > room:
			fmt.Fprintf(&out, "\n%*s", indent, "")
			column = 0
		default:
			out.WriteString(" ")
			column++
		}
		out.WriteString(word)
		column += length
	}
	return out.String()
}
