package runner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// InStack says that results go to the stack's services, and not to the
	// store of the host.
	InStack bool `json:"in_stack,omitempty"`

	file   string
	locked *os.File
	mu     sync.Mutex
}

// A JournalJob is one job in the journal.
type JournalJob struct {
	Case    string    `json:"case"`
	Build   int       `json:"build"`
	State   State     `json:"state"`
	Detail  string    `json:"detail,omitempty"`
	Started time.Time `json:"started"`
	Stopped time.Time `json:"stopped,omitzero"`
	// Earlier are its runs that ended without a pass before it was run again,
	// the oldest first. They have no earlier ones themselves.
	Earlier []JournalJob `json:"earlier,omitempty"`
}

// Errors of journals that cannot be had.
var (
	ErrExists  = errors.New("it was begun before: go on with it (--resume), or choose another build tag (--tag)")
	ErrRunning = errors.New("another process runs it: wait until that has ended, or stop it")
)

func journalFile(dir, tag string) string { return filepath.Join(dir, tag+".json") }

// NewJournal begins the journal of a campaign in the folder dir. Until it is
// closed, no other process can run the campaign.
func NewJournal(dir, tag string, provenance testcases.Provenance) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder for journals: %w (choose another with --set stack.prefix=FOLDER)", err)
	}
	locked, err := lockCampaign(dir, tag)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		Tag: tag, Provenance: provenance, Started: time.Now().UTC(), Jobs: map[string]JournalJob{},
		file: journalFile(dir, tag), locked: locked,
	}
	if _, err = os.Stat(j.file); errors.Is(err, fs.ErrNotExist) {
		err = j.save()
	} else {
		err = errors.Join(fmt.Errorf("campaign %s: %w", tag, ErrExists), err)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// ResumeJournal opens the journal of a campaign to go on with. Until it is
// closed, no other process can run the campaign. One that is not there is an
// error that wraps fs.ErrNotExist.
func ResumeJournal(dir, tag string) (*Journal, error) {
	if _, err := os.Stat(journalFile(dir, tag)); err != nil {
		return nil, err
	}
	locked, err := lockCampaign(dir, tag)
	if err != nil {
		return nil, err
	}
	j, err := OpenJournal(dir, tag)
	if err != nil {
		return nil, errors.Join(err, locked.Close())
	}
	j.locked = locked
	return j, nil
}

// lockCampaign makes this process the only one that runs a campaign. The lock
// ends with the process, however that ends.
func lockCampaign(dir, tag string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, tag+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock campaign %s: %w", tag, err)
	}
	if err := lockFile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("lock campaign %s: %w", tag, err), file.Close())
	}
	return file, nil
}

// Close lets others run the campaign.
func (j *Journal) Close() error {
	if j.locked == nil {
		return nil
	}
	locked := j.locked
	j.locked = nil
	return unlockFile(locked)
}

// maxJournal is the largest journal that is read: 25 jobs take 10 kB.
const maxJournal = 16 << 20

// OpenJournal reads the journal of a campaign. One that is not there is an
// error that wraps fs.ErrNotExist.
func OpenJournal(dir, tag string) (*Journal, error) {
	name := journalFile(dir, tag)
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	j, err := readJournal(file, tag)
	if err != nil {
		return nil, fmt.Errorf("journal %s: %w", name, err)
	}
	j.file = name
	return j, nil
}

// readJournal reads a journal and refuses what no run writes.
func readJournal(r io.Reader, tag string) (*Journal, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxJournal+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxJournal {
		return nil, fmt.Errorf("larger than %d MiB: not a journal", maxJournal>>20)
	}
	j := &Journal{}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(j); err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	if len(bytes.TrimSpace(raw[decoder.InputOffset():])) > 0 {
		return nil, errors.New("damaged: something follows its end")
	}
	if j.Tag != tag {
		return nil, fmt.Errorf("it is of campaign %q, not of %s", j.Tag, tag)
	}
	if j.Jobs == nil {
		return nil, errors.New("damaged: it has no jobs")
	}
	for name, job := range j.Jobs {
		for _, build := range append(slices.Clone(job.Earlier), job) {
			if !slices.Contains(notedStates, build.State) || build.Build < 1 {
				return nil, fmt.Errorf("damaged: build %d of job %q is %q", build.Build, name, build.State)
			}
		}
	}
	return j, nil
}

// notedStates are those that a journal can hold: who waits is not in it.
var notedStates = []State{StateRunning, StatePassed, StateFailed, StateNotRun}

// Declare changes what the journal says of where the campaign comes from.
func (j *Journal) Declare(change func(*testcases.Provenance)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.Provenance)
	return j.save()
}

// Begun says whether a job of the campaign was ever begun.
func (j *Journal) Begun() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.Jobs) > 0
}

// Discard removes the journal of a campaign of which nothing was begun.
func (j *Journal) Discard() error {
	if err := os.Remove(j.file); err != nil {
		return fmt.Errorf("discard the journal: %w", err)
	}
	return nil
}

// ToStack notes that results go to the stack's services.
func (j *Journal) ToStack() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.InStack = true
	return j.save()
}

// Declared is what the journal says of where the campaign comes from, with
// when each container ran.
func (j *Journal) Declared() testcases.Provenance {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.Provenance
	p.Runs = nil
	for name, job := range j.Jobs {
		for _, build := range append(slices.Clone(job.Earlier), job) {
			run := testcases.RunTimes{Case: build.Case, Job: name, Build: build.Build, Started: build.Started, Stopped: build.Stopped, Detail: cut(build.Detail)}
			if build.State != StateRunning {
				run.State = string(build.State)
			}
			p.Runs = append(p.Runs, run)
		}
	}
	slices.SortFunc(p.Runs, func(a, b testcases.RunTimes) int {
		return cmp.Or(a.Started.Compare(b.Started), strings.Compare(a.Job, b.Job), a.Build-b.Build)
	})
	return p
}

// maxDetail is how much of a detail the provenance says: it is one of many, and
// what containers left can be named in it.
const maxDetail = 1000

func cut(detail string) string {
	if len(detail) <= maxDetail {
		return detail
	}
	return strings.ToValidUTF8(detail[:maxDetail], "") + "..."
}

// State returns how far a job is.
func (j *Journal) State(job string) State { return j.job(job).State }

func (j *Journal) job(name string) JournalJob {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.Jobs[name]
}

// begin notes that a job starts, and returns the number of this build.
func (j *Journal) begin(job testcases.Job) (build int, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.Jobs[job.Name]
	build = last.Build + 1
	earlier := last.Earlier
	if last.State.Ended() || last.State == StateNotRun {
		last.Earlier = nil
		earlier = append(slices.Clone(earlier), last)
	}
	j.Stopped = time.Time{} // it goes on
	j.Jobs[job.Name] = JournalJob{Case: job.Case.Name, Build: build, State: StateRunning, Started: time.Now().UTC(), Earlier: earlier}
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
