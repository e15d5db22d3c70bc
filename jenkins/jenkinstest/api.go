package jenkinstest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The API of a controller: what GET .../api/json answers. Shapes are those of
// jenkins-samples/.

func (s *Server) getRoot(q *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendJSON(q, bean{class: "hudson.model.Hudson", fields: func() map[string]any {
		return map[string]any{
			"assignedLabels": []any{map[string]any{}}, "mode": "NORMAL", "nodeDescription": "the Jenkins controller's built-in node", "nodeName": "",
			"numExecutors": s.o.Executors, "description": nil, "jobs": s.jobBeans(q, s.visibleJobs(q)),
			"overallLoad": map[string]any{}, "primaryView": s.viewExport(q, &view{name: allView, config: element("hudson.model.AllView")}),
			"quietDownReason": nil, "quietingDown": s.quieting, "slaveAgentPort": 50000, "unlabeledLoad": map[string]any{"_class": "jenkins.model.UnlabeledLoadStatistics"},
			"url": s.rootURL(), "useCrumbs": true, "useSecurity": true, "views": s.viewBeans(q),
		}
	}})
}

func (s *Server) rootURL() any {
	if s.o.RootURL == "" {
		return nil
	}
	return s.o.RootURL
}

// visibleJobs are the jobs that the sender may see.
func (s *Server) visibleJobs(q *request) []*job {
	if !s.keeper.may(q.who, JobRead) {
		return nil
	}
	return s.sortedJobs()
}

func (s *Server) jobBeans(q *request, jobs []*job) []bean {
	beans := []bean{}
	for _, j := range jobs {
		beans = append(beans, s.jobBean(q, j))
	}
	return beans
}

func (s *Server) viewBeans(q *request) []bean {
	beans := []bean{s.viewExport(q, &view{name: allView, config: element("hudson.model.AllView")})}
	for _, name := range sortedKeys(s.views) {
		beans = append(beans, s.viewExport(q, s.views[name]))
	}
	return beans
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (s *Server) viewExport(q *request, v *view) bean {
	link := s.base(q)
	if v.name != allView {
		link += "view/" + v.name + "/"
	}
	return bean{class: v.config.name, brief: []string{"name", "url"}, fields: func() map[string]any {
		var jobs []*job
		for _, j := range s.visibleJobs(q) {
			if v.shows(j) {
				jobs = append(jobs, j)
			}
		}
		return map[string]any{"description": textOrNil(v.config.child("description")), "jobs": s.jobBeans(q, jobs), "name": v.name, "property": []any{}, "url": link}
	}}
}

func textOrNil(n *node) any {
	if n == nil {
		return nil
	}
	return n.content()
}

func (s *Server) getJob(q *request, j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendJSON(q, s.jobBean(q, j))
}

func (s *Server) jobBean(q *request, j *job) bean {
	return bean{class: j.class(), brief: []string{"name", "url", "color"}, fields: func() map[string]any {
		named := func(id string) any {
			if b := j.build(id); b != nil {
				return s.buildBean(q, b)
			}
			return nil
		}
		return map[string]any{
			"actions": later(func() any { return jobActions(j) }), "property": later(func() any { return properties(j) }), "description": textOrNil(j.config.child("description")), "displayName": j.name, "displayNameOrNull": nil,
			"fullDisplayName": j.name, "fullName": j.name, "name": j.name, "url": s.base(q) + "job/" + j.name + "/",
			"buildable": !j.disabled(), "disabled": j.disabled(), "color": j.color(), "builds": later(func() any { return s.buildBeans(q, j) }), "firstBuild": named("firstBuild"), "healthReport": []any{},
			"inQueue": s.queued(j) != nil, "keepDependencies": false, "lastBuild": named("lastBuild"), "lastCompletedBuild": named("lastCompletedBuild"),
			"lastFailedBuild": named("lastFailedBuild"), "lastStableBuild": named("lastStableBuild"), "lastSuccessfulBuild": named("lastSuccessfulBuild"),
			"lastUnstableBuild": nil, "lastUnsuccessfulBuild": named("lastUnsuccessfulBuild"), "nextBuildNumber": j.next, "queueItem": s.queuedBean(q, j),
			"concurrentBuild": j.config.value("concurrentBuild") == "true", "downstreamProjects": later(func() any { return s.jobBeans(q, s.downstream(j)) }),
			"upstreamProjects": later(func() any { return s.jobBeans(q, s.upstream(j)) }),
			"labelExpression":  nil, "scm": map[string]any{"_class": nullSCM},
		}
	}}
}

// buildBeans are all builds of a job, the newest first.
func (s *Server) buildBeans(q *request, j *job) []bean {
	builds := []bean{}
	for _, b := range slices.Backward(j.builds) {
		builds = append(builds, s.buildBean(q, b))
	}
	return builds
}

// queued is what waits of a job.
func (s *Server) queued(j *job) *item {
	for _, i := range s.queue {
		if i.job == j {
			return i
		}
	}
	return nil
}

func (s *Server) queuedBean(q *request, j *job) any {
	if i := s.queued(j); i != nil {
		return s.itemBean(q, i)
	}
	return nil
}

func jobActions(j *job) []map[string]any {
	actions := []map[string]any{{}}
	if parameters := definitions(j, false); len(parameters) > 0 {
		actions = append(actions, map[string]any{"_class": parametersProperty, "parameterDefinitions": parameters})
	}
	return actions
}

const parametersProperty = "hudson.model.ParametersDefinitionProperty"

// properties are those of a job: of most, the class is all that is shown.
func properties(j *job) []map[string]any {
	list := []map[string]any{}
	for _, n := range j.config.child("properties").elements() {
		property := map[string]any{"_class": strings.ReplaceAll(n.name, "__", "_")}
		if n.name == parametersProperty {
			property["parameterDefinitions"] = definitions(j, true)
		}
		list = append(list, property)
	}
	return list
}

// definitions are the parameters of a job. The default of a random one is
// another each time.
func definitions(j *job, named bool) []map[string]any {
	list := []map[string]any{}
	for _, d := range j.definitions() {
		value := map[string]any{"_class": valueClass(d.class), "value": d.value}
		if d.class == randomClass {
			value["value"] = randomTag()
		}
		if named {
			value["name"] = d.name
		}
		class := strings.ReplaceAll(d.class, "__", "_")
		list = append(list, map[string]any{
			"_class": class, "defaultParameterValue": value, "description": d.description, "name": d.name, "type": class[strings.LastIndexByte(class, '.')+1:],
		})
	}
	return list
}

// downstream are the jobs of a MultiJob's phases.
func (s *Server) downstream(j *job) []*job {
	var jobs []*job
	for _, n := range j.config.child("builders").all("jobName") {
		if child := s.job(n.content()); child != nil && !slices.Contains(jobs, child) {
			jobs = append(jobs, child)
		}
	}
	slices.SortFunc(jobs, func(a, b *job) int { return strings.Compare(a.name, b.name) })
	return jobs
}

// upstream are the MultiJobs that have a job in a phase.
func (s *Server) upstream(j *job) []*job {
	var jobs []*job
	for _, other := range s.sortedJobs() {
		if other.multi() && slices.Contains(s.downstream(other), j) {
			jobs = append(jobs, other)
		}
	}
	return jobs
}

func (s *Server) getBuild(q *request, b *build) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendJSON(q, s.buildBean(q, b))
}

func (s *Server) buildBean(q *request, b *build) bean {
	brief := []string{"number", "url"}
	if b.job.multi() {
		brief = append(brief, "subBuilds")
	}
	return bean{class: b.job.buildClass(), brief: brief, fields: func() map[string]any {
		number := strconv.Itoa(b.number)
		out := map[string]any{
			"actions": s.actions(b.params, b.causes, b.handed), "artifacts": []any{}, "building": b.building, "description": nil, "displayName": "#" + number,
			"duration": b.duration.Milliseconds(), "estimatedDuration": millis(b.estimated), "executor": nil,
			"fullDisplayName": b.job.name + " #" + number, "id": number, "inProgress": b.inProgress, "keepLog": false, "number": b.number,
			"queueId": b.queueID, "result": resultOrNil(b), "timestamp": b.timestamp.UnixMilli(),
			"url": s.base(q) + "job/" + b.job.name + "/" + number + "/", "builtOn": "",
			"changeSet": map[string]any{"_class": "hudson.scm.EmptyChangeLogSet", "items": []any{}, "kind": nil}, "culprits": []any{},
		}
		if b.inProgress {
			out["executor"] = map[string]any{}
		}
		if b.job.multi() {
			out["subBuilds"] = subBeans(b)
		}
		return out
	}}
}

func millis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}

func resultOrNil(b *build) any {
	if b.result == "" {
		return nil
	}
	return b.result
}

// actions are parameters and causes, as builds and queue items have them.
func (s *Server) actions(params []param, causes []cause, handed bool) []map[string]any {
	actions := []map[string]any{}
	if len(params) > 0 {
		var values []map[string]any
		for _, p := range params {
			values = append(values, map[string]any{"_class": p.Class, "name": p.Name, "value": p.Value})
		}
		class := "hudson.model.ParametersAction"
		if handed {
			class = "com.tikal.jenkins.plugins.multijob.MultiJobParametersAction"
		}
		actions = append(actions, map[string]any{"_class": class, "parameters": values})
	}
	var list []map[string]any
	for _, c := range causes {
		if c.Upstream != "" {
			list = append(list, map[string]any{
				"_class":           "hudson.model.Cause$UpstreamCause",
				"shortDescription": fmt.Sprintf("Started by upstream project \"%s\" build number %d", c.Upstream, c.UpstreamNo),
				"upstreamBuild":    c.UpstreamNo, "upstreamProject": c.Upstream, "upstreamUrl": "job/" + c.Upstream + "/",
			})
			continue
		}
		list = append(list, map[string]any{
			"_class": "hudson.model.Cause$UserIdCause", "shortDescription": "Started by user " + c.User, "userId": c.User, "userName": c.User,
		})
	}
	return append(actions, map[string]any{"_class": "hudson.model.CauseAction", "causes": list}, map[string]any{})
}

func subBeans(b *build) []map[string]any {
	list := []map[string]any{}
	for _, sub := range b.sub {
		child := sub.build
		if child == nil {
			list = append(list, map[string]any{
				"abort": false, "build": map[string]any{"_class": b.job.buildClass()}, "buildID": fmt.Sprintf("%s#%d", b.job.name, b.number),
				"buildNumber": 0, "duration": "not built", "icon": "nobuilt.png", "jobAlias": "", "jobName": sub.job, "multiJobBuild": true,
				"parentBuildNumber": b.number, "parentJobName": b.job.name, "phaseName": sub.phase, "result": nil, "retry": false, "url": "",
			})
			continue
		}
		duration, icon, result := child.durationText(), child.icon(), resultOrNil(child)
		if sub.aborted {
			duration, icon, result = "", "aborted.png", aborted
		}
		list = append(list, map[string]any{
			"abort": sub.aborted, "build": map[string]any{"_class": child.job.buildClass()}, "buildID": fmt.Sprintf("%s#%d", child.job.name, child.number),
			"buildNumber": child.number, "duration": duration, "icon": icon, "jobAlias": "", "jobName": child.job.name,
			"multiJobBuild": child.job.multi(), "parentBuildNumber": b.number, "parentJobName": b.job.name, "phaseName": sub.phase,
			"result": result, "retry": false, "url": fmt.Sprintf("job/%s/%d/", child.job.name, child.number),
		})
	}
	return list
}

func (b *build) durationText() string {
	switch {
	case b.started.IsZero():
		return "Not started yet"
	case b.inProgress:
		return spanText(time.Since(b.started)) + " and counting"
	}
	return spanText(b.duration)
}

func (b *build) icon() string {
	if !b.building {
		return ball(b.result) + ".png"
	}
	color := "notbuilt"
	if before := b.job.build("lastCompletedBuild"); before != nil {
		color = ball(before.result)
	}
	return color + "_anime.gif"
}

// routeQueue answers what is below /queue.
func (s *Server) routeQueue(q *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.Join(q.parts[1:], "/")
	switch {
	case q.Method == http.MethodGet && path == "api/json":
		items := []bean{}
		for _, i := range s.queue {
			if s.keeper.may(q.who, JobRead) {
				items = append(items, s.itemBean(q, i))
			}
		}
		s.sendJSON(q, bean{class: "hudson.model.Queue", fields: func() map[string]any {
			return map[string]any{"discoverableItems": []any{}, "items": items}
		}})
	case q.Method == http.MethodPost && path == "cancelItem":
		s.cancelItem(q)
	case q.Method == http.MethodGet && len(q.parts) == 5 && q.parts[1] == "item" && q.parts[3] == "api":
		id, _ := strconv.Atoi(q.parts[2])
		i := s.items[id]
		if i == nil || !s.keeper.may(q.who, JobRead) {
			q.notFound()
			return
		}
		s.sendJSON(q, s.itemBean(q, i))
	default:
		q.notFound()
	}
}

func (s *Server) cancelItem(q *request) {
	id, _ := strconv.Atoi(q.form.Get("id"))
	i := s.items[id]
	switch {
	case i == nil:
		q.notFound()
	case !s.allow(q, JobCancel):
	case !s.cancel(i):
		q.oops()
	default:
		q.w.WriteHeader(http.StatusNoContent)
	}
}

func (s *Server) itemBean(q *request, i *item) bean {
	brief := []string{"id", "url", "why", "task", "actions", "blocked", "buildable", "inQueueSince", "params", "stuck"}
	class := map[state]string{waiting: "WaitingItem", blocked: "BlockedItem", buildable: "BuildableItem", left: "LeftItem"}[i.state]
	return bean{class: "hudson.model.Queue$" + class, brief: brief, fields: func() map[string]any {
		var given strings.Builder
		for _, p := range i.params {
			given.WriteString("\n" + p.Name + "=" + p.Value)
		}
		actions := s.actions(i.params, i.causes, i.slot != nil && len(i.params) > 0)
		out := map[string]any{
			"actions": actions[:len(actions)-1], "blocked": i.state == blocked, "buildable": i.state == buildable, "id": i.id,
			"inQueueSince": i.since.UnixMilli(), "params": given.String(), "stuck": false,
			"task": map[string]any{"_class": i.job.class(), "name": i.job.name, "url": s.base(q) + "job/" + i.job.name + "/", "color": i.job.color()},
			"url":  fmt.Sprintf("queue/item/%d/", i.id), "why": nil,
		}
		switch i.state {
		case waiting:
			out["why"] = i.waitingFor(s.quieting)
			out["timestamp"] = i.due.UnixMilli()
		case blocked:
			out["why"], out["buildableStartMilliseconds"] = s.blockedBy(i), i.ready.UnixMilli()
		case buildable:
			out["why"], out["buildableStartMilliseconds"], out["pending"] = i.why, i.ready.UnixMilli(), false
		case left:
			out["cancelled"], out["executable"] = i.cancelled, nil
			if i.build != nil {
				out["executable"] = s.buildBean(q, i.build)
			}
		}
		return out
	}}
}

// waitingFor is why an item is still waiting.
func (i *item) waitingFor(quieting bool) string {
	if quieting {
		return "Jenkins is about to shut down"
	}
	return "In the quiet period. Expires in " + spanText(max(time.Until(i.due), 0))
}
