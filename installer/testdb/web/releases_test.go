package web

import (
	"strings"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

// That nothing is mandatory must not look as if all that is mandatory passed.
func TestReleaseWithoutASpecification(t *testing.T) {
	t.Parallel()
	catalog, err := testcases.Load("v1.24")
	if err != nil {
		t.Fatal(err)
	}
	h := handler(t, sample(t), Options{Catalog: catalog})
	for _, path := range []string{"/", "/campaigns/G2K7M0Q4ZX1P"} {
		page := get(t, h, path).Body.String()
		for _, want := range []string{"No specification for this release", "No version of Anuket RC2 is of v1.24: no case is mandatory"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		if strings.Contains(page, "recorded PASS") || strings.Contains(page, "Records missing") {
			t.Errorf("%s counts mandatory cases", path)
		}
	}
}
