package jenkinstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What is kept under JENKINS_HOME, as Jenkins does: jobs/NAME/config.xml,
// nextBuildNumber and builds/N. Views have a folder of their own here.

func (s *Server) jobDir(name string) string { return filepath.Join(s.o.Home, "jobs", name) }

func (s *Server) buildDir(b *build) string {
	return filepath.Join(s.jobDir(b.job.name), "builds", strconv.Itoa(b.number))
}

// keepJob writes a job's file.
func (s *Server) keepJob(j *job) error {
	if err := os.MkdirAll(s.jobDir(j.name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.jobDir(j.name), "config.xml"), j.file, 0o644)
}

// keepNumber writes the number of a job's next build.
func (s *Server) keepNumber(j *job) {
	_ = os.WriteFile(filepath.Join(s.jobDir(j.name), "nextBuildNumber"), []byte(strconv.Itoa(j.next)+"\n"), 0o644) // at worst it starts at 1
}

func (s *Server) keepView(v *view) error {
	dir := filepath.Join(s.o.Home, "views")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, v.name+".xml"), v.file, 0o644)
}

// A keptBuild is what is kept of a build that ended.
type keptBuild struct {
	Number, QueueID     int
	Params              []param
	Handed              bool
	Causes              []cause
	Timestamp           time.Time
	Duration, Estimated time.Duration
	Result              string
	Sub                 []keptSub
}

type keptSub struct {
	Phase, Job string
	Number     int
	Aborted    bool
}

// keepBuild writes a build that ended. The caller has the lock.
func (s *Server) keepBuild(b *build) {
	kept := keptBuild{
		Number: b.number, QueueID: b.queueID, Params: b.params, Handed: b.handed, Causes: b.causes,
		Timestamp: b.timestamp, Duration: b.duration, Estimated: b.estimated, Result: b.result,
	}
	for _, sub := range b.sub {
		if sub.build != nil {
			kept.Sub = append(kept.Sub, keptSub{sub.phase, sub.build.job.name, sub.build.number, sub.aborted})
		}
	}
	text, err := json.Marshal(kept)
	dir := s.buildDir(b)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "build.json"), text, 0o644)
	}
	if err == nil {
		b.log.mu.Lock()
		defer b.log.mu.Unlock()
		err = os.WriteFile(filepath.Join(dir, "log"), b.log.raw, 0o644)
	}
	_ = err // a disk that is full, or a job that was deleted meanwhile: it is in memory
}

// load reads what is under JENKINS_HOME.
func (s *Server) load() error {
	files, err := filepath.Glob(filepath.Join(s.o.Home, "jobs", "*", "config.xml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		n, err := parseXML(text)
		if err != nil || !s.saver.knowsRoot(n.name) {
			continue // Jenkins logs it and goes on without the job
		}
		j := &job{name: filepath.Base(filepath.Dir(file)), file: text, config: s.saver.loaded(n), next: 1}
		if text, err := os.ReadFile(filepath.Join(s.jobDir(j.name), "nextBuildNumber")); err == nil {
			j.next, _ = strconv.Atoi(strings.TrimSpace(string(text)))
			j.next = max(j.next, 1)
		}
		s.jobs[strings.ToLower(j.name)] = j
	}
	if err := s.loadBuilds(); err != nil {
		return fmt.Errorf("read builds: %w", err)
	}
	return s.loadViews()
}

func (s *Server) loadViews() error {
	files, err := filepath.Glob(filepath.Join(s.o.Home, "views", "*.xml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if n, err := parseXML(text); err == nil {
			name := strings.TrimSuffix(filepath.Base(file), ".xml")
			s.views[name] = &view{name: name, file: text, config: n}
		}
	}
	return nil
}

func (s *Server) loadBuilds() error {
	subs := map[*build][]keptSub{}
	for _, j := range s.jobs {
		entries, err := os.ReadDir(filepath.Join(s.jobDir(j.name), "builds"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, entry := range entries {
			dir := filepath.Join(s.jobDir(j.name), "builds", entry.Name())
			var kept keptBuild
			text, err := os.ReadFile(filepath.Join(dir, "build.json"))
			if err != nil || json.Unmarshal(text, &kept) != nil {
				continue
			}
			log, _ := os.ReadFile(filepath.Join(dir, "log")) // it may be lost
			b := &build{
				job: j, number: kept.Number, queueID: kept.QueueID, params: kept.Params, handed: kept.Handed, causes: kept.Causes,
				timestamp: kept.Timestamp, started: kept.Timestamp, duration: kept.Duration, estimated: kept.Estimated, result: kept.Result,
				log: console{raw: log, done: true}, stop: make(chan struct{}), done: make(chan struct{}),
			}
			close(b.done)
			j.builds = append(j.builds, b)
			j.next = max(j.next, b.number+1)
			s.lastItem = max(s.lastItem, b.queueID)
			subs[b] = kept.Sub
		}
		slices.SortFunc(j.builds, func(a, b *build) int { return a.number - b.number })
	}
	for b, kept := range subs {
		for _, sub := range kept {
			if child := s.job(sub.Job); child != nil && child.build(strconv.Itoa(sub.Number)) != nil {
				b.sub = append(b.sub, subBuild{sub.Phase, sub.Job, child.build(strconv.Itoa(sub.Number)), sub.Aborted})
			}
		}
	}
	return nil
}
