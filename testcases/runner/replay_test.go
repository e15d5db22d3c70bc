package runner

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anuket-project/xtci/internal/recording"
	"github.com/anuket-project/xtci/testcases"
)

const goodRecord = `{"case_name":"sig_auth","criteria":"pass","details":{}}`

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// recorded opens a recording with these files.
func recorded(t *testing.T, files map[string]string) (dir string, opened recording.FS) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := recording.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return dir, opened
}

func execute(ctx context.Context, files fs.FS, name string) (Result, error) {
	return Replay{Recording: files}.Execute(ctx, testcases.Job{Name: "job-" + name, Case: &testcases.Case{Name: name}}, Build{tag, 1})
}

func TestReplayFeedsBothLayouts(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"functest-kubernetes.log":   "log",
		"sig_auth/e2e.log":          "e2e",
		"sig_auth/junit_01.xml":     "<testsuite/>",
		"sig_auth/sub/deeper.txt":   "deeper",
		"sig_auth/xtesting.log.old": "of no container",
	}
	for _, test := range []struct {
		name  string
		files map[string]string
	}{
		{"all in one folder", map[string]string{
			"sig_auth/record.json":             goodRecord,
			"sig_auth/functest-kubernetes.log": "log",
			"sig_auth/e2e.log":                 "e2e",
			"sig_auth/junit_01.xml.gz":         gzipped(t, "<testsuite/>"),
			"sig_auth/sub/deeper.txt":          "deeper",
			"sig_auth/xtesting.log.old":        "of no container",
			"sig_node/e2e.log":                 "of another case",
		}},
		{"as a container leaves it", map[string]string{
			"sig_auth/record.json.gz":               gzipped(t, goodRecord),
			"sig_auth/functest-kubernetes.log":      "log",
			"sig_auth/sig_auth/e2e.log":             "e2e",
			"sig_auth/sig_auth/junit_01.xml.gz":     gzipped(t, "<testsuite/>"),
			"sig_auth/sig_auth/sub/deeper.txt.gz":   gzipped(t, "deeper"),
			"sig_auth/sig_auth/xtesting.log.old.gz": gzipped(t, "of no container"),
		}},
		{"with a file both packed and not", map[string]string{
			"sig_auth/record.json":                goodRecord,
			"sig_auth/functest-kubernetes.log":    "log",
			"sig_auth/functest-kubernetes.log.gz": gzipped(t, "older"),
			"sig_auth/e2e.log":                    "e2e",
			"sig_auth/junit_01.xml":               "<testsuite/>",
			"sig_auth/sub/deeper.txt":             "deeper",
			"sig_auth/xtesting.log.old":           "of no container",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, files := recorded(t, test.files)
			result, err := execute(t.Context(), files, "sig_auth")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, file := range result.Files {
				r, err := file.Open()
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(r)
				if err = errors.Join(err, r.Close()); err != nil {
					t.Fatal(err)
				}
				if _, twice := got[file.Name]; twice {
					t.Errorf("%s twice", file.Name)
				}
				got[file.Name] = string(text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if result.Record == nil || result.Record.Criteria != testcases.CriteriaPass {
				t.Errorf("record %+v", result.Record)
			}
		})
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		files  map[string]string
		change func(dir string) error
		want   string
	}{
		{name: "no folder", files: map[string]string{"sig_node/e2e.log": ""}, want: "the recording has no folder sig_auth"},
		{name: "a file in its place", files: map[string]string{"sig_auth": ""}, want: "the recording has no folder sig_auth"},
		{name: "garbage for a record", files: map[string]string{"sig_auth/record.json": "hello"}, want: "record.json is not a record"},
		{name: "an empty record", files: map[string]string{"sig_auth/record.json": ""}, want: "record.json is not a record"},
		{name: "a record that is cut off", files: map[string]string{"sig_auth/record.json.gz": gzipped(t, strings.Repeat(goodRecord, 9))[:20]}, want: "record.json.gz"},
		{name: "the record of another case", files: map[string]string{"sig_auth/record.json": `{"case_name":"sig_apps","criteria":"PASS"}`}, want: `record.json is the record of "sig_apps", not of sig_auth`},
		{name: "bad criteria", files: map[string]string{"sig_auth/record.json": `{"case_name":"sig_auth","criteria":"GREEN"}`}, want: `criteria is "GREEN"`},
		{name: "no criteria", files: map[string]string{"sig_auth/record.json": `{"case_name":"sig_auth"}`}, want: `criteria is ""`},
		{
			name:  "two files for one place",
			files: map[string]string{"sig_auth/e2e.log": "a", "sig_auth/sig_auth/e2e.log": "b"},
			want:  "e2e.log and sig_auth/e2e.log are the same file",
		},
		{
			name: "a file that leads out of the recording", files: map[string]string{"sig_auth/record.json": goodRecord},
			change: func(dir string) error { return os.Symlink("/etc/passwd", filepath.Join(dir, "sig_auth", "e2e.log")) },
			want:   "e2e.log is no regular file",
		},
		{
			name: "a record that leads out of the recording", files: map[string]string{"sig_auth/e2e.log": ""},
			change: func(dir string) error {
				return os.Symlink("/etc/passwd", filepath.Join(dir, "sig_auth", "record.json"))
			},
			want: "escapes",
		},
		{
			name: "a folder that leads out of the recording", files: map[string]string{"sig_node/e2e.log": ""},
			change: func(dir string) error { return os.Symlink("/etc", filepath.Join(dir, "sig_auth")) },
			want:   "recording of sig_auth",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir, files := recorded(t, test.files)
			if test.change != nil {
				if err := test.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			_, err := execute(t.Context(), files, "sig_auth")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestReplayOfACaseThatPushedNothing(t *testing.T) {
	t.Parallel()
	_, files := recorded(t, map[string]string{"sig_auth/functest-kubernetes.log": "it crashed"})
	result, err := execute(t.Context(), files, "sig_auth")
	if err != nil || result.Record != nil || len(result.Files) != 1 {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestReplayStopsWhenInterrupted(t *testing.T) {
	t.Parallel()
	_, files := recorded(t, map[string]string{"sig_auth/record.json": goodRecord})
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(errInterrupt)
	if _, err := execute(ctx, files, "sig_auth"); !errors.Is(err, errInterrupt) {
		t.Errorf("got %v", err)
	}
}

// A record is refused, or it says PASS or FAIL of the case that was asked for.
func FuzzReadRecord(f *testing.F) {
	f.Add([]byte(goodRecord))
	f.Add([]byte(`{"case_name":"sig_auth","criteria":"FAIL","details":[1],"installer":null,"version":"v1"}`))
	f.Add([]byte(`{"case_name":"sig_auth","criteria":null}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		record, err := testcases.ReadRecord(fstest.MapFS{testcases.RecordFile: {Data: raw}}, "sig_auth")
		if err != nil {
			return
		}
		if record.CaseName != "sig_auth" || record.Criteria != testcases.CriteriaPass && record.Criteria != testcases.CriteriaFail {
			t.Errorf("record %+v", record)
		}
		if _, err := withLinks(record.Details, []string{"a"}); err != nil {
			t.Errorf("details %s: %v", record.Details, err)
		}
	})
}
