package testcases

import "slices"

// Files that whoever ran a container put beside what it left. They tell how
// it was run, and are no evidence of what it found.
const (
	RunFile     = "xtci-run.json"     // how its container was run
	ImageFile   = "xtci-image.json"   // which image it was
	ConsoleFile = "xtci-console.log"  // what it said
	LeftOutFile = "xtci-left-out.txt" // which of its files no archive can hold
)

// IsOwnFile says whether a file, by the last part of its name, is one of
// those.
func IsOwnFile(base string) bool {
	return slices.Contains([]string{RunFile, ImageFile, ConsoleFile, LeftOutFile}, base)
}
