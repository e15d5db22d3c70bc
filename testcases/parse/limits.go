package parse

// Limits on what a result file may hold. Real files stay far below: the
// longest reason seen is 4 KB, the longest line 8 KB, the biggest kube-bench
// report 180 KB (spec/results.md).
const (
	maxReason = 4 << 10  // bytes of a reason that are kept
	maxLine   = 1 << 20  // bytes of a line that are kept
	maxReport = 64 << 20 // bytes of a report that must be held in memory at once
	maxChecks = 200_000  // checks of one case
)

// shorten cuts a text to at most n bytes, at a character's boundary, and says so.
func shorten(text string, n int) string {
	const mark = " [...]"
	if len(text) <= n {
		return text
	}
	cut := n - len(mark)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + mark
}
