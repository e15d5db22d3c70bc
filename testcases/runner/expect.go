package runner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// maxHistory is how many earlier campaigns are looked at for how long jobs
// take.
const maxHistory = 10

// Expected is how long jobs took, by name, the last time that they were run
// to their end. It is for people to look at: journals that cannot be read are
// passed over.
func Expected(dir string) map[string]time.Duration {
	type journal struct {
		tag     string
		changed time.Time
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil
	}
	var journals []journal
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			journals = append(journals, journal{strings.TrimSuffix(filepath.Base(name), ".json"), info.ModTime()})
		}
	}
	slices.SortFunc(journals, func(a, b journal) int { return b.changed.Compare(a.changed) })
	expected := map[string]time.Duration{}
	for _, earlier := range journals[:min(len(journals), maxHistory)] {
		j, err := OpenJournal(dir, earlier.tag)
		if err != nil {
			continue
		}
		for name, job := range j.Jobs {
			if _, known := expected[name]; !known && job.State.Ended() && job.Stopped.After(job.Started) {
				expected[name] = job.Stopped.Sub(job.Started)
			}
		}
	}
	return expected
}

// ExpectedOf is how long a plan takes, by how long its jobs do, or 0 when one
// is not known.
func ExpectedOf(plan testcases.Plan, jobs map[string]time.Duration) time.Duration {
	var all time.Duration
	for _, phase := range plan.Phases {
		var longest, sum time.Duration
		for _, job := range phase.Jobs {
			took, known := jobs[job.Name]
			if !known {
				return 0
			}
			longest, sum = max(longest, took), sum+took
		}
		if phase.Sequential {
			all += sum
		} else {
			all += longest
		}
	}
	return all
}
