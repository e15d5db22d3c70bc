package jenkinstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// goodName says what is wrong with the name of a job or a view, or nothing.
func goodName(name string) string {
	if strings.TrimSpace(name) == "" {
		return "No name is specified"
	}
	if name == "." || name == ".." {
		return "“.” is not an allowed name"
	}
	for _, r := range name {
		switch {
		case unicode.IsControl(r):
			return "No control code is allowed: " + name
		case strings.ContainsRune(`?*/\%!@#$^&|<>[]:;`, r):
			return fmt.Sprintf("‘%c’ is an unsafe character", r)
		}
	}
	return ""
}

// isXML says whether a content type is that of XML.
func isXML(contentType string) bool {
	return strings.HasPrefix(contentType, "application/xml") || strings.HasPrefix(contentType, "text/xml")
}

// newItem checks what is common to new jobs and views, and answers if it is
// bad.
func (q *request) newItem(needed string) (name string, ok bool) {
	if needed != "" && q.Header.Get("Content-Type") == "" && q.form.Get("mode") != "copy" {
		q.refuse("No Content-Type header set")
		return "", false
	}
	if !q.form.Has("name") {
		q.refuse("Query parameter 'name' is required")
		return "", false
	}
	name = q.form.Get("name")
	if wrong := goodName(name); wrong != "" {
		q.refuse(wrong)
		return "", false
	}
	return strings.TrimSpace(name), true
}

func (s *Server) postItem(q *request) {
	if !s.allow(q, JobCreate) {
		return
	}
	name, ok := q.newItem("Content-Type")
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job(name) != nil {
		q.refuse("A job already exists with the name ‘" + name + "’")
		return
	}
	body, copied := q.body, q.form.Get("mode") == "copy"
	switch {
	case copied:
		from := s.job(q.form.Get("from"))
		if from == nil {
			q.refuse("No such job: " + q.form.Get("from"))
			return
		}
		body = from.file
	case !isXML(q.Header.Get("Content-Type")) && !q.form.Has("mode"):
		q.refuse("No mode given")
		return
	}
	n, err := parseXML(body)
	if err != nil || !s.saver.knowsRoot(n.name) {
		q.oops()
		return
	}
	j := &job{name: name, file: asPosted(n), config: s.saver.loaded(n), next: 1}
	if err := s.keepJob(j); err != nil {
		q.oops()
		return
	}
	s.jobs[strings.ToLower(name)] = j
	if copied {
		q.redirect(s.base(q) + "job/" + name + "/configure")
		return
	}
	q.empty(http.StatusOK)
}

func (s *Server) getConfig(q *request, j *job) {
	if !s.allow(q, JobConfigure) {
		return
	}
	s.mu.Lock()
	file := j.file
	s.mu.Unlock()
	q.send(http.StatusOK, "application/xml", file)
}

func (s *Server) postConfig(q *request, j *job) {
	if !s.allow(q, JobConfigure) {
		return
	}
	n, err := parseXML(q.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || n.name != j.config.name {
		q.oops()
		return
	}
	j.file, j.config = asPosted(n), s.saver.loaded(n)
	if err := s.keepJob(j); err != nil {
		q.oops()
		return
	}
	s.maintain()
	q.empty(http.StatusOK)
}

// save makes Jenkins write what it loaded. The caller has the lock.
func (s *Server) save(j *job) error {
	j.file = asSaved(j.config)
	return s.keepJob(j)
}

// setField changes a field of a job, and saves it.
func (s *Server) setField(j *job, name, value string) error {
	if n := j.config.child(name); n != nil {
		n.kids = leaf(name, value).kids
	}
	return s.save(j)
}

func (s *Server) deleteJob(j *job) {
	s.mu.Lock()
	var running []*build
	for _, i := range append([]*item(nil), s.queue...) {
		if i.job == j {
			s.cancel(i)
		}
	}
	if b := j.running(); b != nil {
		b.abort("", aborted)
		running = append(running, b)
	}
	delete(s.jobs, strings.ToLower(j.name))
	s.mu.Unlock()
	for _, b := range running {
		<-b.done
	}
	_ = os.RemoveAll(s.jobDir(j.name)) // at worst it comes back with a restart
}

func (s *Server) postEnable(q *request, j *job, disable bool) {
	if !s.allow(q, JobConfigure) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setField(j, "disabled", strconv.FormatBool(disable)); err != nil {
		q.oops()
		return
	}
	q.redirect(s.base(q) + "job/" + j.name + "/")
}

func (s *Server) postRename(q *request, j *job) {
	if !s.allow(q, JobConfigure) {
		return
	}
	name := q.form.Get("newName")
	if wrong := goodName(name); wrong != "" {
		q.refuse(wrong)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if other := s.job(name); other != nil && other != j {
		q.refuse("The name “" + name + "” is already in use.")
		return
	}
	delete(s.jobs, strings.ToLower(j.name))
	old := s.jobDir(j.name)
	j.name = name
	s.jobs[strings.ToLower(name)] = j
	if err := os.Rename(old, s.jobDir(name)); err != nil {
		q.oops()
		return
	}
	q.redirect(s.base(q) + "job/" + name + "/")
}

// postBuild triggers a build without parameters.
func (s *Server) postBuild(q *request, j *job) {
	if !s.allow(q, JobBuild) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case j.disabled():
		jettyPage(q.w, q.Request, http.StatusConflict, j.name+" is not buildable")
	case len(j.definitions()) == 0:
		q.created(s.base(q), s.schedule(j, nil, nil, s.quiet(q), cause{User: q.who.user}))
	case q.form.Has("json"):
		// What is not in the form is absent from the build.
		s.schedule(j, formParams(j, q.form.Get("json")), nil, s.quiet(q), cause{User: q.who.user})
		q.w.Header().Set("Location", s.base(q)+"job/"+j.name+"/")
		q.empty(http.StatusCreated)
	default:
		q.send(http.StatusBadRequest, "text/plain;charset=utf-8", []byte("Nothing is submitted"))
	}
}

// formParams reads the parameters of the form of "Build with Parameters".
func formParams(j *job, text string) []param {
	type value struct{ Name, Value string }
	var one struct{ Parameter value }
	var many struct{ Parameter []value }
	if json.Unmarshal([]byte(text), &many) != nil && json.Unmarshal([]byte(text), &one) == nil {
		many.Parameter = []value{one.Parameter}
	}
	var params []param
	for _, d := range j.definitions() {
		for _, given := range many.Parameter {
			if given.Name == d.name {
				params = append(params, param{valueClass(d.class), d.name, given.Value})
			}
		}
	}
	return params
}

func (s *Server) postBuildWithParameters(q *request, j *job) {
	if !s.allow(q, JobBuild) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case j.disabled():
		jettyPage(q.w, q.Request, http.StatusConflict, j.name+" is not buildable")
		return
	case len(j.definitions()) == 0:
		q.oops()
		return
	}
	given := map[string]string{}
	for name, values := range q.form {
		given[name] = values[0]
	}
	q.created(s.base(q), s.schedule(j, j.values(given), nil, s.quiet(q), cause{User: q.who.user}))
}

var delayForm = regexp.MustCompile(`^([0-9]+)(sec|s|min|m)?$`)

// quiet is how long a triggered build waits.
func (s *Server) quiet(q *request) time.Duration {
	match := delayForm.FindStringSubmatch(q.form.Get("delay"))
	if match == nil {
		return s.o.QuietPeriod
	}
	n, _ := strconv.Atoi(match[1])
	if strings.HasPrefix(match[2], "m") {
		return time.Duration(n) * time.Minute
	}
	return time.Duration(n) * time.Second
}

// created is the answer to a trigger.
func (q *request) created(base string, i *item) {
	q.w.Header().Set("Location", base+"queue/item/"+strconv.Itoa(i.id)+"/")
	q.empty(http.StatusCreated)
}

func (s *Server) getProgressive(q *request, b *build) {
	start, _ := strconv.ParseInt(q.form.Get("start"), 10, 64)
	text, next, more := b.log.progressive(start)
	q.w.Header().Set("X-Text-Size", strconv.FormatInt(next, 10))
	if more {
		q.w.Header().Set("X-More-Data", "true")
	}
	q.send(http.StatusOK, "text/plain;charset=utf-8", text)
}
