package report

import (
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Badges that are compared with or used in several places.
var (
	passBadge        = badge{"pass", "✓", "Passed"}
	missingBadge     = badge{"warn", "∅", "Not executed"}
	notSelectedBadge = badge{"none", "·", "Not selected"}
)

func campaignBadge(v testcases.CampaignVerdict) badge {
	switch v {
	case testcases.Conformant:
		return badge{"pass", "✓", "Conformant"}
	case testcases.ConformantWithWaivers:
		return badge{"warn", "⚑", "Conformant with waivers"}
	case testcases.NoSpecification:
		return badge{"fail", "∅", "No specification for this release"}
	default:
		return badge{"fail", "✗", "Not conformant"}
	}
}

func caseBadge(v testcases.CaseVerdict) badge {
	switch v {
	case testcases.VerdictPass:
		return badge{"pass", "✓", "Pass"}
	case testcases.VerdictFail:
		return badge{"fail", "✗", "Fail"}
	case testcases.VerdictConflict:
		return badge{"conflict", "≠", "Conflict"}
	case testcases.VerdictIncomplete:
		return badge{"warn", "◐", "Incomplete"}
	default:
		return badge{"none", "∅", "Missing"}
	}
}

func criteriaBadge(c testcases.Criteria) badge {
	switch c {
	case testcases.CriteriaPass:
		return badge{"pass", "✓", "PASS"}
	case testcases.CriteriaFail:
		return badge{"fail", "✗", "FAIL"}
	default:
		return badge{"none", "∅", "nothing"}
	}
}

func findingBadge(k testcases.FindingKind) badge {
	switch k {
	case testcases.FindingFailure:
		return badge{"fail", "✗", "Failure"}
	case testcases.FindingIncomplete:
		return badge{"warn", "◐", "Incomplete"}
	case testcases.FindingConflict:
		return badge{"conflict", "≠", "Conflict"}
	default:
		return badge{"none", "i", "Note"}
	}
}

// checkBadge has a word for each class: a set-up that failed is not a failed
// assertion, and what is pending did not skip itself.
func checkBadge(c *testcases.Check) badge {
	switch c.Class {
	case testcases.ClassTimeout:
		return badge{"fail", "✗", "Timed out"}
	case testcases.ClassPanic:
		return badge{"fail", "!", "Panicked"}
	case testcases.ClassInterrupted:
		return badge{"fail", "!", "Interrupted"}
	case testcases.ClassAborted:
		return badge{"fail", "!", "Aborted"}
	case testcases.ClassSetup:
		return badge{"fail", "!", "Set-up failed"}
	case testcases.ClassTeardown:
		return badge{"fail", "!", "Tear-down failed"}
	case testcases.ClassPending:
		return badge{"none", "…", "Pending"}
	case testcases.ClassDryRun:
		return badge{"warn", "∅", "Dry run"}
	case testcases.ClassWarning:
		return badge{"warn", "!", "Warning"}
	case testcases.ClassUnexplained:
		return badge{"warn", "?", "Skipped, unexplained"}
	case testcases.ClassNotSelected:
		return notSelectedBadge
	}
	switch c.Status {
	case testcases.StatusPass:
		return passBadge
	case testcases.StatusFail:
		return badge{"fail", "✗", "Failed"}
	case testcases.StatusSkip:
		return badge{"none", "–", "Skipped"}
	default:
		return badge{"fail", "!", "Error"}
	}
}

// figureBadge says of a check that only measures whether it did.
func figureBadge(c *testcases.Check) badge {
	switch {
	case !c.Informative:
		return checkBadge(c)
	case c.Status == testcases.StatusPass:
		return badge{"none", "✓", "Measured"}
	default:
		return badge{"warn", "∅", "Not measured"}
	}
}

func specBadge(s *testcases.SpecResult) badge {
	switch {
	case s.Missing:
		return missingBadge
	case s.Flaked:
		return badge{"warn", "↻", "Flaked"}
	default:
		return checkBadge(&s.Check)
	}
}

// specOrder puts what needs attention first.
func specOrder(b badge) int {
	switch b {
	case notSelectedBadge:
		return 99
	case passBadge:
		return 98
	default:
		return strings.Index("fail warn none", b.Kind)
	}
}

// resultWord is the tool's own word for a result where it has one, such as
// WARN or high, and the report's otherwise.
func resultWord(c *testcases.Check) string {
	if c.Severity != "" {
		return c.Severity
	}
	return strings.ToLower(checkBadge(c).Word)
}
