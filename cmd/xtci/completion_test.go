package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// What is suggested is suggested for something: a flag that was renamed takes
// its suggestions with it.
func TestCompletersAreUsed(t *testing.T) {
	t.Parallel()
	a := new(app)
	used := map[string]bool{}
	for _, cmd := range visible(a.rootCmd()) {
		for _, name := range arguments(cmd) {
			used[name] = true
		}
		note := func(flag *pflag.Flag) {
			placeholder, _ := pflag.UnquoteUsage(flag)
			used["--"+flag.Name], used[placeholder] = true, true
		}
		cmd.Flags().VisitAll(note)
		cmd.PersistentFlags().VisitAll(note)
	}
	for name := range a.completers() {
		if !used[name] {
			t.Errorf("%s is completed, and no command has it", name)
		}
	}
}

// Each value has a name in the help, not that of a Go type.
func TestFlagsNameTheirValues(t *testing.T) {
	t.Parallel()
	for _, cmd := range visible(new(app).rootCmd()) {
		for _, flag := range describeAll(cmd.LocalFlags()) {
			long := flag.spelling[strings.Index(flag.spelling, "--"):]
			_, value, takesValue := strings.Cut(long, " ")
			if takesValue && value != strings.ToUpper(value) {
				t.Errorf("%s %s: give the value a name in capitals, in backquotes in the help", cmd.CommandPath(), flag.spelling)
			}
		}
	}
}
