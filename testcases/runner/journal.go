package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// A State is how far a job is.
type State string

// States of a job.
const (
	StateWaiting State = ""
	StateRunning State = "running" // or interrupted while it ran
	StatePassed  State = "passed"  // it recorded PASS
	StateFailed  State = "failed"  // it recorded FAIL, or nothing
	StateNotRun  State = "not run" // it could not be run
)

// Ended says whether a job in that state has been run, and need not be again.
func (s State) Ended() bool { return s == StatePassed || s == StateFailed }

// A Journal keeps how far a campaign is, on disk after every step. It is
// where a campaign goes on from after an interrupt, and where its provenance
// comes from.
type Journal struct {
	Tag        string                `json:"tag"`
	Provenance testcases.Provenance  `json:"provenance"`
	Started    time.Time             `json:"started"`
	Stopped    time.Time             `json:"stopped,omitzero"`
	Jobs       map[string]JournalJob `json:"jobs"` // by name

	file string
	mu   sync.Mutex
}

// A JournalJob is one job in the journal.
type JournalJob struct {
	Case    string    `json:"case"`
	Build   int       `json:"build"`
	State   State     `json:"state"`
	Detail  string    `json:"detail,omitempty"`
	Started time.Time `json:"started"`
	Stopped time.Time `json:"stopped,omitzero"`
}

// ErrExists says that a campaign of that build tag was begun before.
var ErrExists = errors.New("a campaign with this build tag was begun before: go on with it (--resume), or choose another tag")

func journalFile(dir, tag string) string { return filepath.Join(dir, tag+".json") }

// NewJournal begins the journal of a campaign in the folder dir.
func NewJournal(dir, tag string, provenance testcases.Provenance) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for journals: %w (choose another with --set stack.prefix=FOLDER)", err)
	}
	j := &Journal{Tag: tag, Provenance: provenance, Started: time.Now().UTC(), Jobs: map[string]JournalJob{}, file: journalFile(dir, tag)}
	if _, err := os.Stat(j.file); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(ErrExists, err)
	}
	return j, j.save()
}

// OpenJournal reads the journal of a campaign. One that is not there is an
// error that wraps fs.ErrNotExist.
func OpenJournal(dir, tag string) (*Journal, error) {
	file := journalFile(dir, tag)
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	j := &Journal{file: file}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(j); err != nil {
		return nil, fmt.Errorf("journal %s: %w", file, err)
	}
	if j.Tag != tag || j.Jobs == nil {
		return nil, fmt.Errorf("journal %s is of campaign %q", file, j.Tag)
	}
	return j, nil
}

// State returns how far a job is.
func (j *Journal) State(job string) State {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Jobs[job].State
}

// begin notes that a job starts, and returns the number of this build.
func (j *Journal) begin(job testcases.Job) (build int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	build = j.Jobs[job.Name].Build + 1
	j.Jobs[job.Name] = JournalJob{Case: job.Case.Name, Build: build, State: StateRunning, Started: time.Now().UTC()}
	return build, j.save()
}

// end notes how a job ended.
func (j *Journal) end(job testcases.Job, state State, detail string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry := j.Jobs[job.Name]
	entry.State, entry.Detail, entry.Stopped = state, detail, time.Now().UTC()
	j.Jobs[job.Name] = entry
	return j.save()
}

// finish notes that the campaign is over.
func (j *Journal) finish() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.Stopped = time.Now().UTC()
	return j.save()
}

// save writes the journal beside its place and renames it: a crash leaves the
// old or the new one.
func (j *Journal) save() error {
	raw, err := json.MarshalIndent(j, "", " ")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(j.file), ".journal-")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer os.Remove(temporary.Name()) // fails when it was renamed
	_, err = temporary.Write(raw)
	if err = errors.Join(err, temporary.Sync(), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), j.file)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}
