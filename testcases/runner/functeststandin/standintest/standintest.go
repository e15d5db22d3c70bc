// Package standintest gives tests images of the stand-in for the containers of
// functest-kubernetes (the program in the folder above).
package standintest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/docker/dockertest"
	"github.com/anuket-project/xtci/testcases/runner/functeststandin/layout"
)

// Image is the reference of a shared image that stands in for
// opnfv/functest-kubernetes-TIER:v1.23: xtci-test/functest-TIER:DIGEST. It is
// kept for the next run.
func Image(t testing.TB, engine *docker.Engine, tier string) (ref string) {
	t.Helper()
	files, err := layout.Files(Sample(t), tier)
	if err != nil {
		t.Fatal(err)
	}
	const program = "/usr/bin/functest-standin"
	files[program] = dockertest.Build(t, "./testcases/runner/functeststandin")
	return dockertest.Shared(t, engine, "functest-"+tier, dockertest.Rootfs{
		Files:   files,
		Folders: []string{"/tmp", "/var/lib/xtesting/results"},
		// it takes the name of the program from the command, as a shell would
		Changes: []string{`ENTRYPOINT ["` + program + `"]`, `CMD ["run_tests", "-t", "all"]`},
	})
}

// Images are the images of all tiers, by tier.
func Images(t testing.TB, engine *docker.Engine) map[string]string {
	t.Helper()
	refs := map[string]string{}
	for _, tier := range layout.Tiers() {
		refs[tier] = Image(t, engine, tier)
	}
	return refs
}

// Sample is the folder of the recorded campaign.
func Sample(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(folder, "go.mod")); statErr == nil {
			return filepath.Join(folder, "testcases", "testdata", "sample")
		}
		if folder == filepath.Dir(folder) {
			break
		}
		folder = filepath.Dir(folder)
	}
	t.Fatalf("there is no go.mod above this folder: %v", err)
	return ""
}
