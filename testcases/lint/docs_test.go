package lint

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of rules in docs/lint.md anew")

// docs/lint.md has all rules.
func TestDocs(t *testing.T) {
	t.Parallel()
	const file, mark = "../../docs/lint.md", "<!-- made by go test ./testcases/lint -update -->\n\n"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	table.WriteString("| rule | level | what | what to do |\n|---|---|---|---|\n")
	for _, rule := range Rules() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", rule.ID, rule.Level, rule.Text, rule.Help)
	}
	before, rest, ok := strings.Cut(string(raw), mark)
	if !ok {
		t.Fatalf("%s has no mark %q", file, mark)
	}
	old, after := "", "\n"+strings.TrimLeft(rest, "\n")
	if strings.HasPrefix(rest, "|") {
		old, after, _ = strings.Cut(rest, "\n\n")
		old, after = old+"\n", "\n"+after
	}
	if old == table.String() {
		return
	}
	if !*update {
		t.Fatalf("the rules in %s are out of date: -update writes them", file)
	}
	if err := os.WriteFile(file, []byte(before+mark+table.String()+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
