// Package invisible finds and spells out characters that nobody sees, or that
// change how the text around them looks: what comes from outside must not
// look like something else, on a page or on a terminal.
package invisible

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Is says whether a character is a control or a format character, or ends a
// line or a paragraph without looking like it.
func Is(r rune) bool {
	return r >= 0x80 && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r < 0x20 || r == 0x7f
}

// Spell spells out the characters of a page that nobody would see:
// controls, and marks that turn the direction of text around or have no
// width. A name must not look like another one. It works on the whole page,
// so that no template can forget it; the page's own text has none of them.
func Spell(page []byte) []byte {
	out := make([]byte, 0, len(page))
	for len(page) > 0 {
		r, size := utf8.DecodeRune(page)
		switch {
		case r == '\r' && len(page) > 1 && page[1] == '\n': // a line end of a log
		case r == '\n' || r == '\t' || !Is(r):
			out = utf8.AppendRune(out, r) // of an invalid byte, U+FFFD
		default:
			out = fmt.Appendf(out, "⟨U+%04X⟩", r)
		}
		page = page[size:]
	}
	return out
}
