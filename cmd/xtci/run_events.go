package main

import (
	"encoding/json"
	"io"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases/runner"
)

// Events are what happens in a campaign, for programs: one JSON object a line
// (docs/run.md). Nil is when nobody wants them.
type events struct {
	mu sync.Mutex
	w  io.Writer
}

// events are those of a command, if JSON is wanted of it. A reader that goes
// away does not end the campaign, then.
func (a *app) events() *events {
	if !a.json() {
		return nil
	}
	signal.Ignore(syscall.SIGPIPE)
	return &events{w: a.out}
}

// An eventKind says what a line is about.
type eventKind string

const (
	eventCampaign eventKind = "campaign" // it begins
	eventImage    eventKind = "image"    // an image is got
	eventPhase    eventKind = "phase"    // a phase begins, in Jenkins
	eventCase     eventKind = "case"     // a case begins, or ends
	eventProgress eventKind = "progress" // how far a running e2e case is
	eventWaiting  eventKind = "waiting"  // something does not answer, and is waited for
	eventBack     eventKind = "back"     // it answers again
	eventStopping eventKind = "stopping" // an interrupt was understood
	eventEnd      eventKind = "end"      // it has ended
)

// A runEvent is one of the lines. What does not belong to its kind is left
// out.
type runEvent struct {
	Time     time.Time `json:"time"`
	Kind     eventKind `json:"event"`
	BuildTag string    `json:"build_tag,omitempty"`
	// Results is where results go: folder, stack or jenkins.
	Results string `json:"results,omitempty"`

	Image string `json:"image,omitempty"`
	Phase string `json:"phase,omitempty"`
	Case  string `json:"case,omitempty"`
	Job   string `json:"job,omitempty"`
	Build int    `json:"build,omitempty"`
	State string `json:"state,omitempty"`
	// Again says that a case that ended is run once more.
	Again  bool   `json:"again,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Elapsed and Expected are in seconds.
	Elapsed  float64 `json:"elapsed,omitempty"`
	Expected float64 `json:"expected,omitempty"`
	// Done of Total are jobs of the campaign, or bytes of an image.
	Done  int64 `json:"done,omitempty"`
	Total int64 `json:"total,omitempty"`
	// Passed and Failed of Selected are specs of an e2e case.
	Passed   int `json:"passed,omitempty"`
	Failed   int `json:"failed,omitempty"`
	Selected int `json:"selected,omitempty"`
	// End is how a campaign ended.
	*campaignEnd
}

// A campaignEnd is the last line.
type campaignEnd struct {
	Jobs    endedJobs `json:"jobs"`
	Stopped string    `json:"stopped,omitempty"` // the phase whose failure ended it
	Result  string    `json:"result,omitempty"`  // Jenkins' own
	*archived
}

// EndedJobs counts jobs by how they ended.
type endedJobs struct {
	Passed int `json:"passed"`
	Failed int `json:"failed"`
	NotRun int `json:"not_run"`
}

// end writes the last line. Without an archive there is no verdict.
func (e *events) end(tag string, summary runner.Summary, made *archived) {
	e.send(runEvent{Kind: eventEnd, BuildTag: tag, campaignEnd: &campaignEnd{
		Jobs: endedJobs{summary.Passed, summary.Failed, summary.NotRun}, Stopped: summary.Stopped, archived: made,
	}})
}

// send writes a line. One that cannot be written is not missed: what counts
// is in the journal and in the archive.
func (e *events) send(event runEvent) {
	if e == nil {
		return
	}
	event.Time = time.Now().UTC()
	text, err := json.Marshal(event)
	if err != nil {
		return // there is nothing in it that JSON cannot say
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	_, _ = io.WriteString(e.w, term.Escape(string(text))+"\n")
}

// board is where a person sees the same: nowhere, when a program listens.
func (a *app) board() *term.Board {
	if a.json() {
		return term.NewBoard(io.Discard)
	}
	return term.NewBoard(a.err)
}
