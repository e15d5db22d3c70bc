package term

import "testing"

func TestWrap(t *testing.T) {
	t.Parallel()
	const text = "one two three four five six seven eight"
	for _, test := range []struct {
		name          string
		text          string
		indent, width int
		want          string
	}{
		{"it fits", "one  two", 4, 80, "one two"},
		{"two lines", text, 2, 34, "one two three four five six\n  seven eight"},
		{"to the last column", text, 0, 33, "one two three four five six seven\neight"},
		{"a word too long", "see http://127.0.0.1:8080/job/functest-kubernetes/ now", 2, 34, "see\n  http://127.0.0.1:8080/job/functest-kubernetes/\n  now"},
		{"no terminal", text, 2, 0, text},
		{"no room", text, 20, 40, text},
	} {
		if got := Wrap(test.text, test.indent, test.width); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
