package jenkinstest

import (
	"net/http"
	"strings"
)

// route sends a request to what answers it.
func (s *Server) route(q *request) {
	if len(q.parts) == 0 {
		q.page("Dashboard")
		return
	}
	switch q.parts[0] {
	case "job":
		s.routeJob(q)
		return
	case "view":
		s.routeView(q)
		return
	case "queue":
		s.routeQueue(q)
		return
	}
	path := strings.Join(q.parts, "/")
	for _, known := range []struct {
		method, path string
		answer       func(*request)
	}{
		{http.MethodGet, "api/json", s.getRoot},
		{http.MethodGet, "login", s.getLogin},
		{http.MethodPost, "j_spring_security_check", s.postLogin},
		{http.MethodGet, "crumbIssuer/api/json", s.getCrumb},
		{http.MethodGet, "crumbIssuer/api/xml", s.getCrumbXML},
		{http.MethodGet, "me/api/json", s.getMe},
		{http.MethodGet, "whoAmI/api/json", s.getWhoAmI},
		{http.MethodPost, "me/descriptorByName/jenkins.security.ApiTokenProperty/generateNewToken", s.postToken},
		{http.MethodGet, "pluginManager/api/json", s.getPlugins},
		{http.MethodGet, "computer/api/json", s.getComputers},
		{http.MethodGet, "asynchPeople/api/json", s.getPeople},
		{http.MethodPost, "createItem", s.postItem},
		{http.MethodPost, "createView", s.postView},
		{http.MethodGet, "checkJobName", s.checkName},
		{http.MethodPost, "scriptText", s.postScript},
		{http.MethodPost, "reload", s.postReload},
		{http.MethodPost, "quietDown", s.postQuietDown},
		{http.MethodPost, "cancelQuietDown", s.postCancelQuietDown},
	} {
		if known.path == path && (known.method == q.Method || known.method == http.MethodGet && q.Method == http.MethodHead) {
			known.answer(q)
			return
		}
	}
	q.notFound()
}

// routeJob answers what is below /job/NAME.
func (s *Server) routeJob(q *request) {
	if len(q.parts) < 2 {
		q.notFound()
		return
	}
	s.mu.Lock()
	j := s.job(q.parts[1])
	s.mu.Unlock()
	if j == nil || !s.keeper.may(q.who, JobRead) {
		q.notFound() // the same page for what may not be seen
		return
	}
	rest := strings.Join(q.parts[2:], "/")
	switch q.Method + " " + rest {
	case "GET ":
		if !q.slash {
			q.redirect(s.base(q) + "job/" + q.parts[1] + "/")
			return
		}
		q.page(j.name)
	case "DELETE ":
		if s.allow(q, JobDelete) {
			s.deleteJob(j)
			q.empty(http.StatusNoContent)
		}
	case "GET api/json":
		s.getJob(q, j)
	case "GET config.xml":
		s.getConfig(q, j)
	case "POST config.xml":
		s.postConfig(q, j)
	case "POST build":
		s.postBuild(q, j)
	case "POST buildWithParameters":
		s.postBuildWithParameters(q, j)
	case "POST doDelete":
		if s.allow(q, JobDelete) {
			s.deleteJob(j)
			q.redirect(s.base(q))
		}
	case "POST enable", "POST disable":
		s.postEnable(q, j, rest == "disable")
	case "POST confirmRename":
		s.postRename(q, j)
	case "GET build", "GET buildWithParameters", "GET doDelete", "GET enable", "GET disable":
		q.w.Header().Set("Allow", http.MethodPost)
		jettyPage(q.w, q.Request, http.StatusMethodNotAllowed, "Method Not Allowed")
	default:
		s.routeBuild(q, j)
	}
}

// routeBuild answers what is below /job/NAME/NUMBER.
func (s *Server) routeBuild(q *request, j *job) {
	s.mu.Lock()
	b := j.build(q.parts[2])
	s.mu.Unlock()
	if b == nil {
		q.notFound()
		return
	}
	switch q.Method + " " + strings.Join(q.parts[3:], "/") {
	case "GET ":
		q.page(j.name)
	case "GET api/json":
		s.getBuild(q, b)
	case "GET consoleText":
		q.text(string(b.log.text()))
	case "GET logText/progressiveText":
		s.getProgressive(q, b)
	case "POST stop":
		if s.allow(q, JobCancel) {
			s.locked(func() { b.abort("Aborted by "+userNote()+q.who.user+"\n", aborted) })()
			q.redirect(s.base(q) + "job/" + j.name + "/" + q.parts[2] + "/")
		}
	default:
		q.notFound()
	}
}

// allow says whether the sender has a permission, and answers if not.
func (s *Server) allow(q *request, permission string) bool {
	if s.keeper.may(q.who, permission) {
		return true
	}
	q.denied(permission)
	return false
}
