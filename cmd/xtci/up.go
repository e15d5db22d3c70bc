package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/internal/term"
)

type upOptions struct {
	plan      bool
	pull      bool
	offline   bool
	passwords bool
}

func newUpCmd(a *app) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the toolchain up in Docker",
		Long: `up makes the toolchain what the site wants, in Docker: Jenkins, MinIO, the test DB
and the file server. It waits until all are healthy, ties them together, and
prints where they are. Run again, it changes only what has to be, and nothing if
nothing has to.

It touches nothing but Docker and the folder stack.prefix, and in Docker nothing
that it did not make. What came up stays up when something else fails; the next
up goes on. Images are locked by digest in xtci.lock when they are first used.

` + exitStatus,
		Example: `  xtci up
  xtci up --plan
  xtci up --generate-passwords --set stack.bind=0.0.0.0
  xtci up --offline --set stack.prefix=/data/xtci`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runUp(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.plan, "plan", false, "print what would be changed, and why, and change nothing")
	flags.BoolVar(&o.pull, "pull", false, "look for newer images, also where there is one already")
	flags.BoolVar(&o.offline, "offline", false, "never go out: take the images that are here (xtci bundle load), and the copy of a site from elsewhere")
	flags.BoolVar(&o.passwords, "generate-passwords", false, "replace default passwords by strong ones, kept in secrets.yaml under stack.prefix")
	cmd.MarkFlagsMutuallyExclusive("pull", "offline")
	cmd.MarkFlagsMutuallyExclusive("plan", "generate-passwords")
	return cmd
}

func runUp(ctx context.Context, a *app, o upOptions) error {
	sites, err := a.sites()
	if err != nil {
		return err
	}
	if o.passwords {
		if err := a.generatePasswords(&sites[0]); err != nil {
			return err
		}
		if sites, err = a.sites(); err != nil { // all of them with the new passwords
			return err
		}
	}
	site := sites[0] // they share one stack
	started := time.Now()
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	stack, err := a.stack(site, engine)
	if err != nil {
		return err
	}
	if o.plan {
		return a.printPlan(ctx, engine, stack, o.pull)
	}
	result, jobs, err := a.bringUp(ctx, sites, installer.Options{Engine: engine, Stack: stack, Pull: o.pull, Offline: o.offline})
	if err != nil {
		return refused(err)
	}
	if a.json() {
		return a.printStackJSON(stack, result)
	}
	return a.printStack(site, stack, result, jobs, time.Since(started))
}

// bringUp brings the stack up and registers its jobs, if it has a Jenkins.
func (a *app) bringUp(ctx context.Context, sites []config.Site, o installer.Options) (result *installer.Result, jobs *registration, err error) {
	board := term.NewBoard(a.err)
	defer board.Close()
	var names []string
	for i := range o.Stack.Services {
		names = append(names, o.Stack.Services[i].Name)
	}
	board.Order(append(names, jobsRow)...)
	o.Events = boardOf(board)
	if result, err = installer.Up(ctx, o); err == nil && sites[0].Stack.Jenkins.Enabled {
		jobs, err = a.registerJobs(ctx, sites, board)
	}
	return result, jobs, err
}

func (a *app) generatePasswords(site *config.Site) error {
	keys, err := site.GeneratePasswords()
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (run xtci as who may write there, or choose another folder with --set stack.prefix=FOLDER)", err)
	}
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		fmt.Fprintf(a.err, "no password is a default one: %s keeps those that were generated\n", site.Secrets())
		return nil
	}
	fmt.Fprintf(a.err, "generated %s in %s\n", count(len(keys), "password"), site.Secrets())
	return nil
}

func (a *app) printPlan(ctx context.Context, engine installer.Engine, stack *installer.Stack, pull bool) error {
	lock, err := installer.ReadLock(stack.Prefix)
	if err != nil {
		return refused(err)
	}
	state, err := installer.Observe(ctx, engine, stack, lock)
	if err != nil {
		return refused(err)
	}
	plan := installer.Reconcile(stack, state, pull)
	switch {
	case a.json():
		if plan.Ops == nil {
			plan.Ops = []installer.Op{}
		}
		return a.printJSON(plan)
	case plan.Empty():
		_, err = fmt.Fprintln(a.out, "nothing to do: the stack is as the site wants it")
	default:
		_, err = fmt.Fprint(a.out, plan)
	}
	return err
}

// printStack says what was done, where everything is, and what to do next.
func (a *app) printStack(site config.Site, stack *installer.Stack, result *installer.Result, jobs *registration, took time.Duration) error {
	var text strings.Builder
	if result.Unchanged() && (jobs == nil || jobs.written == 0) {
		fmt.Fprintf(&text, "nothing to do: the stack is as the site wants it (%s)\n", round(took))
	} else {
		fmt.Fprintf(&text, "the stack is up (%s)\n", round(took))
	}
	wide := 0
	for i := range stack.Services {
		wide = max(wide, len(stack.Services[i].Name))
	}
	for i := range stack.Services {
		if service := &stack.Services[i]; service.URL != "" {
			fmt.Fprintf(&text, "  %-*s  %s\n", wide, service.Name, service.URL)
		}
	}
	if jobs != nil {
		jobs.print(&text)
		fmt.Fprintf(&text, "log in to Jenkins as %s, with stack.jenkins.password\n", site.Stack.Jenkins.User)
	}
	if len(site.DefaultPasswords()) > 0 {
		text.WriteString("passwords are default ones: xtci up --generate-passwords makes strong ones\n")
	}
	if _, err := os.Stat(site.Secrets()); err == nil {
		fmt.Fprintf(&text, "passwords that were generated: cat %s\n", site.Secrets())
	}
	_, err := io.WriteString(a.out, text.String())
	return err
}

// print says what Jenkins has, and how a campaign is run.
func (r *registration) print(w io.Writer) {
	fmt.Fprintf(w, "%s in Jenkins; run a campaign: xtci run --via jenkins, or at\n", count(r.jobs, "job"))
	for _, campaign := range r.campaigns {
		fmt.Fprintf(w, "  %s\n", campaign)
	}
	for _, name := range r.leftOver {
		fmt.Fprintf(w, "left over: %s (xtci jobs apply --prune removes it)\n", name)
	}
}

// printStackJSON is printStack for programs.
func (a *app) printStackJSON(stack *installer.Stack, result *installer.Result) error {
	urls := map[string]string{}
	for i := range stack.Services {
		urls[stack.Services[i].Name] = stack.Services[i].URL
	}
	ops := result.Plan.Ops
	if ops == nil {
		ops = []installer.Op{}
	}
	return a.printJSON(map[string]any{"stack": stack.Name, "prefix": stack.Prefix, "changed": ops, "set_up": result.Changed, "services": urls})
}

// round is a time as precise as a person wants it.
func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Second)
}
