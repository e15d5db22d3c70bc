package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/anuket-project/xtci/testcases"
)

func TestJournalIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "if need be")
	written, err := NewJournal(dir, tag, testcases.Provenance{Tool: "xtci v1", Release: "v1.23", SiteDigest: "sha256:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer written.Close()
	job := planOf("a").Jobs()[0]
	for want := 1; want < 3; want++ {
		if build, err := written.begin(job); err != nil || build != want {
			t.Fatalf("build %d, %v, want %d", build, err, want)
		}
	}
	if err := errors.Join(written.end(job, StateFailed, "why"), written.finish()); err != nil {
		t.Fatal(err)
	}
	read, err := OpenJournal(dir, tag)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, read, cmpopts.IgnoreUnexported(Journal{})); diff != "" {
		t.Errorf("journal (-written +read):\n%s", diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("want the journal and its lock alone: %v %v", entries, err)
	}
}

func TestOneProcessRunsACampaign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ResumeJournal(dir, tag); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("resume before it began: %v", err)
	}
	first, err := NewJournal(dir, tag, testcases.Provenance{})
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (*Journal, error){
		"new":    func() (*Journal, error) { return NewJournal(dir, tag, testcases.Provenance{}) },
		"resume": func() (*Journal, error) { return ResumeJournal(dir, tag) },
	} {
		if _, err := open(); !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), tag) {
			t.Errorf("%s while it runs: %v", name, err)
		}
	}
	if _, err := OpenJournal(dir, tag); err != nil {
		t.Errorf("who only reads need not wait: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewJournal(dir, tag, testcases.Provenance{}); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), tag) {
		t.Errorf("new when it was begun: %v", err)
	}
	again, err := ResumeJournal(dir, tag)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// A program that is being started has the files of who starts it for a moment.
func TestAnEndedCampaignIsUnlocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	journal, err := NewJournal(dir, tag, testcases.Provenance{})
	if err != nil {
		t.Fatal(err)
	}
	cat := exec.CommandContext(t.Context(), "cat")
	cat.ExtraFiles = []*os.File{journal.locked}
	input, err := cat.StdinPipe()
	if err == nil {
		err = cat.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := ResumeJournal(dir, tag); err != nil {
		t.Error(err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
	if err := errors.Join(input.Close(), cat.Wait()); err != nil {
		t.Error(err)
	}
}

func TestOneOfManyBegins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	journals := make([]*Journal, 8)
	errs := make([]error, len(journals))
	var group sync.WaitGroup
	for i := range journals {
		group.Go(func() { journals[i], errs[i] = NewJournal(dir, tag, testcases.Provenance{}) })
	}
	group.Wait()
	begun := 0
	for i, err := range errs {
		if err == nil {
			begun++
			defer journals[i].Close()
		} else if !errors.Is(err, ErrRunning) && !errors.Is(err, ErrExists) {
			t.Error(err)
		}
	}
	if begun != 1 {
		t.Errorf("%d began the campaign, want 1", begun)
	}
}

func TestDamagedJournalsAreRefused(t *testing.T) {
	t.Parallel()
	const good = `{"tag":"` + tag + `","provenance":{},"started":"2026-11-23T20:00:00Z","jobs":{"job-a":{"case":"a","build":1,"state":"passed","started":"2026-11-23T20:00:00Z"}}}`
	for _, test := range []struct{ name, journal, want string }{
		{name: "a good one", journal: good},
		{name: "empty", want: "damaged: EOF"},
		{name: "cut off", journal: good[:len(good)/2], want: "damaged: unexpected EOF"},
		{name: "no JSON", journal: "hello", want: "damaged: invalid character"},
		{name: "null", journal: "null", want: `it is of campaign "", not of ` + tag},
		{name: "twice", journal: good + good, want: "something follows its end"},
		{name: "of another campaign", journal: strings.Replace(good, tag, "ANOTHER1", 1), want: `it is of campaign "ANOTHER1", not of ` + tag},
		{name: "without jobs", journal: `{"tag":"` + tag + `"}`, want: "it has no jobs"},
		{name: "an unknown field", journal: strings.Replace(good, `"case"`, `"kase"`, 1), want: `unknown field "kase"`},
		{name: "an unknown state", journal: strings.Replace(good, "passed", "conformant", 1), want: `build 1 of job "job-a" is "conformant"`},
		{name: "a state that is not noted", journal: strings.Replace(good, "passed", "", 1), want: `is ""`},
		{name: "a build that never was", journal: strings.Replace(good, `"build":1`, `"build":-1`, 1), want: `build -1 of job "job-a"`},
		{name: "too large", journal: strings.Repeat(" ", maxJournal+1), want: "larger than 16 MiB"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, tag+".json")
			if err := os.WriteFile(file, []byte(test.journal), 0o600); err != nil {
				t.Fatal(err)
			}
			for name, open := range map[string]func(string, string) (*Journal, error){"open": OpenJournal, "resume": ResumeJournal} {
				journal, err := open(dir, tag)
				if test.want == "" {
					if err != nil {
						t.Errorf("%s: %v", name, err)
					} else {
						journal.Close()
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file) {
					t.Errorf("%s: got %v, want an error that names %s and says %q", name, err, file, test.want)
				}
			}
		})
	}
}

func TestAJournalThatCannotBeMade(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := NewJournal(filepath.Join(file, "campaigns"), tag, testcases.Provenance{})
	if err == nil || !strings.Contains(err.Error(), "--set stack.prefix=FOLDER") {
		t.Errorf("got %v, want advice", err)
	}
}

// A journal is refused, or it is one that a run can go on with.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(`{"tag":"RUNTEST1","jobs":{}}`))
	f.Add([]byte(`{"tag":"RUNTEST1","provenance":{"tool":"x"},"started":"2026-11-23T20:00:00Z","jobs":{"j":{"case":"a","build":2,"state":"running"}}}`))
	f.Add([]byte(`{"tag":"RUNTEST1","jobs":{"j":{"build":0}}}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		journal, err := readJournal(bytes.NewReader(raw), tag)
		if err != nil {
			return
		}
		written, err := json.Marshal(journal)
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		again, err := readJournal(bytes.NewReader(written), tag)
		if err != nil {
			t.Fatalf("what was written is refused: %v\n%s", err, written)
		}
		if diff := cmp.Diff(journal, again, cmpopts.IgnoreUnexported(Journal{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
	})
}
