package parse

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestWhatXtciAddsIsNoEvidence(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for _, name := range []string{"a.log", "c/a.json", "xtci-run.json", "c/xtci-image.json", "xtci-console.log", "c/xtci-other.json"} {
		files[name] = &fstest.MapFile{}
	}
	names, err := find(files, func(string) bool { return true })
	if diff := cmp.Diff([]string{"a.log", "c/a.json", "c/xtci-other.json"}, names); diff != "" || err != nil {
		t.Errorf("files (-want +got): %v\n%s", err, diff)
	}
}
