package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

// defaultConfig is read when it is there and --config names nothing else.
const defaultConfig = "xtci.yaml"

// An app is what all commands share: where output goes, and the flags that
// every command has.
type app struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
	interrupts
	own cachedImage

	configFile string
	sets       []string
	output     string
	logLevel   string
	log        *slog.Logger
	told       bool // of what in a playbook has no effect
	offline    bool
	fetched    *fetchedSite // nil: the site is a file of this host, or none
}

// main runs one command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	ctx, stop := a.watch(ctx)
	defer stop()
	root := a.rootCmd() //nolint:contextcheck // commands get the context when they run
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return a.exitCode(root.ExecuteContext(ctx))
}

func (a *app) rootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "xtci",
		Short: "Prove that a Kubernetes platform conforms to Anuket RC2",
		Long: `xtci proves that a Kubernetes platform conforms to the Anuket Reference
Conformance for Kubernetes (RC2). It runs the campaign of test cases, makes one
signed archive of everything that came out, and reviews such archives offline.

Results go to stdout, everything else to stderr.

` + exitStatus,
		Example: `  xtci run --replay testcases/testdata/sample --tag EXAMPLE1 --set stack.prefix=lab
  xtci publish EXAMPLE1 --set stack.prefix=lab
  xtci review lab/artifacts/EXAMPLE1.zip --key lab/keys/signing.pub`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.start(cmd) },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "the site's `FILE` (default: "+defaultConfig+", when it is there)")
	flags.StringVar(&a.configFile, "site", "", "the same as --config: a site's `FILE`, an Ansible playbook (FILE#2: its second campaign), or where to fetch one from (https://, git::https://, s3::https://)")
	flags.BoolVar(&a.offline, "offline", false, "fetch no site: take the copy that is kept of it")
	flags.StringArrayVar(&a.sets, "set", nil, "set one key of the site: `KEY=VALUE` (may be repeated)")
	flags.StringVarP(&a.output, "output", "o", "text", "the `FORMAT` of results: text or json")
	flags.StringVar(&a.logLevel, "log-level", "warn", "from which `LEVEL` on to log on stderr: debug, info, warn or error")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath()))
	})
	root.AddGroup(groups()...)
	root.AddCommand(a.commands()...)
	root.SetHelpCommand(newHelpCmd(root))
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { fmt.Fprint(cmd.OutOrStdout(), helpPage(cmd)) })
	wantCommands(root)
	a.complete(root)
	return root
}

// start checks the flags that all commands have, and gets the site if it is
// from elsewhere.
func (a *app) start(cmd *cobra.Command) error {
	if a.output != "text" && a.output != "json" {
		return usage(fmt.Errorf("--output %s: want text or json", a.output))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usage(fmt.Errorf("--log-level %s: want debug, info, warn or error", a.logLevel))
	}
	a.log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
	if offline, err := cmd.Flags().GetBool("offline"); err == nil { // some have their own, which is more than this one
		a.offline = offline
	}
	return a.fetchSite(cmd.Context())
}

// json says whether results are wanted as JSON.
func (a *app) json() bool { return a.output == "json" }

// printJSON prints one JSON document.
func (a *app) printJSON(v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(a.out, term.Escape(text.String()))
	return err
}

// release returns the release that the site names.
func (a *app) release() (string, error) {
	site, err := a.site()
	return site.Release, err
}

// catalog loads the catalogue of the site's release.
func (a *app) catalog() (*testcases.Catalog, error) {
	release, err := a.release()
	if err != nil {
		return nil, err
	}
	catalog, err := testcases.Load(release)
	return catalog, usage(err)
}

// findCase returns a case of the catalogue, or an error that names its like.
func findCase(catalog *testcases.Catalog, name string) (*testcases.Case, error) {
	if c, ok := catalog.Case(name); ok {
		return c, nil
	}
	var names []string
	for i := range catalog.Cases {
		names = append(names, catalog.Cases[i].Name)
	}
	near := "xtci catalog lists them"
	if nearest := config.Nearest(names, name); sharesStart(nearest, name) {
		near = "did you mean " + nearest + "? xtci catalog lists them"
	}
	return nil, usage(fmt.Errorf("no test case %q in %s: %s", name, catalog.Release, near))
}

// sharesStart keeps suggestions from being far-fetched.
func sharesStart(a, b string) bool {
	return len(a) > 1 && len(b) > 1 && a[:2] == b[:2]
}

// exactArgs wants one argument for each name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == len(names):
			return nil
		case len(names) == 0:
			return usage(fmt.Errorf("%s takes no arguments, got %q (see %s --help)", cmd.Name(), args, cmd.CommandPath()))
		default:
			return usage(fmt.Errorf("%s: want %s, got %s (see %s --help)", cmd.Name(), strings.Join(names, " "), count(len(args), "argument"), cmd.CommandPath()))
		}
	}
}

// newHelpCmd is cobra's help, with an error for a command that is not there.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]",
		Short:  "Show the help of a command",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usage(fmt.Errorf("no help on %q: there is no such command (see xtci --help)", args))
			}
			return cmd.Help()
		},
	}
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./=:,@%+-]+$`)

// shellWord is a value as it is typed in a shell.
func shellWord(value string) string {
	if plainWord.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// siteFlags repeats, for a command line that is suggested, the flags that say
// where the site is.
func (a *app) siteFlags() string {
	var flags strings.Builder
	add := func(flag, value string) { flags.WriteString(" " + flag + " " + shellWord(value)) }
	if a.configFile != "" {
		add("--config", a.plainSite())
	}
	if a.fetched != nil && a.offline {
		flags.WriteString(" --offline")
	}
	for _, set := range a.sets {
		add("--set", set)
	}
	return flags.String()
}
