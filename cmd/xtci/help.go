package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/internal/term"
)

// helpWidth is what every terminal has.
const helpWidth = 80

// helpPage is what --help prints, for a terminal of helpWidth.
func helpPage(cmd *cobra.Command) string {
	var page strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	help := takeApart(cmd.Long)

	for _, paragraph := range help.paragraphs {
		line("%s\n", term.Wrap(paragraph, 0, helpWidth))
	}
	line("Usage:\n  %s", strings.Join(synopsis(cmd), "\n  "))
	if cmd.HasExample() {
		line("\nExamples:\n%s", cmd.Example)
	}
	helpCommands(line, cmd)
	helpFlags(line, "Flags", describeAll(cmd.NonInheritedFlags()))
	helpFlags(line, "Flags of all commands", describeAll(cmd.InheritedFlags()))
	if len(help.status) > 0 {
		line("\nEXIT STATUS")
	}
	for _, status := range help.status {
		line("  %-3s  %s", status.code, status.meaning)
	}
	if cmd.HasAvailableSubCommands() {
		line("\n%s COMMAND --help says more of each.", cmd.CommandPath())
	}
	return page.String()
}

// wantCommands has commands that do nothing themselves print their help, and
// refuse what is no command below them.
func wantCommands(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		wantCommands(sub)
	}
	if !cmd.HasSubCommands() || cmd.Runnable() {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		near := ""
		cmd.SuggestionsMinimumDistance = 2
		if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
			near = "did you mean " + strings.Join(names, " or ") + "? "
		}
		return usage(fmt.Errorf("unknown command %q: %ssee %s --help", args[0], near, cmd.CommandPath()))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// helpCommands lists the commands below one, by their groups if they have any.
func helpCommands(line func(string, ...any), cmd *cobra.Command) {
	wide := 0
	for _, sub := range cmd.Commands() {
		wide = max(wide, len(sub.Name()))
	}
	list := func(title, group string) {
		header := false
		for _, sub := range cmd.Commands() {
			if sub.GroupID != group || !sub.IsAvailableCommand() {
				continue
			}
			if !header {
				line("\n%s:", title)
				header = true
			}
			line("  %-*s  %s", wide, sub.Name(), term.Wrap(sub.Short, wide+4, helpWidth))
		}
	}
	for _, group := range cmd.Groups() {
		list(group.Title, group.ID)
	}
	list("Commands", "")
}

func helpFlags(line func(string, ...any), title string, flags []flagText) {
	if len(flags) == 0 {
		return
	}
	line("\n%s:", title)
	wide := 0
	for _, flag := range flags {
		wide = max(wide, len(helpSpelling(flag)))
	}
	for _, flag := range flags {
		line("  %-*s  %s", wide, helpSpelling(flag), term.Wrap(flag.meaning, wide+4, helpWidth))
	}
}

// helpSpelling leaves room for the short form of other flags.
func helpSpelling(flag flagText) string {
	if strings.HasPrefix(flag.spelling, "--") {
		return "    " + flag.spelling
	}
	return flag.spelling
}
