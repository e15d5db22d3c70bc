// Command catalog writes the catalogues of all releases but v1.23, which was
// written by hand, out of clones of what they are read from:
//
//	git clone https://github.com/opnfv/functest-kubernetes
//	git clone https://github.com/anuket-project/RC2
//	go run ./tools/catalog -functest functest-kubernetes -rc2 RC2
//
// The branches are read with git show: nothing is checked out. The same
// branches give the same files.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// byHand is the release whose catalogue says more than branches do.
const byHand = "v1.23"

// The releases of functest-kubernetes that have a branch.
const firstMinor, lastMinor = 21, 36

func main() {
	functest := flag.String("functest", "functest-kubernetes", "a clone of opnfv/functest-kubernetes")
	rc2 := flag.String("rc2", "RC2", "a clone of anuket-project/RC2")
	into := flag.String("into", "testcases/catalog", "where the catalogues go to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx, clone(*functest), clone(*rc2), *into); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1)
	}
}

func write(ctx context.Context, functest, rc2 clone, into string) error {
	for minor := firstMinor; minor <= lastMinor; minor++ {
		release := fmt.Sprintf("v1.%d", minor)
		if release == byHand {
			continue
		}
		text, err := generate(ctx, functest, rc2, release)
		if err != nil {
			return fmt.Errorf("catalogue of %s: %w", release, err)
		}
		if err := os.WriteFile(filepath.Join(into, release+".yaml"), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// A clone is the folder of a git repository.
type clone string

// show returns a file of a branch.
func (c clone) show(ctx context.Context, branch, name string) ([]byte, error) {
	return c.git(ctx, "show", branch+":"+name)
}

// head names the newest commit of a branch, for a reader who looks it up.
func (c clone) head(ctx context.Context, branch string) (string, error) {
	commit, err := c.git(ctx, "rev-parse", "--short=8", branch)
	return branch + ", " + strings.TrimSpace(string(commit)), err
}

func (c clone) git(ctx context.Context, args ...string) ([]byte, error) {
	var failed bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", string(c)}, args...)...)
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s in %s: %w: %s", strings.Join(args, " "), c, err, strings.TrimSpace(failed.String()))
	}
	return out, nil
}
