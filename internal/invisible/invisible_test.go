package invisible

import "testing"

func TestSpell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain äöü 漢字\n\t": "plain äöü 漢字\n\t",
		"a\r\nb":           "a\nb",
		"a\rb":             "a⟨U+000D⟩b",
		"\u202eexe.gnp":    "⟨U+202E⟩exe.gnp",
		"ze\u200bro":       "ze⟨U+200B⟩ro",
		"\x1b[31m":         "⟨U+001B⟩[31m",
		"a\u2028b":         "a⟨U+2028⟩b",
		"bad \xff byte":    "bad \uFFFD byte",
	} {
		if got := string(Spell([]byte(in))); got != want {
			t.Errorf("Spell(%q) = %q, want %q", in, got, want)
		}
	}
}
