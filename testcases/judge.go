package testcases

// Count counts checks by what became of them. Informative failures, and
// checks of set-up and tear-down that broke, are counted as what they are.
func Count(checks []Check) Counts {
	var n Counts
	for i := range checks {
		switch check := &checks[i]; check.Status {
		case StatusPass:
			n.Passed++
		case StatusFail:
			n.Failed++
		case StatusError:
			n.Errors++
		case StatusSkip:
			n.Skipped++
		}
		if checks[i].Extra {
			n.Extra++
		}
	}
	return n
}
