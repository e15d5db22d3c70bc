package jenkinstest

import (
	"sync"
	"time"
)

// noKillCondition is what a child without killPhaseOnJobResultCondition leaves
// in the parent's console. Nothing else comes of it.
const noKillCondition = `java.lang.NullPointerException: Cannot invoke "com.tikal.jenkins.plugins.multijob.PhaseJobsConfig$KillPhaseOnJobResultCondition.equals(Object)" because "killCondition" is null`

// A subBuild is a build that a phase of a MultiJob started, or one that was
// taken out of the queue: then there is no build.
type subBuild struct {
	phase   string
	job     string
	build   *build
	aborted bool
}

// A subTask is a job of a phase.
type subTask struct {
	name       string
	job        *job
	currParams bool
	kill       string
	abortAll   bool
	slot       int // its place in the phase

	item      *item // in the queue; nil before it is there
	once      sync.Once
	cancelled chan struct{}
	ended     chan struct{} // closed when its worker is through
	result    string        // empty if there was no end
}

// cancel asks the worker to abort the job once it runs. It stays in the queue
// until then.
func (t *subTask) cancel() { t.once.Do(func() { close(t.cancelled) }) }

// phase runs a phase of a MultiJob and says whether the next ones may run.
func (s *Server) phase(b *build, step *node) (goOn bool) {
	name, tasks := step.value("phaseName"), s.subTasks(b, step)
	sequential := step.value("executionType") == "SEQUENTIALLY"
	var through bool
	if sequential {
		tasks, through = s.sequential(b, name, tasks)
	} else {
		through = s.parallel(b, name, tasks)
	}
	if !through {
		return false
	}
	if sequential {
		for _, t := range tasks { // it looks once more
			b.terminates(t, tasks)
		}
	}
	for _, t := range tasks {
		if t.result != "" && !continues(step.value("continuationCondition"), t.result) {
			return false
		}
	}
	return true
}

// subTasks are the jobs of a phase that will be started. One that is not there
// is passed over in silence.
func (s *Server) subTasks(b *build, step *node) []*subTask {
	s.mu.Lock()
	defer s.mu.Unlock()
	var tasks []*subTask
	for i, n := range step.child("phaseJobs").elements() {
		child := s.job(n.value("jobName"))
		switch {
		case child == nil:
			continue
		case child.disabled():
			b.log.printf("    >> Job status: Skipping [%s]. This subjob has been disabled.\n", child.name)
			continue
		case n.value("disableJob") == "true":
			b.log.printf("    >> Job status: Warning: [%s] subjob in the phase configuration is disabled.\n", child.name)
			continue
		}
		b.log.printf("    >> Job status: [%s] the 'build only if scm changes' feature is disabled.\n", child.name)
		b.log.printf("Starting build job %s at %s.\n", child.name, time.Now().Format(time.TimeOnly))
		tasks = append(tasks, &subTask{
			name: child.name, job: child, currParams: n.value("currParams") == "true", kill: n.value("killPhaseOnJobResultCondition"),
			abortAll: n.value("abortAllJob") == "true", slot: i + 1, cancelled: make(chan struct{}), ended: make(chan struct{}),
		})
		b.log.printf("Counting %s. enabledIndex=%d\n", child.name, len(tasks))
	}
	return tasks
}

// sequential runs one job after the other, and returns those that were
// started. If the parent is aborted it ends at once, and the job that runs
// goes on: so the plugin is written.
func (s *Server) sequential(b *build, phase string, tasks []*subTask) (started []*subTask, through bool) {
	for i, t := range tasks {
		s.running.Go(func() { s.work(b, phase, t) })
		select {
		case <-t.ended:
		case <-b.stop:
			return tasks[:i+1], false
		}
		if b.terminates(t, tasks) {
			return tasks[:i+1], true
		}
	}
	return tasks, true
}

// parallel runs all jobs at once. If the parent is aborted, those that run are
// too; those in the queue stay there until they have begun.
func (s *Server) parallel(b *build, phase string, tasks []*subTask) (through bool) {
	for _, t := range tasks {
		s.enqueue(b, t)
	}
	finished := make(chan *subTask, len(tasks))
	for _, t := range tasks {
		s.running.Go(func() {
			s.work(b, phase, t)
			finished <- t
		})
	}
	patience := make(<-chan time.Time)
	stop := b.stop
	for range tasks {
		for waiting := true; waiting; {
			select {
			case t := <-finished:
				if t.result != "" {
					b.terminates(t, tasks)
				}
				waiting = false
			case <-stop:
				stop = nil
				b.log.printf("Aborting all subjobs.\n")
				for _, t := range tasks {
					t.cancel()
				}
				timer := time.NewTimer(s.o.AbortWait)
				defer timer.Stop()
				patience = timer.C
			case <-patience:
				return false
			}
		}
	}
	return stop != nil
}

// terminates says whether a job's result ends its phase: only with
// abortAllJob.
func (b *build) terminates(t *subTask, tasks []*subTask) bool {
	if t.kill == "" {
		b.log.printf(noKillCondition)
		return false
	}
	limit := map[string]int{failure: badness(failure), unstable: badness(unstable)}
	least, ok := limit[t.kill]
	if !ok || t.result == "" || t.result == aborted || badness(t.result) < least || !t.abortAll {
		return false
	}
	for _, other := range tasks {
		other.cancel()
	}
	return true
}

// continues says whether a job with that result lets the next phases run.
func continues(condition, result string) bool {
	switch condition {
	case "ALWAYS":
		return true
	case "COMPLETED":
		return result != aborted
	case "FAILURE":
		return badness(result) >= badness(failure)
	case "UNSTABLE":
		return badness(result) <= badness(unstable)
	}
	return result == success
}

// enqueue puts a job of a phase into the queue.
func (s *Server) enqueue(b *build, t *subTask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	params := t.job.values(nil)
	if t.currParams {
		params = handDown(b.params, params)
	}
	b.log.printf("quiet period for %s is 0 seconds.", t.name)
	t.item = s.schedule(t.job, params, &slot{b.job.name, b.number, t.slot}, 0, cause{Upstream: b.job.name, UpstreamNo: b.number, Origin: b.causes})
}

// handDown returns the parent's parameters, and those of the child that the
// parent does not have.
func handDown(parent, child []param) []param {
	params := append([]param(nil), parent...)
	for _, p := range child {
		known := false
		for _, q := range parent {
			known = known || q.Name == p.Name
		}
		if !known {
			params = append(params, p)
		}
	}
	return params
}

// work follows a job of a phase from the queue to its end.
func (s *Server) work(b *build, phase string, t *subTask) {
	defer close(t.ended)
	if t.item == nil {
		s.enqueue(b, t)
	}
	s.mu.Lock()
	down := s.down
	s.mu.Unlock()
	select {
	case <-t.item.gone:
	case <-down:
		return
	}
	s.mu.Lock()
	child := t.item.build
	b.sub = append(b.sub, subBuild{phase: phase, job: t.name, build: child})
	s.mu.Unlock()
	if child == nil { // somebody took it out of the queue
		b.log.printf("java.util.concurrent.CancellationException\n")
		return
	}
	result := aborted
	select {
	case <-child.done:
		result = child.result
		t.result = result
	case <-t.cancelled:
		s.locked(func() {
			child.abort("", aborted)
			for n := range b.sub {
				if b.sub[n].build == child {
					b.sub[n].aborted = true
				}
			}
		})()
	}
	b.log.printf("Finished Build : #%d of Job : %s with status : %s at %s\n", child.number, t.name, result, time.Now().Format(time.TimeOnly))
}
