package report

import (
	"fmt"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// barWidth is the width of a bar in the units of its drawing.
const barWidth = 1000

// A bar is a stacked bar of counts, drawn and in words.
type bar struct {
	ID, Title, Description string
	Total                  int
	Segments               []segment
	Aside                  string // what the bar leaves out
}

type segment struct {
	Badge    badge
	Count    string
	X, Width int
}

type amount struct {
	badge badge
	n     int
}

func newBar(id, title string, amounts []amount) bar {
	b := bar{ID: id, Title: title}
	for _, a := range amounts {
		b.Total += a.n
	}
	var words []string
	sum := 0
	for _, a := range amounts {
		if a.n == 0 {
			continue
		}
		x := sum * barWidth / b.Total
		sum += a.n
		// At least 4 units wide, so that one failure among 800 is seen.
		width := max(sum*barWidth/b.Total-x, 4)
		b.Segments = append(b.Segments, segment{Badge: a.badge, Count: thousands(a.n), X: min(x, barWidth-width), Width: width})
		words = append(words, thousands(a.n)+" "+strings.ToLower(a.badge.Word))
	}
	b.Description = fmt.Sprintf("%s of %s.", strings.Join(words, ", "), thousands(b.Total))
	return b
}

// bars are the picture of the counts in the summary.
func bars(p *page, specs tally) []bar {
	all := []bar{
		newBar("bar-mandatory", "Mandatory cases", verdictAmounts(p.Mandatory)),
		newBar("bar-optional", "Optional cases", verdictAmounts(p.Optional)),
		newBar("bar-specs", "Kubernetes e2e specs, each counted once", []amount{
			{passBadge, specs.Passed},
			{badge{"fail", "✗", "Failed"}, specs.Failed},
			{badge{"conflict", "!", "Broke off"}, specs.Errors},
			{missingBadge, specs.Missing},
			{badge{"none", "–", "Skipped"}, specs.Skipped},
		}),
	}
	if specs.NotSelected > 0 {
		all[2].Aside = thousands(specs.NotSelected) + " more specs are in the test binary and no case selects them."
	}
	var drawn []bar
	for _, b := range all {
		if b.Total > 0 {
			drawn = append(drawn, b)
		}
	}
	return drawn
}

// verdicts are all verdicts on a case, in the order that pictures show them.
var verdicts = [...]testcases.CaseVerdict{
	testcases.VerdictPass, testcases.VerdictFail, testcases.VerdictConflict,
	testcases.VerdictIncomplete, testcases.VerdictMissing,
}

// verdictAmounts counts cases by their verdict, pass first.
func verdictAmounts(cases []*caseView) []amount {
	amounts := make([]amount, 0, 5)
	for _, v := range verdicts {
		a := amount{badge: caseBadge(v)}
		for _, c := range cases {
			if c.Badge == a.badge {
				a.n++
			}
		}
		amounts = append(amounts, a)
	}
	return amounts
}

// filters are the verdicts that cases have, to choose what is shown.
func filters(p *page) []filter {
	cases := append(append([]*caseView{}, p.Mandatory...), p.Optional...)
	all := []filter{{ID: "show-all", Kind: "all", Badge: badge{"all", "", "All"}, Count: len(cases)}}
	for _, a := range verdictAmounts(cases) {
		if a.n > 0 {
			kind := strings.ToLower(a.badge.Word)
			all = append(all, filter{ID: "show-" + kind, Kind: kind, Badge: a.badge, Count: a.n})
		}
	}
	if len(p.Waived) > 0 {
		all = append(all, filter{ID: "show-waived", Kind: "waived", Badge: badge{"warn", "⚑", "Waived"}, Count: len(p.Waived)})
	}
	return all
}
