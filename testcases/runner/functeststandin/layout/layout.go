// Package layout says what an image of the stand-in holds, besides the
// program: the recordings of its tier's cases.
package layout

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anuket-project/xtci/testcases"
)

// Folder is where the program looks for TIER/CASE.
const Folder = "/usr/share/functest-standin"

// Tiers are the containers that the program stands in for.
func Tiers() []string { return []string{"healthcheck", "smoke", "security", "benchmarking", "cnf"} }

// Files are the files of a tier's image, by path there: those of the cases in
// the recorded campaign in the folder sample.
func Files(sample, tier string) (map[string]string, error) {
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for i := range catalog.Cases {
		c := &catalog.Cases[i]
		if c.Tier != tier {
			continue
		}
		err := filepath.WalkDir(filepath.Join(sample, c.Name), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			inside, err := filepath.Rel(sample, name)
			files[strings.Join([]string{Folder, tier, filepath.ToSlash(inside)}, "/")] = name
			return err
		})
		if err != nil && (c.Default || !os.IsNotExist(err)) { // what is not run by default need not be recorded
			return nil, fmt.Errorf("recording of %s: %w", c.Name, err)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%q is no tier: there are %s", tier, strings.Join(Tiers(), ", "))
	}
	return files, nil
}
