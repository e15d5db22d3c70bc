package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/jenkins"
)

func newJobsDiffCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff",
		Short: "Show what apply would change in Jenkins",
		Long: `diff compares the jobs and views that the site wants with those of its Jenkins, XML
as XML: what Jenkins itself adds and reorders when it saves a job is no
difference. It changes nothing. Lines that begin with - are Jenkins's, those
with + are the site's.

` + exitStatus,
		Example: `  xtci jobs diff
  xtci jobs diff -o json`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runJobsDiff(cmd.Context(), a) },
	}
}

type jobsApplyOptions struct {
	prune, adopt, unchecked bool
	// progress, if not nil, is told of each change instead of the terminal.
	progress func(n, total int)
}

func newJobsApplyCmd(a *app) *cobra.Command {
	var o jobsApplyOptions
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make Jenkins have the jobs that the site wants",
		Long: `apply creates and updates the jobs and views that differ, and writes nothing else:
run again, it writes nothing. Before that it asks whether Jenkins has the plugins
and the user the permissions that the jobs need.

What xtci made is marked in its description, with its project. Jobs of the
site's projects that the site does not want any more are listed, and removed with
--prune only, with all their builds; one that is running stays. Jobs of others
are never touched: if one has a wanted name, nothing is written at all (--adopt
takes it over).

` + exitStatus,
		Example: `  xtci jobs apply
  xtci jobs apply --prune`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runJobsApply(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.prune, "prune", false, "remove jobs and views that xtci made and the site does not want any more, with their builds")
	flags.BoolVar(&o.adopt, "adopt", false, "take over jobs and views of others that have a wanted name")
	flags.BoolVar(&o.unchecked, "unchecked", false, "go on although plugins or permissions are missing")
	return cmd
}

// wanted is what the sites want in their Jenkins, and what that needs.
func (a *app) wanted(sites []config.Site) (jenkins.Wanted, jenkins.Requirements, error) {
	graph, err := a.graphs(sites)
	if err != nil {
		return jenkins.Wanted{}, jenkins.Requirements{}, err
	}
	var projects []string
	for _, site := range sites {
		if !slices.Contains(projects, site.Project) {
			projects = append(projects, site.Project)
		}
	}
	want, err := jenkins.NewWanted(graph, projects...)
	return want, graph.Requirements(), usage(err)
}

func runJobsDiff(ctx context.Context, a *app) error {
	sites, err := a.sites()
	if err != nil {
		return err
	}
	want, _, err := a.wanted(sites)
	if err != nil {
		return err
	}
	client, err := a.jenkinsClient(sites[0])
	if err != nil {
		return err
	}
	defer client.Close()
	changes, err := client.Diff(ctx, want)
	if err != nil {
		return a.withoutJenkins(err)
	}
	changes = slices.DeleteFunc(changes, func(c jenkins.Change) bool { return c.Action == jenkins.Keep })
	hide := secretsIn(sites)
	for i := range changes {
		for j, line := range changes[i].Lines {
			changes[i].Lines[j] = hide.Replace(line)
		}
	}
	if err := a.printDiff(client.URL(), want, changes); err != nil {
		return err
	}
	if len(changes) > 0 {
		return errNo
	}
	return nil
}

// secretsIn replaces the secrets of sites that jobs can hold. A default one is
// known to everybody, and hides too much.
func secretsIn(sites []config.Site) *strings.Replacer {
	var pairs []string
	usual := config.Default().Stack
	for _, site := range sites {
		for _, secret := range []config.Secret{site.Stack.Minio.JobsSecretKey, site.Stack.Minio.SecretKey} {
			if secret != "" && secret != usual.Minio.JobsSecretKey && secret != usual.Minio.SecretKey {
				pairs = append(pairs, secret.Reveal(), secret.String())
			}
		}
	}
	return strings.NewReplacer(pairs...)
}

func (a *app) printDiff(address string, want jenkins.Wanted, changes []jenkins.Change) error {
	if a.json() {
		if changes == nil {
			changes = []jenkins.Change{}
		}
		return a.printJSON(map[string]any{"jenkins": address, "changes": changes})
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintf(a.out, "%s has the jobs that the site wants: %s and %s\n", address, count(len(want.Jobs), "job"), count(len(want.Views), "view"))
		return err
	}
	var text strings.Builder
	for _, change := range changes {
		fmt.Fprintln(&text, term.Plain(describeChange(change)))
		for _, line := range change.Lines {
			fmt.Fprintln(&text, "    "+term.Plain(line))
		}
	}
	_, err := fmt.Fprint(a.out, text.String())
	return err
}

// describeChange says what a change is, for who reads what would be done.
func describeChange(c jenkins.Change) string {
	if c.Action == jenkins.Remove {
		why := " (xtci jobs apply --prune removes it)"
		if c.Why != "" {
			why = " (" + c.Why + ")"
		}
		return fmt.Sprintf("left over: %s %s%s", c.Kind, c.Name, why)
	}
	return c.String()
}

func runJobsApply(ctx context.Context, a *app, o jobsApplyOptions) error {
	sites, err := a.sites()
	if err != nil {
		return err
	}
	began := time.Now()
	want, changes, done, err := a.applyJobs(ctx, sites, o)
	if err != nil {
		return err
	}
	if a.json() {
		for i := range changes {
			changes[i].Lines = nil
		}
		return a.printJSON(map[string]any{"jobs": len(want.Jobs), "views": len(want.Views), "written": done, "changes": changes})
	}
	for _, change := range changes {
		if change.Action == jenkins.Remove && (!o.prune || change.Why != "") {
			fmt.Fprintln(a.out, term.Plain(describeChange(change)))
		}
	}
	_, err = fmt.Fprintf(a.out, "%s and %s: %d written (%s)\n", count(len(want.Jobs), "job"), count(len(want.Views), "view"), done, round(time.Since(began)))
	return err
}

// applyJobs makes the sites' Jenkins have the jobs that they want. Done is how
// many were written or removed.
func (a *app) applyJobs(ctx context.Context, sites []config.Site, o jobsApplyOptions) (want jenkins.Wanted, changes []jenkins.Change, done int, err error) {
	want, needs, err := a.wanted(sites)
	if err != nil {
		return want, nil, 0, err
	}
	client, err := a.jenkinsClient(sites[0])
	if err != nil {
		return want, nil, 0, err
	}
	defer client.Close()
	if err := a.checkJenkins(ctx, client, needs, o.unchecked); err != nil {
		return want, nil, 0, a.withoutJenkins(err)
	}
	progress := term.NewProgress(a.err)
	defer progress.Close()
	changes, err = client.Apply(ctx, want, jenkins.ApplyOptions{Prune: o.prune, Adopt: o.adopt, Progress: func(n, total int, c jenkins.Change) {
		done = n
		if o.progress != nil {
			o.progress(n, total)
			return
		}
		progress.End(c.Kind+" "+c.Name, string(c.Action), "", n, total, 0)
	}})
	if changes == nil {
		changes = []jenkins.Change{}
	}
	if conflict, ok := errors.AsType[*jenkins.ConflictError](err); ok {
		return want, changes, done, usage(fmt.Errorf("%w (xtci jobs apply --adopt takes them over; jobs.extra_prefix gives the site's jobs other names)", conflict))
	}
	return want, changes, done, err
}

// checkJenkins asks whether Jenkins has what jobs need.
func (a *app) checkJenkins(ctx context.Context, client *jenkins.Client, needs jenkins.Requirements, goOn bool) error {
	problems, err := client.Check(ctx, needs)
	if err != nil || len(problems) == 0 {
		return err
	}
	lines := make([]string, len(problems))
	for i, problem := range problems {
		lines[i] = "  " + problem.String()
	}
	text := strings.Join(lines, "\n")
	if goOn {
		fmt.Fprintln(a.err, term.PlainLines(text))
		return nil
	}
	return fmt.Errorf("jobs would not work in the Jenkins at %s (xtci jobs apply --unchecked goes on all the same):\n%s", client.URL(), text)
}
