// Package runner runs a plan without Jenkins: phase by phase, with an
// executor that runs a test container, or feeds what one left earlier. Files
// go to a store, records to the campaign's index, and a journal keeps how far
// it came, so that an interrupted campaign can go on.
package runner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// An Executor runs one job and returns what it left. An error means that the
// test could not be run, or that it cannot be told what became of it, and not
// that it failed: files that there are all the same are kept.
type Executor interface {
	Execute(ctx context.Context, job testcases.Job, build Build) (Result, error)
}

// A Build is one run of a job of a campaign.
type Build struct {
	Tag    string
	Number int // from 1 on, for each job
}

// Folder is where the files of the build are kept (spec/jobs.md).
func (b Build) Folder(job testcases.Job) string {
	return path.Join(b.Tag, job.Name+"-"+strconv.Itoa(b.Number))
}

// A Result is what a job left: files, as they lay in its results folder, and
// the record that it pushed, if it pushed one.
type Result struct {
	Files  []File
	Record *testcases.Record
	// Detail says what went wrong with its container, if something did.
	Detail string
	// Release, if not nil, is called when all has been kept, and not when
	// some of it could not be.
	Release func() error
}

// A File is one file of a results folder, and how to read it.
type File struct {
	Name string // slash-separated, relative to the results folder
	Open func() (io.ReadCloser, error)
}

// Files is where the files of a campaign go.
type Files interface {
	Put(ctx context.Context, key string, r io.Reader) error
}

// Index is where the records of a campaign go.
type Index interface {
	Add(ctx context.Context, record testcases.Record) error
	// Find returns the record with that id, or nil when there is none.
	Find(ctx context.Context, id string) (*testcases.Record, error)
}

// Options are what a run needs.
type Options struct {
	Plan     testcases.Plan
	Executor Executor
	Files    Files
	Index    Index
	Journal  *Journal
	// Drain, once closed, lets what runs go on to its end, and begins no
	// more. Run returns ErrDrained then, unless all jobs were done.
	Drain <-chan struct{}
	// KeepGoing runs the remaining phases after one failed.
	KeepGoing bool
	// Retries is how often a job that did not pass is run again, with all
	// that it left before kept beside.
	Retries int
	// Events, if not nil, is told of every job's progress. It may be called
	// by several goroutines at once.
	Events func(Event)
	// Mends, if not nil, says of an error of Files whether waiting may mend
	// it: the file is tried again then, for some minutes.
	Mends func(error) bool
	// Waiting, if not nil, is told what is waited for. It may be called by
	// several goroutines at once.
	Waiting func(job testcases.Job, why error)
}

// An Event is one step of one job.
type Event struct {
	Job   testcases.Job
	State State
	// Phase is the number of the job's phase, Done and Total count jobs.
	Phase, Done, Total int
	Elapsed            time.Duration
	Detail             string // why it could not be run
	Build              int    // the number of this run of the job
	// Again says that this run was not the last: the job is run once more.
	Again bool
}

// Summary counts the jobs of a run by how they ended.
type Summary struct {
	Passed, Failed, NotRun int
	// Stopped names the failed phase that ended the campaign, if one did.
	Stopped string
}

// Good says whether every job ran and recorded PASS.
func (s Summary) Good() bool { return s.Failed == 0 && s.NotRun == 0 }

// ErrDrained is that a campaign was stopped between jobs.
var ErrDrained = fmt.Errorf("stopped before all was run: %w", context.Canceled)

// Run runs the plan's jobs that the journal does not have as done. The
// summary is of all jobs, whenever they ran. When ctx ends, Run stops at once
// and returns its error: the journal is such that the campaign can go on.
func Run(ctx context.Context, o Options) (Summary, error) {
	r := &run{Options: o, total: len(o.Plan.Jobs())}
	var summary Summary
	for number, phase := range o.Plan.Phases {
		if summary.Stopped != "" {
			summary.NotRun += len(phase.Jobs)
			continue
		}
		if err := r.phase(ctx, number+1, phase); err != nil {
			if errors.Is(err, ErrDrained) { // what ran counts
				for _, left := range o.Plan.Phases[number:] {
					r.tally(left, &summary)
				}
			}
			return summary, err
		}
		failed := r.tally(phase, &summary)
		if failed && !o.KeepGoing {
			summary.Stopped = phase.Name
		}
	}
	return summary, o.Journal.finish()
}

type run struct {
	Options
	total int
	mu    sync.Mutex
	done  int
}

// phase runs the jobs of one phase, and returns an error only when the
// campaign cannot go on: interrupted, or results could not be kept.
func (r *run) phase(ctx context.Context, number int, phase testcases.PlanPhase) error {
	if phase.Sequential {
		for _, job := range phase.Jobs {
			if err := r.job(ctx, number, job); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(phase.Jobs))
	var group sync.WaitGroup
	for i, job := range phase.Jobs {
		group.Go(func() { errs[i] = r.job(ctx, number, job) })
	}
	group.Wait()
	cause := context.Cause(ctx)
	if cause == nil && slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, ErrDrained) }) {
		cause = ErrDrained
	}
	if cause != nil { // said once, not once a job
		errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, cause) })
		errs = append(errs, fmt.Errorf("during %s: %w", phase.Name, cause))
	}
	return errors.Join(errs...)
}

// tally adds the jobs of a phase to the summary.
func (r *run) tally(phase testcases.PlanPhase, summary *Summary) (failed bool) {
	for _, job := range phase.Jobs {
		switch r.Journal.State(job.Name) {
		case StatePassed:
			summary.Passed++
		case StateFailed:
			summary.Failed++
			failed = true
		default:
			summary.NotRun++
			failed = true
		}
	}
	return failed
}

func (r *run) job(ctx context.Context, phase int, job testcases.Job) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("before %s: %w", job.Case.Name, err)
	}
	if err := r.settle(ctx, job); err != nil {
		return err
	}
	entry := r.Journal.job(job.Name)
	if entry.State.Ended() && !r.again(entry) {
		r.tell(Event{Job: job, State: entry.State, Phase: phase, Detail: "done earlier", Build: entry.Build})
		return nil
	}
	for {
		if err := r.attempt(ctx, phase, job); err != nil {
			return err
		}
		if !r.again(r.Journal.job(job.Name)) {
			return nil
		}
	}
}

// again says whether a job that has ended is to be run once more.
func (r *run) again(entry JournalJob) bool {
	return entry.State != StatePassed && len(entry.Earlier) < r.Retries
}

// attempt runs a job once.
func (r *run) attempt(ctx context.Context, phase int, job testcases.Job) error {
	select {
	case <-r.Drain:
		return fmt.Errorf("before %s: %w", job.Case.Name, ErrDrained)
	default:
	}
	build, err := r.Journal.begin(job)
	if err != nil {
		return err
	}
	r.tell(Event{Job: job, State: StateRunning, Phase: phase, Build: build})
	started := time.Now()
	state, detail, err := r.execute(ctx, job, build)
	if cause := context.Cause(ctx); err != nil && cause != nil && errors.Is(err, cause) {
		return fmt.Errorf("during %s: %w", job.Case.Name, cause) // where in it does not matter
	}
	if err != nil {
		return err
	}
	if err := r.Journal.end(job, state, detail); err != nil {
		return err
	}
	r.tell(Event{
		Job: job, State: state, Phase: phase, Elapsed: time.Since(started), Detail: detail,
		Build: build, Again: r.again(r.Journal.job(job.Name)),
	})
	return nil
}

// settle ends a job in the journal whose record was kept just before an
// interrupt: it is done, and must not be run and recorded again.
func (r *run) settle(ctx context.Context, job testcases.Job) error {
	entry := r.Journal.job(job.Name)
	if entry.State != StateRunning {
		return nil
	}
	record, err := r.Index.Find(ctx, recordID(r.build(entry.Build).Folder(job)))
	if err != nil {
		return fmt.Errorf("look for the record of %s: %w", job.Name, err)
	}
	if record == nil {
		return nil
	}
	return r.Journal.end(job, recordedState(record), "")
}

func (r *run) build(number int) Build { return Build{r.Journal.Tag, number} }

// recordID names the record of the build with that folder, by as many
// hexadecimal digits as TestAPI's ids have.
func recordID(folder string) string {
	const objectID = 12
	sum := sha256.Sum256([]byte(folder))
	return hex.EncodeToString(sum[:objectID])
}

func recordedState(record *testcases.Record) State {
	if record.Criteria == testcases.CriteriaPass {
		return StatePassed
	}
	return StateFailed
}

// execute runs a job and keeps what it left. Results that cannot be kept end
// the campaign: they would be lost.
func (r *run) execute(ctx context.Context, job testcases.Job, number int) (state State, detail string, err error) {
	build := r.build(number)
	folder := build.Folder(job)
	result, why := r.Executor.Execute(ctx, job, build)
	if cause := context.Cause(ctx); cause != nil {
		return "", "", cause
	}
	links, broken, err := r.keep(ctx, job, folder, result.Files)
	if err != nil {
		return "", "", fmt.Errorf("keep the files of %s: %w", job.Name, err)
	}
	if why = errors.Join(why, broken); why != nil {
		state, detail = StateNotRun, why.Error()
	} else if state, detail, err = r.keepRecord(ctx, job, folder, result, links); err != nil {
		return "", "", err
	}
	if broken == nil && result.Release != nil {
		if err := result.Release(); err != nil && detail == "" {
			detail = "what it left could not be removed: " + err.Error()
		}
	}
	return state, detail, nil
}

// keepRecord keeps the record of a job, with links to its files.
func (r *run) keepRecord(ctx context.Context, job testcases.Job, folder string, result Result, links []string) (state State, detail string, err error) {
	if result.Record == nil {
		if result.Detail == "" {
			result.Detail = "it pushed no record"
		}
		return StateFailed, result.Detail, nil
	}
	record := *result.Record
	record.ID = recordID(folder) // whoever recorded it had an index of its own
	if record.Details, err = withLinks(record.Details, links); err != nil {
		return "", "", fmt.Errorf("record of %s: %w", job.Name, err)
	}
	if err := r.Index.Add(ctx, record); err != nil {
		return "", "", fmt.Errorf("keep the record of %s: %w", job.Name, err)
	}
	return recordedState(&record), result.Detail, nil
}

// keep stores all files of a job and returns their keys. Those that cannot be
// kept because of what they are do not keep the others from it: they are
// named in a file beside these, so that the case cannot pass without them,
// and in broken.
func (r *run) keep(ctx context.Context, job testcases.Job, folder string, files []File) (keys []string, broken, err error) {
	var names strings.Builder
	put := func(file File) error {
		key := path.Join(folder, file.Name)
		if err := r.keepFile(ctx, job, key, file); err != nil {
			return err
		}
		keys = append(keys, key)
		return nil
	}
	for _, file := range files {
		err := put(file)
		if bad, ok := errors.AsType[*fileError](err); ok {
			fmt.Fprintf(&names, "%+q: %+q\n", bad.file, bad.err.Error())
			if broken == nil {
				broken = bad
			}
		} else if err != nil {
			return nil, nil, err
		}
	}
	if broken != nil {
		err = put(File{Name: testcases.LeftOutFile, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(names.String())), nil }})
	}
	return keys, broken, err
}

// keepFile stores a file. A store that does not answer, or has no room, is
// waited for: what the job left took it hours.
func (r *run) keepFile(ctx context.Context, job testcases.Job, key string, file File) error {
	away := patience{tell: func(why error) {
		if r.Waiting != nil {
			r.Waiting(job, why)
		}
	}}
	mends := func(err error) bool { return r.Mends != nil && r.Mends(err) }
	err := away.try(ctx, mends, func() error { return r.putFile(ctx, key, file) })
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

func (r *run) putFile(ctx context.Context, key string, file File) error {
	if !fs.ValidPath(file.Name) {
		return &fileError{file.Name, errors.New("its name leads out of the results")}
	}
	content, err := file.Open()
	if err != nil {
		return &fileError{file.Name, err}
	}
	defer content.Close()
	source := &source{Reader: content}
	err = r.Files.Put(ctx, key, source)
	if source.err != nil {
		return &fileError{file.Name, source.err}
	}
	if errors.Is(err, fs.ErrInvalid) { // a name that no store takes
		return &fileError{file.Name, err}
	}
	return err
}

// A source remembers that reading failed: what a job left is broken then, and
// not the store.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// A fileError is a file that a job left and that cannot be kept because of
// what it is.
type fileError struct {
	file string
	err  error
}

func (e *fileError) Error() string { return fmt.Sprintf("its file %q: %v", e.file, e.err) }
func (e *fileError) Unwrap() error { return e.err }

// withLinks puts the links to the files into the record's details, where
// Xtesting has them (spec/testapi-xtesting.md, b.5). Details are free: those
// that are no object stay as they are.
func withLinks(details json.RawMessage, links []string) (json.RawMessage, error) {
	object := map[string]json.RawMessage{}
	if len(details) > 0 && json.Unmarshal(details, &object) != nil {
		return details, nil //nolint:nilerr // not an object, and need not be
	}
	if object == nil { // null
		object = map[string]json.RawMessage{}
	}
	if links == nil {
		links = []string{}
	}
	var err error
	if object["links"], err = json.Marshal(links); err != nil {
		return nil, err
	}
	return json.Marshal(object)
}

func (r *run) tell(event Event) {
	r.mu.Lock()
	if (event.State.Ended() || event.State == StateNotRun) && !event.Again {
		r.done++
	}
	event.Done, event.Total = r.done, r.total
	r.mu.Unlock()
	if r.Events != nil {
		r.Events(event)
	}
}
