package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer/doctor"
	"github.com/anuket-project/xtci/testcases"
)

func newCompletionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print what makes a shell complete commands, flags and names",
		Long: `completion prints a script for a SHELL: bash, zsh or fish. With it, the tab key
completes commands and flags, and names that xtci knows: of test cases, tiers,
services and checks, keys of the site, and build tags of campaigns that are kept
under stack.prefix. It asks neither Docker nor a network.

The packages for Debian and Fedora have the scripts in them.

EXIT STATUS
  0  done
  2  wrong use: another shell`,
		Example: `  source <(xtci completion bash)
  xtci completion bash > ~/.local/share/bash-completion/completions/xtci
  xtci completion zsh > "${fpath[1]}/_xtci"
  xtci completion fish > ~/.config/fish/completions/xtci.fish`,
		Args: exactArgs("SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			write, ok := map[string]func(io.Writer) error{
				"bash": func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
				"zsh":  root.GenZshCompletion,
				"fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
			}[args[0]]
			if !ok {
				return usage(fmt.Errorf("completion: no shell %q is known: want bash, zsh or fish", args[0]))
			}
			return write(a.out)
		},
	}
}

// completers are what to suggest, by the name of a flag (--scope) or by what
// usage lines and flags call their values (SERVICE, FILE). Of all others
// nothing is known.
func (a *app) completers() map[string]cobra.CompletionFunc {
	tags := a.suggest(one, (*app).tags)
	sites := suggestEnding("yaml", "yml")
	scopes := fixed(string(testcases.ScopeMandatory), string(testcases.ScopeOptional), string(testcases.ScopeAll))
	return map[string]cobra.CompletionFunc{
		"FILE": suggestFiles, "DIR": suggestFolders, "FILE|DIR": suggestFiles,
		"ZIP": suggestEnding("zip"), "ZIP|DIR": suggestEnding("zip"),
		"--config": sites, "--site": sites, "PLAYBOOK": sites,
		"CASE": a.suggest(one, (*app).cases), "CASES": a.suggest(list, (*app).cases), "--waive": a.suggest(assignment, (*app).cases),
		"TIER": a.suggest(one, (*app).tiers), "BUILD_TAG": tags, "TAG": tags,
		"SERVICE": fixed("jenkins", "minio", "testdb", "files", "registry"),
		"SHELL":   fixed("bash", "zsh", "fish"),
		"FROM":    fixed(testcases.Releases()...), "TO": fixed(testcases.Releases()...),
		"--only": a.suggest(list, (*app).checks), "--set": a.suggest(assignment, (*app).keys),
		"--scope": scopes, "--via": fixed(viaJenkins), "--format": fixed("html", "json", "junit"),
		"--output": fixed("text", "json"), "--log-level": fixed("debug", "info", "warn", "error"),
		"--with":       shaped(list, []cobra.Completion{"per-page", "health", "metrics"}),
		"--collection": fixed("pods", "projects", "testcases", "scenarios", "results", "deployresults"),
	}
}

// complete has shells complete the arguments and flags of all commands.
func (a *app) complete(root *cobra.Command) {
	completers := a.completers()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.ValidArgsFunction = completeArguments(completers, arguments(cmd))
		register := func(flag *pflag.Flag) {
			if flag.NoOptDefVal != "" { // it takes no value
				return
			}
			_ = cmd.RegisterFlagCompletionFunc(flag.Name, completerOf(completers, flag)) // fails for a flag that is not there
		}
		cmd.Flags().VisitAll(register)
		cmd.PersistentFlags().VisitAll(register)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// completerOf is what to suggest for the value of a flag.
func completerOf(completers map[string]cobra.CompletionFunc, flag *pflag.Flag) cobra.CompletionFunc {
	if f, ok := completers["--"+flag.Name]; ok {
		return f
	}
	placeholder, _ := pflag.UnquoteUsage(flag)
	if f, ok := completers[placeholder]; ok {
		return f
	}
	return cobra.NoFileCompletions
}

// arguments are the names of a command's arguments, as its usage line has
// them.
func arguments(cmd *cobra.Command) []string {
	var names []string
	for _, word := range strings.Fields(cmd.Use)[1:] {
		name := strings.Trim(word, "[]")
		if strings.HasPrefix(name, "-") || strings.HasPrefix(name, "{") {
			break
		}
		names = append(names, name)
	}
	return names
}

func completeArguments(completers map[string]cobra.CompletionFunc, names []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) < len(names) {
			if f, ok := completers[names[len(args)]]; ok {
				return f(cmd, args, typed)
			}
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

func suggestFiles(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func suggestFolders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// suggestEnding suggests files by how their names end, and folders.
func suggestEnding(endings ...cobra.Completion) cobra.CompletionFunc {
	return cobra.FixedCompletions(endings, cobra.ShellCompDirectiveFilterFileExt)
}

func fixed(values ...cobra.Completion) cobra.CompletionFunc { return shaped(one, values) }

func shaped(shape shape, values []cobra.Completion) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return shape(values, typed)
	}
}

// suggest suggests what the site has. A site that cannot be loaded has
// nothing: the command itself says what is wrong.
func (a *app) suggest(shape shape, names func(*app, config.Site) ([]cobra.Completion, error)) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		site, err := a.site()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		found, err := names(a, site)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return shape(found, typed)
	}
}

// A shape is how names stand in what is typed.
type shape func(names []cobra.Completion, typed string) ([]cobra.Completion, cobra.ShellCompDirective)

const (
	inOrder = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	goingOn = inOrder | cobra.ShellCompDirectiveNoSpace
)

// one is a name alone.
func one(names []cobra.Completion, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return starting(names, typed), inOrder
}

// list is names with commas between, each once. After a comma they have no
// descriptions: with those, the script for bash does not find them again.
func list(names []cobra.Completion, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	there := strings.Split(before, ",")
	var more []cobra.Completion
	for _, completion := range names {
		name, _, _ := strings.Cut(completion, "\t")
		if before != "" {
			completion = before + name
		}
		if !slices.Contains(there, name) {
			more = append(more, completion)
		}
	}
	return starting(more, typed), goingOn
}

// assignment is NAME=VALUE, of which the value is not known.
func assignment(names []cobra.Completion, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var keys []cobra.Completion
	for _, completion := range names {
		name, description, _ := strings.Cut(completion, "\t")
		keys = append(keys, cobra.CompletionWithDesc(name+"=", description))
	}
	return starting(keys, typed), goingOn
}

func starting(names []cobra.Completion, typed string) []cobra.Completion {
	return slices.DeleteFunc(slices.Clone(names), func(name cobra.Completion) bool { return !strings.HasPrefix(name, typed) })
}

// cases are the test cases of the site's release.
func (a *app) cases(site config.Site) ([]cobra.Completion, error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return nil, err
	}
	var names []cobra.Completion
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		names = append(names, cobra.CompletionWithDesc(c.Name, c.Tier))
	}
	return names, nil
}

// tiers are the phases of the site's release.
func (a *app) tiers(site config.Site) ([]cobra.Completion, error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return nil, err
	}
	var names []cobra.Completion
	for _, phase := range catalog.Phases {
		names = append(names, phase.Name)
	}
	return names, nil
}

// checks are the groups of doctor's checks, and the checks.
func (a *app) checks(site config.Site) ([]cobra.Completion, error) {
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return nil, err
	}
	checks, err := doctor.Select(doctor.Options{Site: site, Environ: a.environ, Suites: suiteImages(site, catalog)})
	if err != nil {
		return nil, err
	}
	var groups, names []cobra.Completion
	for _, check := range checks {
		if !slices.Contains(groups, check.Group) {
			groups = append(groups, check.Group)
		}
		if check.Name != check.Group {
			names = append(names, cobra.CompletionWithDesc(check.Name, check.Group))
		}
	}
	return append(groups, names...), nil
}

// keys are those of the site that --set takes, and its variables.
func (a *app) keys(site config.Site) ([]cobra.Completion, error) {
	names := config.Keys()
	for _, variable := range site.Variables() {
		names = append(names, "env."+variable.Name)
	}
	return names, nil
}

// tags are the build tags of campaigns that are kept under the prefix, those
// that were begun and those that were indexed. Nothing is made there.
func (a *app) tags(site config.Site) ([]cobra.Completion, error) {
	var tags []cobra.Completion
	for _, dir := range []string{site.Campaigns(), site.Artifacts()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		for _, entry := range entries {
			tag, ok := strings.CutSuffix(entry.Name(), ".json")
			if ok && artifacts.CheckTag(tag) == nil {
				tags = append(tags, tag)
			}
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}
