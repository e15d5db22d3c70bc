package playbook

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The table has every variable of the role, and each says what becomes of it.
func TestTableIsComplete(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/role-variables.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	if len(want) != 267 {
		t.Errorf("%d names in the list, want 267", len(want))
	}
	all, err := Variables()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range all {
		if v.fallback != nil {
			got = append(got, v.Name)
		}
		ways := 0
		for _, way := range []string{v.Site, v.Reads, v.Instead} {
			if way != "" {
				ways++
			}
		}
		if ways != 1 {
			t.Errorf("%s: it has %d ways, want one: mapped, read, or what is used instead", v.Name, ways)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("names (-list +table):\n%s", diff)
	}
}
