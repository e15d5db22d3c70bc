package playbook

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	docsFile = "../../docs/playbooks.md"
	docsMark = "<!-- made by go test ./config/playbook -update -->\n"
)

// The document lists every variable, filter and method that there is.
func TestDocs(t *testing.T) {
	t.Parallel()
	all, err := Variables()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	head, got, ok := strings.Cut(string(raw), docsMark)
	if !ok {
		t.Fatalf("%s has no %q", docsFile, docsMark)
	}
	want := variablesDocs(all)
	if *update {
		if err := os.WriteFile(docsFile, []byte(head+docsMark+want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got (-update writes it anew):\n%s", diff)
	}
}

func variablesDocs(all []Variable) string {
	var text strings.Builder
	var order []string
	by := map[string][]string{}
	add := func(kind, what, name string) {
		if row := kind + " | " + what; !slices.Contains(order, row) {
			order = append(order, row)
		}
		by[kind+" | "+what] = append(by[kind+" | "+what], "`"+name+"`")
	}
	for _, v := range all {
		switch {
		case v.Site != "":
			add("`"+strings.ReplaceAll(v.Site, ", ", "`, `")+"`", "", v.Name)
		case v.Reads != "":
			add("", v.Reads, v.Name)
		default:
			add("not supported", v.Instead, v.Name)
		}
	}
	text.WriteString("\n| variables | become | |\n|---|---|---|\n")
	for _, row := range order {
		fmt.Fprintf(&text, "| %s | %s |\n", strings.Join(by[row], ", "), row)
	}
	code := func(names []string) string { return "`" + strings.Join(names, "`, `") + "`" }
	fmt.Fprintf(&text, "\nFilters: %s.\n\nMethods of text: %s; of mappings: %s.\n", code(filterNames()), code(textMethodNames()), code(mappingMethodNames[:]))
	return text.String()
}
