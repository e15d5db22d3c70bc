// Runtests stands in for Xtesting's run_tests, in an image of tests: it writes
// its environment into the results, and ends as its case's name says.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const results = "/var/lib/xtesting/results"

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) < 2 || args[0] != "-t" {
		fmt.Fprintf(os.Stderr, "want -t CASE, got %q\n", args)
		return 2
	}
	folder := filepath.Join(results, args[1])
	text, err := json.Marshal(os.Environ())
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "environ.json"), text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 3
	}
	fmt.Println("running", args[1])
	switch args[1] {
	case "fails":
		return 255
	case "endless": // as Python does as process 1
		signal.Ignore(syscall.SIGTERM)
		time.Sleep(time.Hour)
	}
	return 0
}
