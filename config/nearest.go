package config

import "github.com/agnivade/levenshtein"

// Nearest returns the known word with the fewest edits to the given one, for
// messages that ask whether it was meant.
func Nearest(known []string, word string) string {
	best, least := "", -1
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(candidate, word); least < 0 || d < least {
			best, least = candidate, d
		}
	}
	return best
}
