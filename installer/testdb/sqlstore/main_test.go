package sqlstore_test

import (
	"fmt"
	"os"
	"testing"
)

// TestMain makes the test binary, run by a test with a database in its
// environment, the process that the test kills.
func TestMain(m *testing.M) {
	if path := os.Getenv(victimEnv); path != "" {
		if err := victim(path, os.Getenv(victimRoundEnv)); err != nil {
			fmt.Fprintln(os.Stderr, err) // which the test does not expect
		}
		return
	}
	m.Run()
}
