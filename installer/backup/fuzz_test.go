package backup

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// FuzzRestore restores tars that anybody may have made. Nothing is ever
// written outside of the folder.
func FuzzRestore(f *testing.F) {
	raw, _ := backUp(f, smallPrefix(f))
	f.Add(unpackAll(f, raw))
	outside := f.TempDir()
	f.Fuzz(func(t *testing.T, unpacked []byte) {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(unpacked)
		must(t, err)
		must(t, w.Close())
		around := t.TempDir()
		o := restoreOptions(filepath.Join(around, "prefix"))
		o.Limits = Limits{Entries: 50, Folders: 10, TotalSize: 1 << 20}
		_, _ = Restore(t.Context(), io.LimitReader(&packed, 1<<20), 0, o)
		wantOnly(t, outside)
		entries, err := os.ReadDir(around)
		must(t, err)
		if len(entries) > 1 {
			t.Errorf("beside the prefix: %v", entries)
		}
	})
}
