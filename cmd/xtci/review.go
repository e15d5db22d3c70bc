package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/artifacts/report"
	"github.com/anuket-project/xtci/testcases"
)

type reviewOptions struct {
	key    string
	waive  []string
	scope  string
	limits artifacts.Limits
}

func newReviewCmd(a *app) *cobra.Command {
	o := reviewOptions{limits: artifacts.DefaultLimits()}
	cmd := &cobra.Command{
		Use:   "review ZIP",
		Short: "Give the reviewer's verdict on an archive, offline",
		Long: `review trusts nothing in an archive. It refuses what no archive can be, compares
every byte with the manifest and the signature, derives the verdict again from
the raw files, and compares it with the report's. It prints whether the platform
is conformant and the archive untouched, the verdict on every case, the reason
of every failure and skip, what conflicts and what is missing. Nothing is
unpacked.

Name the lab's public key with --key: without it, review can tell that the
archive is as it was signed, but not by whom.

--waive accepts a case in spite of its findings; the verdict then says so, and
nothing is hidden.

` + exitStatus,
		Example: `  xtci review EXAMPLE1.zip --key lab.pub
  xtci review EXAMPLE1.zip --scope mandatory
  xtci review EXAMPLE1.zip --waive 'kube_hunter=the container counts no finding as a failure'
  xtci review EXAMPLE1.zip -o json`,
		Args: exactArgs("ZIP"),
		RunE: func(cmd *cobra.Command, args []string) error { return runReview(cmd.Context(), a, args[0], o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.key, "key", "", "the lab's public key: a PEM `FILE`")
	flags.StringArrayVar(&o.waive, "waive", nil, "accept a case in spite of its findings: `CASE=REASON` (may be repeated)")
	flags.StringVar(&o.scope, "scope", string(testcases.ScopeAll), "the `SCOPE` of cases to show: mandatory, optional or all; the verdict is on the mandatory ones")
	flags.IntVar(&o.limits.Entries, "max-entries", o.limits.Entries, "refuse archives with more than `N` files")
	flags.Int64Var(&o.limits.FileSize, "max-file", o.limits.FileSize, "refuse files that unpack to more than `N` bytes")
	flags.Int64Var(&o.limits.TotalSize, "max-total", o.limits.TotalSize, "refuse archives that unpack to more than `N` bytes")
	return cmd
}

func runReview(ctx context.Context, a *app, archive string, o reviewOptions) error {
	scope, err := testcases.ParseScope(o.scope)
	if err != nil {
		return usage(err)
	}
	options := artifacts.ReviewOptions{Limits: o.limits, Tool: toolName()}
	if options.Release, err = a.release(); err != nil {
		return err
	}
	if options.Waivers, err = parseWaivers(o.waive); err != nil {
		return usage(err)
	}
	if o.key != "" {
		key, err := artifacts.ReadPublicKey(o.key)
		if err != nil {
			return usage(fmt.Errorf("--key: %w", err))
		}
		options.Key = &key
	}
	review, err := artifacts.ReviewArchive(ctx, archive, options)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return usage(err)
	}
	for name := range options.Waivers {
		if _, err := findCase(review.Assessment.Catalog, name); err != nil {
			return usage(fmt.Errorf("--waive: %w", err))
		}
	}
	for _, outcome := range review.Assessment.Outcomes {
		if _, waived := options.Waivers[outcome.Case.Name]; waived && outcome.Waiver == "" {
			fmt.Fprintf(a.err, "--waive: %s passed: there is nothing to waive\n", outcome.Case.Name)
		}
	}
	if a.json() {
		err = a.printReviewJSON(archive, review)
	} else {
		err = printReview(a.out, archive, review, scope)
	}
	if err != nil {
		return err
	}
	if !review.Good() {
		return errNo
	}
	return nil
}

func parseWaivers(pairs []string) (map[string]string, error) {
	waivers := map[string]string{}
	for _, pair := range pairs {
		name, reason, _ := strings.Cut(pair, "=")
		if reason = strings.TrimSpace(reason); name == "" || reason == "" {
			return nil, fmt.Errorf("--waive %s: want CASE=REASON", pair)
		}
		if _, twice := waivers[name]; twice {
			return nil, fmt.Errorf("--waive %s: %s is waived twice", pair, name)
		}
		waivers[name] = reason
	}
	return waivers, nil
}

// printReviewJSON prints what review found, and the report as report.json has it.
func (a *app) printReviewJSON(archive string, review *artifacts.Review) error {
	var document bytes.Buffer
	if err := report.JSON(&document, review.Assessment); err != nil {
		return err
	}
	return a.printJSON(map[string]any{
		"archive":   archive,
		"good":      review.Good(),
		"verdict":   review.Assessment.Verdict,
		"integrity": review.Integrity,
		"report":    json.RawMessage(document.Bytes()),
	})
}
