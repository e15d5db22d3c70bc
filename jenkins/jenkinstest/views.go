package jenkinstest

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A view is a list of jobs.
type view struct {
	name   string
	file   []byte
	config *node
}

func (s *Server) postView(q *request) {
	if !s.allow(q, ViewCreate) {
		return
	}
	name, ok := q.newItem("")
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.views[name] != nil || name == allView {
		q.refuse(`A view already exists with the name "` + name + `"`)
		return
	}
	n, err := parseXML(q.body)
	if err != nil || n.name != listViewRoot {
		q.oops()
		return
	}
	v := s.newView(name, n)
	if err := s.keepView(v); err != nil {
		q.oops()
		return
	}
	s.views[name] = v
	q.empty(http.StatusOK)
}

// allView is the view that is always there.
const allView = "all"

// newView makes a view, whose file says its name.
func (s *Server) newView(name string, n *node) *view {
	n.kids = slices.DeleteFunc(n.kids, func(kid *node) bool { return kid.name == "name" })
	n.kids = append([]*node{leaf("name", name)}, n.kids...)
	return &view{name: name, file: asSaved(s.saver.save(n)), config: n}
}

// routeView answers what is below /view/NAME.
func (s *Server) routeView(q *request) {
	if len(q.parts) < 2 {
		q.notFound()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.views[q.parts[1]]
	if v == nil {
		if q.parts[1] == allView && q.Method == http.MethodGet && strings.Join(q.parts[2:], "/") == "api/json" {
			s.sendJSON(q, s.viewExport(q, &view{name: allView, config: element("hudson.model.AllView")}))
			return
		}
		q.notFound()
		return
	}
	switch q.Method + " " + strings.Join(q.parts[2:], "/") {
	case "GET ":
		q.page(v.name)
	case "GET api/json":
		s.sendJSON(q, s.viewExport(q, v))
	case "GET config.xml":
		if s.allow(q, Administer) {
			q.send(http.StatusOK, "application/xml", v.file)
		}
	case "POST config.xml":
		s.postViewConfig(q, v)
	case "POST doDelete":
		if s.allow(q, Administer) {
			delete(s.views, v.name)
			_ = os.Remove(filepath.Join(s.o.Home, "views", v.name+".xml")) // at worst it comes back
			q.redirect(s.base(q))
		}
	default:
		q.notFound()
	}
}

func (s *Server) postViewConfig(q *request, v *view) {
	if !s.allow(q, Administer) {
		return
	}
	n, err := parseXML(q.body)
	if err != nil || n.name != v.config.name {
		q.oops()
		return
	}
	changed := s.newView(v.name, n)
	if err := s.keepView(changed); err != nil {
		q.oops()
		return
	}
	s.views[v.name] = changed
	q.empty(http.StatusOK)
}

// shows says whether a job is in a view. An expression that is not one shows
// nothing.
func (v *view) shows(j *job) bool {
	if v.config.name != listViewRoot {
		return true
	}
	for _, name := range v.config.child("jobNames").elements() {
		if name.content() == j.name {
			return true
		}
	}
	include := v.config.value("includeRegex")
	e, err := regexp.Compile("^(?:" + include + ")$")
	return include != "" && err == nil && e.MatchString(j.name)
}
