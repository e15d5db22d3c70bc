package fileserver

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// shown is a name as a page shows it: on one line. What else nobody sees is
// spelled out in the whole page.
func shown(name string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(name)
}

// size writes a number of bytes for people: 0 B, 999 B, 1.2 kB, 34 MB.
func size(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n), 0
	units := []string{"kB", "MB", "GB", "TB", "PB", "EB"}
	for value /= 1000; value >= 999.5 && unit < len(units)-1; value /= 1000 {
		unit++
	}
	if value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// when writes a time for people. All are in UTC: a page without script cannot
// know where its reader is.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// machineTime writes a time for programs.
func machineTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// thousands writes a number with commas.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
