package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/testcases"
)

var update = flag.Bool("update", false, "write the golden files anew")

var formats = []struct {
	file  string
	write func(io.Writer, *testcases.Assessment) error
}{
	{"report.html", HTML},
	{"report.json", JSON},
	{"junit.xml", JUnit},
}

func render(t testing.TB, write func(io.Writer, *testcases.Assessment) error, a *testcases.Assessment) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for _, format := range formats {
		t.Run(format.file, func(t *testing.T) {
			t.Parallel()
			got := render(t, format.write, sample())
			golden := filepath.Join("testdata", format.file)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s differs from %s; if that is meant, run the test with -update (-want +got):\n%s", format.file, golden, diff)
			}
		})
	}
}

func TestSameAssessmentGivesSameBytes(t *testing.T) {
	t.Parallel()
	for _, format := range formats {
		if !bytes.Equal(render(t, format.write, large()), render(t, format.write, large())) {
			t.Errorf("%s differs between two runs", format.file)
		}
	}
}
