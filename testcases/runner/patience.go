package runner

import (
	"context"
	"time"
)

const (
	// awayTime is how long a part of the toolchain that does not answer is
	// waited for: a restart takes seconds, an upgrade some minutes.
	awayTime = 5 * time.Minute
	awayPoll = time.Second
)

// patience waits for what does not answer, again and again, but not for ever.
type patience struct {
	tell  func(why error)
	since time.Time // the first time that it did not answer
}

// wait waits a moment, and says whether it is worth another try.
func (p *patience) wait(ctx context.Context, why error) bool {
	if p.since.IsZero() {
		p.since = time.Now()
		p.tell(why)
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(awayPoll):
		return time.Since(p.since) < awayTime
	}
}

// try does something until it works, or fails by what waiting does not mend.
func (p *patience) try(ctx context.Context, mends func(error) bool, do func() error) error {
	for {
		if err := do(); err == nil || !mends(err) || !p.wait(ctx, err) {
			return err
		}
	}
}
