package artifacts

import (
	"archive/zip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/testcases"
)

// What a lab signs need not be true: whatever the archive says of itself is
// compared with what its raw files give.
func TestSignedLiesAreNamed(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: a dozen archives of 30 MB")
	}
	t.Parallel()
	const tool = "xtci test"
	z, err := zip.OpenReader(classicZip)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	campaign, err := OpenCampaign(z, "G2K7M0Q4ZX1P")
	if err != nil {
		t.Fatal(err)
	}
	// as it would be in a store: one page of everything
	campaign.Index.Pagination = Pagination{CurrentPage: 1, TotalPages: 1}
	campaign.Declared = testcases.Provenance{Tool: tool, Engine: "test", Release: "v1.23"}
	catalog, err := testcases.Load("v1.23")
	if err != nil {
		t.Fatal(err)
	}
	assessment, err := campaign.Assess(context.Background(), catalog, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := benchKey(t)
	text := func(content string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, content); return err }
	}
	for _, test := range []struct {
		name    string
		change  func([]Document) []Document
		verdict testcases.CampaignVerdict
		tool    string
		want    []string // none: untouched
	}{
		{name: "the truth", tool: tool},
		{name: "the truth, for another version", tool: "xtci other"},
		{name: "another verdict", verdict: testcases.Conformant, tool: "xtci other", want: []string{"attestation.json: signs that G2K7M0Q4ZX1P is conformant"}},
		{
			name: "another page", tool: tool, want: []string{"report.html: is not what the raw files give"},
			change: func(d []Document) []Document { d[0].Write = text("<html>CONFORMANT</html>"); return d },
		},
		{
			name: "a report with more behind it", tool: tool, want: []string{"report.json: is not what the raw files give"},
			change: func(d []Document) []Document {
				write := d[1].Write
				d[1].Write = func(w io.Writer) error {
					if err := write(w); err != nil {
						return err
					}
					return text("{}")(w)
				}
				return d
			},
		},
		{
			name: "another verdict in the report", tool: "xtci other", want: []string{"report.json: says that G2K7M0Q4ZX1P is conformant"},
			change: func(d []Document) []Document {
				d[1].Write = text(`{"build_tag": "G2K7M0Q4ZX1P", "verdict": "conformant"}`)
				return d
			},
		},
		{
			name: "a page more", tool: tool, want: []string{"README.html: no archive holds such a file"},
			change: func(d []Document) []Document {
				return append(d, Document{Name: "README.html", Write: text("CONFORMANT")})
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			documents := Documents(assessment)
			if test.change != nil {
				documents = test.change(documents)
			}
			verdict := assessment.Verdict
			if test.verdict != "" {
				verdict = test.verdict
			}
			name := filepath.Join(t.TempDir(), "lie.zip")
			file, err := os.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := campaign.WriteArchive(context.Background(), file, documents, verdict, key); err != nil {
				t.Fatal(err)
			}
			review, err := ReviewArchive(context.Background(), name, ReviewOptions{Limits: DefaultLimits(), Key: &key.PublicKey, Tool: test.tool})
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, problem := range review.Integrity.Problems {
				problems = append(problems, problem.String())
			}
			all := strings.Join(problems, "\n")
			if review.Integrity.Untouched != (len(test.want) == 0) {
				t.Errorf("untouched: %v\n%s", review.Integrity.Untouched, all)
			}
			for _, want := range test.want {
				if !strings.Contains(all, want) {
					t.Errorf("problems do not say %q:\n%s", want, all)
				}
			}
		})
	}
}

// Everything of xtci's taken out leaves what a classic zip looks like. Who
// names a key is told that it signed nothing.
func TestStrippedArchiveIsNoProof(t *testing.T) {
	t.Parallel()
	skipShort(t)
	key := benchKey(t)
	review := reviewClassic(t, ReviewOptions{Key: &key.PublicKey})
	if review.Good() || review.Integrity.KnownKey || !strings.Contains(review.Integrity.Problems[1].Text, "signed nothing in it") {
		t.Errorf("got %+v", review.Integrity)
	}
}
