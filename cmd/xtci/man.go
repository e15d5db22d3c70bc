package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// envEpoch says which time to write into what must come out the same again
// (reproducible-builds.org/specs/source-date-epoch).
const envEpoch = "SOURCE_DATE_EPOCH"

func newManCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands",
		Long: `man writes one manual page for each command into DIR: xtci.1, xtci-run.1 and so
on. They have what --help has. The date in them is that of SOURCE_DATE_EPOCH,
and without it there is none.

` + exitStatus,
		Example: "  xtci man /usr/local/share/man/man1",
		Hidden:  true, // who builds packages needs it
		Args:    exactArgs("DIR"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runMan(a, cmd.Root(), args[0]) },
	}
}

func runMan(a *app, root *cobra.Command, dir string) error {
	date := ""
	if epoch := a.getenv(envEpoch); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return usage(fmt.Errorf("%s=%s: want seconds since 1970", envEpoch, epoch))
		}
		date = time.Unix(seconds, 0).UTC().Format(time.DateOnly)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usage(err)
	}
	var errs []error
	for _, cmd := range visible(root) {
		name := filepath.Join(dir, manName(cmd)+".1")
		errs = append(errs, os.WriteFile(name, []byte(manPage(cmd, date)), 0o644))
	}
	return errors.Join(errs...)
}

// visible are a command and all below it that help shows.
func visible(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, visible(sub)...)
		}
	}
	return all
}

// manName is the name of a command's manual page.
func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the manual page of a command, in the language of man(7).
func manPage(cmd *cobra.Command, date string) string {
	var page strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	help := takeApart(cmd.Long)

	line(`.TH "%s" 1 "%s" "%s" "xtci"`, strings.ToUpper(manName(cmd)), date, roff(toolName()))
	line(".SH NAME\n%s \\- %s", roff(manName(cmd)), roff(cmd.Short))
	line(".SH SYNOPSIS\n.nf")
	for _, call := range synopsis(cmd) {
		line(".B %s", roff(call))
	}
	line(".fi")
	line(".SH DESCRIPTION")
	for i, paragraph := range help.paragraphs {
		if i > 0 {
			line(".PP")
		}
		line("%s", roff(paragraph))
	}
	if cmd.HasAvailableSubCommands() {
		line(".SH COMMANDS")
		for _, sub := range visible(cmd)[1:] {
			line(".TP\n.BR %s (1)\n%s", roff(manName(sub)), roff(sub.Short))
		}
	}
	manFlags(line, "OPTIONS", describeAll(cmd.NonInheritedFlags()))
	manFlags(line, "OPTIONS OF ALL COMMANDS", describeAll(cmd.InheritedFlags()))
	if len(help.status) > 0 {
		line(".SH EXIT STATUS")
	}
	for _, status := range help.status {
		line(".TP\n.B %s\n%s", status.code, roff(status.meaning))
	}
	if cmd.HasExample() {
		line(".SH EXAMPLES\n.nf\n%s\n.fi", roff(cmd.Example))
	}
	if cmd.HasParent() {
		line(".SH SEE ALSO\n.BR %s (1)", roff(manName(cmd.Parent())))
	}
	return page.String()
}

// manFlags is a section on flags, if there are any.
func manFlags(line func(string, ...any), title string, flags []flagText) {
	if len(flags) > 0 {
		line(".SH %s", title)
	}
	for _, flag := range flags {
		line(".TP\n.B %s\n%s", roff(flag.spelling), roff(flag.meaning))
	}
}

// roff escapes a text, so that nothing in it is a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "\u00a0", `\ `).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

// A helpText is the long help of a command, taken apart.
type helpText struct {
	paragraphs []string
	status     []exitMeaning
}

// An exitMeaning is one line of EXIT STATUS.
type exitMeaning struct{ code, meaning string }

func takeApart(long string) helpText {
	text, status, _ := strings.Cut(long, "EXIT STATUS\n")
	var help helpText
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		help.paragraphs = append(help.paragraphs, strings.TrimSpace(paragraph))
	}
	for line := range strings.Lines(status) {
		code, meaning, _ := strings.Cut(strings.TrimSpace(line), " ")
		help.status = append(help.status, exitMeaning{code, strings.TrimSpace(meaning)})
	}
	return help
}

// synopsis is how a command is called, in one way or two.
func synopsis(cmd *cobra.Command) []string {
	if !cmd.HasAvailableSubCommands() {
		return []string{cmd.UseLine()}
	}
	below := cmd.CommandPath() + " COMMAND"
	if len(arguments(cmd)) == 0 {
		return []string{below}
	}
	return []string{cmd.UseLine(), below}
}

// A flagText is the help of one flag.
type flagText struct{ spelling, meaning string }

// describeAll is the help of all flags that are shown, but for --help, which
// commands get when they run.
func describeAll(flags *pflag.FlagSet) []flagText {
	var all []flagText
	flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Hidden && flag.Name != "help" {
			all = append(all, describe(flag))
		}
	})
	return all
}

func describe(flag *pflag.Flag) flagText {
	value, meaning := pflag.UnquoteUsage(flag)
	f := flagText{"--" + flag.Name, meaning}
	if flag.Shorthand != "" {
		f.spelling = "-" + flag.Shorthand + ", " + f.spelling
	}
	if value != "" {
		f.spelling += " " + value
	}
	switch flag.DefValue {
	case "", "false", "0", "[]", "0s":
	default:
		f.meaning += " (default: " + flag.DefValue + ")"
	}
	return f
}
