package runner

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

// livePoll is how often it is looked how far a running case is.
const livePoll = time.Second

// Live is how far a running e2e case is, by the log that it writes.
type Live struct{ Passed, Failed int }

// e2e.test ends each spec with a line of JSON that begins so, after what
// ginkgo may have put before it (as seen in logs of v1.18 to v1.23).
var (
	livePassed = []byte(`{"msg":"PASSED `)
	liveFailed = []byte(`{"msg":"FAILED `)
)

// liveLog is a log that is read while it is written.
type liveLog struct {
	file   string
	offset int64
	rest   []byte // the beginning of a line, not yet whole
	counts Live
}

const (
	liveChunk = 1 << 20
	// maxLiveLine is how much of a line without an end is kept: what is
	// looked for stands at its beginning.
	maxLiveLine = 64 << 10
)

// read counts what was written since. A log that is not there yet, or cannot
// be read, has nothing new: it is only about what a person sees.
func (l *liveLog) read() Live {
	file, err := os.Open(l.file)
	if err != nil {
		return l.counts
	}
	defer file.Close()
	text, err := io.ReadAll(io.NewSectionReader(file, l.offset, liveChunk))
	if err != nil {
		return l.counts
	}
	l.offset += int64(len(text))
	text = append(l.rest, text...)
	end := bytes.LastIndexByte(text, '\n') + 1
	l.counts.Passed += bytes.Count(text[:end], livePassed)
	l.counts.Failed += bytes.Count(text[:end], liveFailed)
	l.rest = bytes.Clone(text[end:])
	if len(l.rest) > maxLiveLine {
		l.rest = nil
	}
	return l.counts
}

// watch tells of a case's progress until the context ends.
func (d *Docker) watch(ctx context.Context, job testcases.Job, folder string) {
	if d.Progress == nil {
		return
	}
	log := liveLog{file: filepath.Join(folder, job.Case.Name, "e2e.log")}
	last := Live{}
	tick := time.NewTicker(livePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := log.read(); now != last {
			last = now
			d.Progress(job, now)
		}
	}
}
