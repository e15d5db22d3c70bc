package jenkinstest

import (
	"net/http"
	"regexp"
	"slices"
)

func (s *Server) getLogin(q *request) {
	s.keeper.open(q.w, &q.who, s.o.Prefix)
	q.page("Sign in")
}

// postLogin is the form for people, which needs no crumb.
func (s *Server) postLogin(q *request) {
	name := q.form.Get("j_username")
	if !s.keeper.check(q.Context(), name, q.form.Get("j_password")) {
		q.redirect(s.base(q) + "loginError")
		return
	}
	s.keeper.start(q.w, &q.who, name, s.o.Prefix)
	q.redirect(s.base(q))
}

func (s *Server) getCrumb(q *request) {
	s.keeper.open(q.w, &q.who, s.o.Prefix)
	s.sendJSON(q, bean{class: "hudson.security.csrf.DefaultCrumbIssuer", fields: func() map[string]any {
		return map[string]any{"crumb": s.keeper.crumb(q.who), "crumbRequestField": "Jenkins-Crumb"}
	}})
}

func (s *Server) getCrumbXML(q *request) {
	s.keeper.open(q.w, &q.who, s.o.Prefix)
	crumb := s.keeper.crumb(q.who)
	if q.form.Get("xpath") == `concat(//crumbRequestField,":",//crumb)` {
		q.text("Jenkins-Crumb:" + crumb)
		return
	}
	q.send(http.StatusOK, "application/xml;charset=utf-8", []byte(
		"<defaultCrumbIssuer _class='hudson.security.csrf.DefaultCrumbIssuer'><crumb>"+crumb+"</crumb><crumbRequestField>Jenkins-Crumb</crumbRequestField></defaultCrumbIssuer>"))
}

func (s *Server) getMe(q *request) {
	if q.who.user == anonymous {
		q.denied(Read)
		return
	}
	s.sendJSON(q, bean{class: "hudson.model.User", fields: func() map[string]any {
		return map[string]any{"absoluteUrl": nil, "description": nil, "fullName": q.who.user, "id": q.who.user, "property": []any{}}
	}})
}

func (s *Server) getWhoAmI(q *request) {
	authorities := []string{"anonymous"}
	if q.who.user != anonymous {
		authorities = []string{"authenticated"}
	}
	s.sendJSON(q, bean{class: "hudson.security.WhoAmI", fields: func() map[string]any {
		return map[string]any{
			"anonymous": q.who.user == anonymous, "authenticated": true, "authorities": authorities,
			"details": nil, "name": q.who.user, "toString": "",
		}
	}})
}

func (s *Server) postToken(q *request) {
	if q.who.user == anonymous {
		q.denied(Read)
		return
	}
	s.sendJSON(q, bean{fields: func() map[string]any {
		return map[string]any{"status": "ok", "data": map[string]any{
			"tokenName": q.form.Get("newTokenName"), "tokenUuid": randomHex(16), "tokenValue": s.keeper.newToken(q.who.user),
		}}
	}})
}

func (s *Server) getPlugins(q *request) {
	if !s.allow(q, Administer) {
		return
	}
	plugins := []bean{}
	for _, name := range sortedKeys(s.o.Plugins) {
		plugins = append(plugins, bean{fields: func() map[string]any {
			return map[string]any{
				"active": true, "backupVersion": nil, "bundled": false, "deleted": false, "dependencies": []any{}, "detached": false, "downgradable": false,
				"enabled": true, "hasUpdate": false, "longName": name, "pinned": false, "requiredCoreVersion": "2.387.3", "shortName": name,
				"supportsDynamicLoad": "MAYBE", "url": "https://plugins.jenkins.io/" + name, "version": s.o.Plugins[name],
			}
		}})
	}
	s.sendJSON(q, bean{class: "hudson.LocalPluginManager", fields: func() map[string]any {
		return map[string]any{"plugins": plugins}
	}})
}

func (s *Server) getComputers(q *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := bean{class: "hudson.model.Hudson$MasterComputer", fields: func() map[string]any {
		return map[string]any{
			"actions": []any{}, "assignedLabels": []map[string]any{{"name": "built-in"}}, "description": "the Jenkins controller's built-in node", "displayName": "Built-In Node",
			"executors": []any{}, "icon": "symbol-computer", "idle": s.busy() == 0, "jnlpAgent": false, "launchSupported": true, "manualLaunchAllowed": true,
			"numExecutors": s.o.Executors, "offline": false, "offlineCause": nil, "offlineCauseReason": "", "oneOffExecutors": []any{}, "temporarilyOffline": false,
		}
	}, brief: []string{"displayName", "numExecutors", "offline", "idle", "assignedLabels", "temporarilyOffline"}}
	s.sendJSON(q, bean{class: "hudson.model.ComputerSet", fields: func() map[string]any {
		return map[string]any{"busyExecutors": s.busy(), "computer": []bean{node}, "displayName": "Nodes", "totalExecutors": s.o.Executors}
	}})
}

func (s *Server) getPeople(q *request) {
	users := []map[string]any{}
	for _, u := range s.o.Users {
		users = append(users, map[string]any{"lastChange": nil, "project": nil, "user": map[string]any{"absoluteUrl": s.base(q) + "user/" + u.Name, "fullName": u.Name}})
	}
	s.sendJSON(q, bean{class: "hudson.model.View$AsynchPeople$People", fields: func() map[string]any { return map[string]any{"users": users} }})
}

// checkName answers 200 for good names and bad ones.
func (s *Server) checkName(q *request) {
	answer := "<div/>"
	if wrong := goodName(q.form.Get("value")); wrong != "" {
		answer = "<div class=error>" + wrong + "</div>"
	}
	q.send(http.StatusOK, "text/html;charset=utf-8", []byte(answer))
}

// printed is the only script that is understood.
var printed = regexp.MustCompile(`^\s*println[ (]["']([^"']*)["']\)?\s*$`)

func (s *Server) postScript(q *request) {
	if !s.allow(q, Administer) {
		return
	}
	if match := printed.FindStringSubmatch(q.form.Get("script")); match != nil {
		q.text(match[1] + "\n")
		return
	}
	q.text("this stand-in for Jenkins runs no Groovy\n")
}

// postReload reads the jobs again.
func (s *Server) postReload(q *request) {
	if !s.allow(q, Administer) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if n, err := parseXML(j.file); err == nil {
			j.config = s.saver.loaded(n)
		}
	}
	q.redirect(s.base(q))
}

func (s *Server) postQuietDown(q *request)       { s.setQuiet(q, true) }
func (s *Server) postCancelQuietDown(q *request) { s.setQuiet(q, false) }

func (s *Server) setQuiet(q *request, quiet bool) {
	if !s.allow(q, Administer) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quieting = quiet
	s.maintain()
	q.redirect(s.base(q))
}

// Jobs returns the names of all jobs, sorted.
func (s *Server) Jobs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, j := range s.sortedJobs() {
		names = append(names, j.name)
	}
	return slices.Clip(names)
}

// Views returns the names of all views but the one of all jobs, sorted.
func (s *Server) Views() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedKeys(s.views)
}

// Config returns the config.xml of a job as it is kept, or nothing.
func (s *Server) Config(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.job(name); j != nil {
		return string(j.file)
	}
	return ""
}

// Console returns the console of a job's build, as people read it.
func (s *Server) Console(name, build string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j := s.job(name); j != nil && j.build(build) != nil {
		return string(j.build(build).log.text())
	}
	return ""
}
