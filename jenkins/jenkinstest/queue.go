package jenkinstest

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// randomTag is a default of the random-string parameter: 12 of [0-9A-Z].
func randomTag() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	random := make([]byte, 12)
	rand.Read(random)
	for i, b := range random {
		random[i] = digits[int(b)%len(digits)]
	}
	return string(random)
}

// A state of a queue item.
type state int

const (
	waiting   state = iota // in the quiet period
	blocked                // something must end first
	buildable              // for an executor
	left                   // a build was made of it, or it was cancelled
)

// An item waits in the queue for its build.
type item struct {
	id        int
	job       *job
	params    []param
	slot      *slot // of the MultiJob that started it, or nil
	causes    []cause
	since     time.Time
	due       time.Time // end of the quiet period
	ready     time.Time // since when it is no longer waiting
	state     state
	why       string
	cancelled bool
	build     *build
	gone      chan struct{} // closed when it left the queue
}

// A slot is a place in a phase of a MultiJob's build.
type slot struct {
	job           string
	number, index int
}

// A cause says why there is a build.
type cause struct {
	User       string
	Upstream   string // a job
	UpstreamNo int
	Origin     []cause `json:",omitempty"` // of the upstream build
}

// schedule puts a build of a job into the queue. An item with the same
// parameters that is still there is returned instead. The caller has the lock.
func (s *Server) schedule(j *job, params []param, place *slot, quiet time.Duration, why cause) *item {
	now := time.Now()
	for _, i := range s.queue {
		if i.job == j && slices.Equal(i.params, params) && (place == nil || i.slot == nil || *place == *i.slot) {
			if due := now.Add(quiet); i.state == waiting && due.Before(i.due) {
				i.due = due
			}
			i.causes = append(i.causes, why)
			s.maintain()
			return i
		}
	}
	s.lastItem++
	i := &item{
		id: s.lastItem, job: j, params: params, slot: place, causes: []cause{why},
		since: now, due: now.Add(quiet), gone: make(chan struct{}),
	}
	s.items[i.id] = i
	s.queue = append(s.queue, i)
	s.maintain()
	return i
}

// cancel takes an item out of the queue. The caller has the lock.
func (s *Server) cancel(i *item) bool {
	if i.state == left {
		return false
	}
	i.cancelled = true
	s.leave(i)
	return true
}

func (s *Server) leave(i *item) {
	i.state, i.why = left, ""
	s.queue = slices.DeleteFunc(s.queue, func(other *item) bool { return other == i })
	close(i.gone)
}

// maintain moves items on: out of the quiet period, out of what blocks them,
// onto an executor. The caller has the lock.
func (s *Server) maintain() {
	if s.stopping {
		return
	}
	now := time.Now()
	var next time.Time // when the next quiet period ends
	for _, i := range slices.Clone(s.queue) {
		if i.state == waiting && now.Before(i.due) {
			if next.IsZero() || i.due.Before(next) {
				next = i.due
			}
			continue
		}
		if i.state == waiting {
			i.ready = now
		}
		if i.why = s.blockedBy(i); i.why != "" {
			i.state = blocked
			continue
		}
		i.state, i.why = buildable, s.starved(i)
	}
	ready := slices.DeleteFunc(slices.Clone(s.queue), func(i *item) bool { return i.state != buildable })
	slices.SortStableFunc(ready, func(a, b *item) int { return a.ready.Compare(b.ready) })
	for _, i := range ready {
		// What has just been started may block the next.
		if why := s.blockedBy(i); why != "" {
			i.state, i.why = blocked, why
			continue
		}
		if i.why = s.starved(i); i.why == "" {
			s.begin(i)
		}
	}
	if !next.IsZero() {
		time.AfterFunc(time.Until(next)+time.Millisecond, s.locked(s.maintain))
	}
}

// locked returns the function with the lock around it.
func (s *Server) locked(do func()) func() {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		do()
	}
}

// blockedBy says why an item is blocked, or nothing.
func (s *Server) blockedBy(i *item) string {
	if b := i.job.running(); b != nil && i.job.config.value("concurrentBuild") != "true" {
		return fmt.Sprintf("Build #%d is already in progress (ETA: %s)", b.number, b.eta())
	}
	for _, e := range i.job.blockers() {
		for _, j := range s.sortedJobs() {
			if e.MatchString(j.name) && j.running() != nil {
				return fmt.Sprintf("Blocked for %s by %s.", spanText(time.Since(i.since)), j.name)
			}
		}
	}
	return ""
}

// starved says what a buildable item waits for, or nothing.
func (s *Server) starved(i *item) string {
	switch wanted := label(i.params); {
	case s.quieting:
		return "Jenkins is about to shut down"
	case wanted != "" && wanted != "built-in" && wanted != "master":
		return fmt.Sprintf("There are no nodes with the label ‘%s’", wanted)
	case s.busy() >= s.o.Executors:
		return "Waiting for next available executor"
	}
	return ""
}

// busy counts the executors that are taken. A MultiJob takes one itself.
func (s *Server) busy() int {
	n := 0
	for _, taken := range s.executors {
		if taken {
			n++
		}
	}
	return n
}

// begin makes a build of an item and starts it. The caller has the lock.
func (s *Server) begin(i *item) {
	j := i.job
	b := &build{
		job: j, number: j.next, queueID: i.id, params: i.params, handed: i.slot != nil && len(i.params) > 0, causes: i.causes,
		timestamp: time.Now(), building: true, inProgress: true,
		stop: make(chan struct{}), done: make(chan struct{}), estimated: j.estimate(),
	}
	j.next++
	for n, taken := range s.executors {
		if !taken {
			s.executors[n], b.executor = true, n
			break
		}
	}
	j.builds = append(j.builds, b)
	i.build = b
	s.leave(i)
	s.keepNumber(j)
	s.running.Go(func() { s.run(b) })
}

// spanText is a duration as Jenkins writes it.
func spanText(d time.Duration) string {
	ms := d.Milliseconds()
	seconds, minutes, hours := ms/1000, ms/60_000, ms/3_600_000
	switch {
	case hours > 0:
		return fmt.Sprintf("%d hr %d min", hours, minutes%60)
	case minutes >= 10:
		return fmt.Sprintf("%d min", minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d sec", minutes, seconds%60)
	case seconds >= 10:
		return fmt.Sprintf("%d sec", seconds)
	case seconds >= 1:
		return fmt.Sprintf("%d.%d sec", seconds, ms%1000/100)
	case ms >= 100:
		return fmt.Sprintf("%s sec", trimZeros(fmt.Sprintf("%.2f", float64(ms/10)/100)))
	}
	return fmt.Sprintf("%d ms", max(ms, 0))
}

func trimZeros(number string) string {
	for number[len(number)-1] == '0' && number[len(number)-2] != '.' {
		number = number[:len(number)-1]
	}
	return number
}
