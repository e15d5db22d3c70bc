package artifacts

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/artifacts/report"
	"github.com/anuket-project/xtci/testcases"
)

// zipOf makes a zip as anybody could. A header may lie about everything.
func zipOf(tb testing.TB, write func(*zip.Writer) error) []byte {
	tb.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	if err := write(z); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func put(z *zip.Writer, name, content string) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = w.Write([]byte(content))
	return err
}

const hostileTag = "HOSTILE1"

func named(names ...string) func(*zip.Writer) error {
	return func(z *zip.Writer) error {
		for _, name := range append([]string{IndexName(hostileTag)}, names...) {
			if err := put(z, name, `{"results":[]}`); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestHostileArchivesAreRefused(t *testing.T) {
	t.Parallel()
	small := DefaultLimits()
	small.FileSize, small.TotalSize = 1<<20, 3<<20
	for _, test := range []struct {
		name   string
		limits Limits
		write  func(*zip.Writer) error
		spoil  func([]byte) []byte
		want   string
	}{
		{name: "a name that leads out", write: named("../../etc/cron.d/x"), want: `name "../../etc/cron.d/x" leads out of the archive`},
		{name: "a name that leads out further in", write: named(hostileTag + "/../../x"), want: "leads out of the archive"},
		{name: "an absolute name", write: named("/etc/passwd"), want: `absolute name "/etc/passwd"`},
		{name: "an absolute name of another system", write: named(`C:/x`), want: "absolute name"},
		{name: "a backslash", write: named(`..\..\x`), want: "backslash"},
		{name: "a name with a control character", write: named("a\x1b[2J"), want: "control characters"},
		{name: "a name that turns direction", write: named("a\u202egnp.exe"), want: "control characters"},
		{name: "a name too long", write: named(strings.Repeat("a", 2000)), want: "a name of 2000 bytes"},
		{name: "a name twice", write: named("a", "a"), want: `two files are named "a"`},
		{name: "a file and a folder of one name", write: named("a/b", "a"), want: `"a" is a file and a folder`},
		{name: "a file with the name of a folder", write: func(z *zip.Writer) error {
			_, err := z.CreateRaw(&zip.FileHeader{Name: "a/", Method: zip.Store, UncompressedSize64: 4, CompressedSize64: 4})
			return err
		}, want: `"a/" is no regular file`},
		{
			name: "a symbolic link",
			write: func(z *zip.Writer) error {
				h := &zip.FileHeader{Name: hostileTag + "/link"}
				h.SetMode(fs.ModeSymlink | 0o777)
				w, err := z.CreateHeader(h)
				if err != nil {
					return err
				}
				_, err = w.Write([]byte("/etc/passwd"))
				return err
			},
			want: "no regular file",
		},
		{
			name: "100,000 files",
			write: func(z *zip.Writer) error {
				for i := range 100_000 {
					if _, err := z.Create(fmt.Sprintf("%s/%d", hostileTag, i)); err != nil {
						return err
					}
				}
				return nil
			},
			want: "100000 files, more than 20000 (--max-entries)",
		},
		{
			name:   "a file that unpacks to too much",
			limits: small,
			write:  func(z *zip.Writer) error { return put(z, IndexName(hostileTag), strings.Repeat(" ", 2<<20)) },
			want:   "more than 1048576 (--max-file)",
		},
		{
			name:   "files that unpack to too much together",
			limits: small,
			write: func(z *zip.Writer) error {
				for i := range 4 {
					if err := put(z, fmt.Sprint(i), strings.Repeat(" ", 1<<20)); err != nil {
						return err
					}
				}
				return nil
			},
			want: "(--max-total)",
		},
		{
			name: "a size that no method reaches",
			write: func(z *zip.Writer) error {
				w, err := z.CreateRaw(&zip.FileHeader{Name: "bomb", Method: zip.Deflate, CompressedSize64: 4, UncompressedSize64: 1 << 30})
				if err != nil {
					return err
				}
				_, err = w.Write([]byte{1, 2, 3, 4})
				return err
			},
			want: "no method does that",
		},
		{
			name: "an unknown method",
			write: func(z *zip.Writer) error {
				_, err := z.CreateRaw(&zip.FileHeader{Name: "x", Method: 99})
				return err
			},
			want: "unknown method 99",
		},
		{
			name: "an encrypted file",
			write: func(z *zip.Writer) error {
				_, err := z.CreateRaw(&zip.FileHeader{Name: "x", Flags: 1})
				return err
			},
			want: "is encrypted",
		},
		{name: "files that share bytes", write: named("a", "b"), spoil: overlap, want: "share bytes"},
		{name: "cut off", write: named("a"), spoil: func(z []byte) []byte { return z[:len(z)/2] }, want: "not a zip"},
		{name: "no zip at all", write: named(), spoil: func([]byte) []byte { return []byte("hello") }, want: "not a zip"},
		{name: "empty", write: named(), spoil: func([]byte) []byte { return nil }, want: "not a zip"},
		{name: "a zip without a campaign", write: func(z *zip.Writer) error { return put(z, "readme.txt", "") }, want: "no campaign in it"},
		{
			name:  "an index that is none",
			write: func(z *zip.Writer) error { return put(z, IndexName(hostileTag), "{\n\"results\": 1}") },
			want:  IndexName(hostileTag) + " is not an index of results: line 2",
		},
		{
			name: "records of another campaign",
			write: func(z *zip.Writer) error {
				return put(z, IndexName(hostileTag), `{"results":[{"build_tag":"ANOTHER1","case_name":"netperf","criteria":"PASS"}]}`)
			},
			want: `result 1 has build_tag "ANOTHER1"`,
		},
		{name: "zips in a zip", write: named(hostileTag+"/a-1/b.zip", hostileTag+"/a-1/b.zip/c.zip"), want: "is a file and a folder"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			archive := zipOf(t, test.write)
			if test.spoil != nil {
				archive = test.spoil(archive)
			}
			file := filepath.Join(dir, "hostile.zip")
			if err := os.WriteFile(file, archive, 0o600); err != nil {
				t.Fatal(err)
			}
			limits := test.limits
			if limits == (Limits{}) {
				limits = DefaultLimits()
			}
			_, err := ReviewArchive(context.Background(), file, ReviewOptions{Limits: limits, Release: "v1.23"})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "hostile.zip") {
				t.Errorf("got %v, want an error that names the file and says %q", err, test.want)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 1 {
				t.Errorf("review left files behind: %v %v", entries, err)
			}
		})
	}
}

// overlap makes the directory's second entry point at the first one's data,
// as bombs do that unpack the same bytes many times.
func overlap(z []byte) []byte {
	signature := []byte("PK\x01\x02")
	first := bytes.Index(z, signature)
	second := first + 1 + bytes.Index(z[first+1:], signature)
	copy(z[second+42:second+46], z[first+42:first+46]) // offset of the local header
	binary.LittleEndian.PutUint32(z[second+20:], binary.LittleEndian.Uint32(z[first+20:]))
	return z
}

// What a hostile lab puts into result files cannot harm who reads them: it is
// refused as evidence, and shown as text.
func TestHostileEvidence(t *testing.T) {
	t.Parallel()
	folder := hostileTag + "/functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-"
	bomb := `<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><testsuite name="&b;"/>`
	script := `<testsuite tests="1" failures="1"><testcase name="[sig-apps] &lt;script&gt;alert(1)&lt;/script&gt;" time="1"><failure type="Failure">&lt;img src=x onerror=alert(2)&gt;</failure></testcase></testsuite>`
	archive := zipOf(t, func(z *zip.Writer) error {
		for name, content := range map[string]string{
			IndexName(hostileTag):                       `{"results":[]}`,
			folder + "sig_auth-1/sig_auth/junit_01.xml": bomb,
			folder + "sig_apps-1/sig_apps/junit_01.xml": script,
			folder + "sig_node-1/sig_node/junit_01.xml": strings.Repeat("<testsuite>", 100_000),
			hostileTag + "/job<script>-1/x":             "nested junk",
		} {
			if err := put(z, name, content); err != nil {
				return err
			}
		}
		return nil
	})
	file := filepath.Join(t.TempDir(), "hostile.zip")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	review, err := ReviewArchive(context.Background(), file, ReviewOptions{Limits: DefaultLimits(), Release: "v1.23"})
	if err != nil {
		t.Fatal(err)
	}
	if review.Good() || review.Assessment.Verdict != testcases.NotConformant {
		t.Errorf("verdict %s", review.Assessment.Verdict)
	}
	for name, want := range map[string]string{"sig_auth": "not well-formed XML", "sig_node": "nested elements"} {
		if !strings.Contains(findingsOf(review.Assessment, name), want) {
			t.Errorf("%s: findings do not say %q: %s", name, want, findingsOf(review.Assessment, name))
		}
	}
	var page bytes.Buffer
	if err := report.HTML(&page, review.Assessment); err != nil {
		t.Fatal(err)
	}
	for _, forbidden := range []string{"<script", "<img src=x"} {
		if strings.Contains(page.String(), forbidden) {
			t.Errorf("the report holds %q", forbidden)
		}
	}
	if !strings.Contains(page.String(), "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the hostile name is not shown as text")
	}
}

func findingsOf(a *testcases.Assessment, name string) string {
	var text []string
	for i := range a.Outcomes {
		for _, finding := range a.Outcomes[i].Findings {
			if a.Outcomes[i].Case.Name == name {
				text = append(text, finding.Text)
			}
		}
	}
	return strings.Join(text, "; ")
}
