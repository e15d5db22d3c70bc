package parse

import (
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Limits on what a result file may hold. Real files stay far below: the
// longest reason seen is 4 KB, the longest line 8 KB, the biggest kube-bench
// report 180 KB (spec/results.md).
const (
	maxReason = 4 << 10  // bytes of a reason that are kept
	maxLine   = 1 << 20  // bytes of a line that are kept
	maxReport = 64 << 20 // bytes of a report that must be held in memory at once
	maxChecks = 50_000   // checks of one case; ginkgo lists some 7,000
	maxName   = 4 << 10  // bytes of a test case's name; the longest seen has 400
	maxNames  = 32 << 20 // bytes of all names of one case

	// Reasons of one case take maxReasons bytes together. Those that come
	// later are cut to shortReason.
	maxReasons  = 32 << 20
	shortReason = 200

	maxFindings = 1000 // findings of one kind that are kept
)

// A textBudget bounds what the texts of one case hold in memory.
type textBudget struct{ used int }

// keep returns a copy of a text, which is often a small part of a large one,
// within its own limit and the budget.
func (b *textBudget) keep(text string, limit int) string {
	if b.used >= maxReasons {
		limit = min(limit, shortReason)
	}
	text = strings.Clone(shorten(text, limit))
	b.used += len(text)
	return text
}

// findingCounts bounds the findings of one case. The first of each kind are
// kept, so that no verdict changes.
type findingCounts map[testcases.FindingKind]int

func (n *findingCounts) room(kind testcases.FindingKind) bool {
	if *n == nil {
		*n = findingCounts{}
	}
	(*n)[kind]++
	return (*n)[kind] <= maxFindings
}

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
