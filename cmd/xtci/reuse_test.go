package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A build tag under which others have pushed to the stack is refused: what
// they left would be judged as this campaign's.
func TestABuildTagOfTheStackIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	h := newCampaignHost(t, "healthcheck")
	tag := uniqueTag(t)
	journal := filepath.Join(h.prefix, "campaigns", tag+".json")
	h.run(0, "up")
	args := []string{"run", "--tag", tag, "--tests", "k8s_quick", "--set", "env.FUNCTEST_STANDIN_PASS=all"}
	h.run(1, args...)
	if err := os.Remove(journal); err != nil { // as if Jenkins had run it
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--no-stack"}} {
		if _, errs := h.run(2, append(args, flags...)...); !strings.Contains(errs, "there are results of another campaign "+tag) {
			t.Errorf("run again with %v: %s", flags, errs)
		}
		if _, err := os.Stat(journal); err == nil {
			t.Error("it has a journal, and so was run by xtci")
		}
	}
	left(t, tag)
}
