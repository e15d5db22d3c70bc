package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const commandPages = "../../docs/commands"

// Each command has a page, which is its help. Others read what -update writes,
// and so it is not parallel to them.
func TestCommandPages(t *testing.T) {
	root := new(app).rootCmd()
	want := map[string]string{}
	for _, cmd := range visible(root) {
		want[pageName(cmd)] = markdownPage(cmd)
	}
	if *update {
		replacePages(t, want)
	}
	got := map[string]string{}
	for _, file := range markdownFiles(t, commandPages) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(file)] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/commands is not what the commands say (-want +got): make golden\n%s", diff)
	}
}

// The overview names every command that does something, and links its page.
func TestCommandsOverview(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	linked := regexp.MustCompile(`\]\(commands/([a-z_]+\.md)\)`).FindAllStringSubmatch(string(raw), -1)
	for _, cmd := range visible(new(app).rootCmd()) {
		if !slices.ContainsFunc(linked, func(link []string) bool { return link[1] == pageName(cmd) }) {
			t.Errorf("docs/commands.md does not link the page of %s", cmd.CommandPath())
		}
	}
}

// Every link between the documents leads somewhere.
func TestDocumentsLinkWhatIsThere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	files := append(markdownFiles(t, "../../docs"), markdownFiles(t, commandPages)...)
	for _, file := range append(files, "../../README.md") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(raw), -1) {
			target := file
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(file), match[1])
			}
			text, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr != nil || !info.IsDir() && err != nil {
				t.Errorf("%s links %s: %v", file, match[1], statErr)
			} else if match[2] != "" && !slices.Contains(anchors(string(text)), match[2]) {
				t.Errorf("%s links %s%s: there is no such heading", file, match[1], match[2])
			}
		}
	}
}

// anchors are the fragments that lead to a document's headings.
func anchors(text string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, "#"+strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

func markdownFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func replacePages(t *testing.T, pages map[string]string) {
	t.Helper()
	if err := os.MkdirAll(commandPages, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range markdownFiles(t, commandPages) {
		if _, ok := pages[filepath.Base(file)]; !ok {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range pages {
		if err := os.WriteFile(filepath.Join(commandPages, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// pageName is the file of a command's page.
func pageName(cmd *cobra.Command) string {
	return strings.ReplaceAll(cmd.CommandPath(), " ", "_") + ".md"
}

// markdownPage is the help of a command in Markdown.
func markdownPage(cmd *cobra.Command) string {
	var page strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&page, format+"\n", args...) }
	help := takeApart(cmd.Long)

	line("<!-- what the command's --help says, written by make golden -->\n")
	line("# %s\n\n%s.\n\n    %s", cmd.CommandPath(), markdown(cmd.Short), strings.Join(synopsis(cmd), "\n    "))
	for _, paragraph := range help.paragraphs {
		line("\n%s", markdown(paragraph))
	}
	if cmd.HasAvailableSubCommands() {
		line("\n## Commands\n\n| command | what |\n|---|---|")
		for _, sub := range visible(cmd)[1:] {
			line("| [%s](%s) | %s |", sub.CommandPath(), pageName(sub), cell(sub.Short))
		}
	}
	if cmd.HasExample() {
		line("\n## Examples\n")
		for example := range strings.SplitSeq(cmd.Example, "\n") {
			line("    %s", strings.TrimSpace(example))
		}
	}
	markdownFlags(line, "Flags", describeAll(cmd.NonInheritedFlags()))
	markdownFlags(line, "Flags of all commands", describeAll(cmd.InheritedFlags()))
	if len(help.status) > 0 {
		line("\n## Exit codes\n\n| code | means |\n|---|---|")
	}
	for _, status := range help.status {
		line("| %s | %s |", status.code, cell(status.meaning))
	}
	if cmd.HasParent() {
		line("\nSee [%s](%s).", cmd.Parent().CommandPath(), pageName(cmd.Parent()))
	}
	return page.String()
}

func markdownFlags(line func(string, ...any), title string, flags []flagText) {
	if len(flags) > 0 {
		line("\n## %s\n\n| flag | what |\n|---|---|", title)
	}
	for _, flag := range flags {
		line("| `%s` | %s |", strings.ReplaceAll(flag.spelling, "|", `\|`), cell(flag.meaning))
	}
}

// markdown escapes a text that is to be read as it is.
func markdown(text string) string {
	return strings.NewReplacer("*", `\*`, "<", `\<`, "[", `\[`, "`", "\\`", `\`, `\\`).Replace(text)
}

// cell is a text within a table.
func cell(text string) string {
	return strings.ReplaceAll(markdown(strings.Join(strings.Fields(text), " ")), "|", `\|`)
}
