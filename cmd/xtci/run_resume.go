package main

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

// sameCampaign refuses to go on with a campaign as another one: results of two
// clusters, or of two releases, or recorded ones and those of a cluster must
// not be judged as one. What else has
// changed since it was begun is said, and noted for the reviewer.
func (a *app) sameCampaign(journal *runner.Journal, now testcases.Provenance) error {
	begun := journal.Provenance
	if recorded := strings.HasPrefix(begun.Engine, replayEngine); recorded != (now.Engine == replayEngine) {
		return usage(fmt.Errorf("campaign %s was begun as: %s, and not as: %s. Go on with it as that, or begin another campaign", journal.Tag, term.Plain(begun.Engine), now.Engine))
	}
	if begun.Cluster != now.Cluster {
		return usage(fmt.Errorf("campaign %s was begun against another cluster (kube-system %s, this one is %s): go on with the kubeconfig of that, or begin another campaign", journal.Tag, begun.Cluster, now.Cluster))
	}
	if begun.Release != now.Release {
		return usage(fmt.Errorf("campaign %s was begun for %s: go on with --set release=%s, or begin another campaign for %s", journal.Tag, begun.Release, begun.Release, now.Release))
	}
	var errs []error
	for _, fact := range []struct {
		name       string
		before     string
		now        string
		provenance func(*testcases.Provenance) *string
	}{
		{"xtci", begun.Tool, now.Tool, func(p *testcases.Provenance) *string { return &p.Tool }},
		{"the site", begun.SiteDigest, now.SiteDigest, func(p *testcases.Provenance) *string { return &p.SiteDigest }},
		{"the engine", begun.Engine, now.Engine, func(p *testcases.Provenance) *string { return &p.Engine }},
	} {
		if lastOf(fact.before) == fact.now {
			continue
		}
		fmt.Fprintf(a.err, "since campaign %s was begun, %s has changed: provenance.json will say both\n", journal.Tag, term.Plain(fact.name))
		errs = append(errs, journal.Declare(func(p *testcases.Provenance) { *fact.provenance(p) = fact.before + changedTo + fact.now }))
	}
	return errors.Join(errs...)
}

// changedTo stands in a provenance between what was and what is.
const changedTo = ", then "

// bothImages are the images of a campaign that goes on: those that it ran, and
// those that it runs now. A tag that stands for another image by now stood for
// both.
func bothImages(ran, now map[string]string) map[string]string {
	both := maps.Clone(now)
	for ref, digest := range ran {
		switch is, again := now[ref]; {
		case !again || lastOf(digest) == is:
			both[ref] = digest
		default:
			both[ref] = digest + changedTo + is
		}
	}
	return both
}

// lastOf is what a fact was at the end.
func lastOf(fact string) string {
	parts := strings.Split(fact, changedTo)
	return parts[len(parts)-1]
}
