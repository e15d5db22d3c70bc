package testdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
)

// A scenario says which test cases a project runs on which version of which
// installer, and how well. Its parts are read as the old server read them:
// what is left out is empty (spec/testapi-xtesting.md, a.2).
type (
	installer struct {
		Installer string    `json:"installer"`
		Versions  []version `json:"versions"`
	}
	version struct {
		Owner    json.RawMessage `json:"owner"`
		Version  string          `json:"version"`
		Projects []project       `json:"projects"`
	}
	project struct {
		Project         string           `json:"project"`
		Customs         []string         `json:"customs"`
		Scores          []score          `json:"scores"`
		TrustIndicators []trustIndicator `json:"trust_indicators"`
	}
	score struct {
		Date  json.RawMessage `json:"date"`
		Score json.RawMessage `json:"score"`
	}
	trustIndicator struct {
		Date   json.RawMessage `json:"date"`
		Status json.RawMessage `json:"status"`
	}
)

// fill puts the defaults where nothing was given.
func (i *installer) fill() {
	i.Versions = orEmpty(i.Versions)
	for n := range i.Versions {
		i.Versions[n].fill()
	}
}

func (v *version) fill() {
	v.Owner = orDefault(v.Owner, "null")
	v.Projects = orEmpty(v.Projects)
	for n := range v.Projects {
		v.Projects[n].fill()
	}
}

func (p *project) fill() {
	p.Customs = orEmpty(p.Customs)
	p.Scores = orEmpty(p.Scores)
	for n := range p.Scores {
		p.Scores[n].fill()
	}
	p.TrustIndicators = orEmpty(p.TrustIndicators)
	for n := range p.TrustIndicators {
		p.TrustIndicators[n].fill()
	}
}

func (s *score) fill() {
	s.Date, s.Score = orDefault(s.Date, "null"), orDefault(s.Score, `"0"`)
}

func (t *trustIndicator) fill() {
	t.Date, t.Status = orDefault(t.Date, "null"), orDefault(t.Status, `"silver"`)
}

func (i *installer) name() string { return i.Installer }
func (v *version) name() string   { return v.Version }
func (p *project) name() string   { return p.Project }

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orDefault(raw json.RawMessage, initial string) json.RawMessage {
	if raw == nil {
		return json.RawMessage(initial)
	}
	return raw
}

// installersValue returns the installers of a scenario as they are stored.
func installersValue(raw json.RawMessage) ([]byte, error) {
	var installers []installer
	if err := json.Unmarshal(raw, &installers); err != nil {
		return nil, fmt.Errorf("installers: %w", err)
	}
	installers = orEmpty(installers)
	for n := range installers {
		installers[n].fill()
	}
	encoded, err := json.Marshal(installers)
	if err != nil {
		return nil, err
	}
	return python(encoded), nil
}

// listScenarios answers with the scenarios of a name, and those that have an
// installer, version and project.
func (s *Server) listScenarios(w http.ResponseWriter, r *http.Request) error {
	a, err := parseArguments(r.URL.RawQuery)
	if err != nil {
		return err
	}
	where, filters, none := locator{}, []Filter{}, false
	for key, value := range a {
		switch key {
		case "installer", "version", "project":
			where[key] = value
		default:
			f, known := fieldOf(Scenarios, key)
			none = none || !known || f.name == "_id"
			filters = append(filters, Filter{key, value})
		}
	}
	var documents iter.Seq2[Document, error] = nothing
	if !none && storableFilters(filters) {
		documents = where.among(s.store.Find(r.Context(), Scenarios, Query{Filters: filters}))
	}
	return writeList(w, r, "", Scenarios, documents)
}

// A locator names a part of a scenario: its installer, version and project.
type locator map[string]string

// among keeps the scenarios that have what the locator names.
func (l locator) among(documents iter.Seq2[Document, error]) iter.Seq2[Document, error] {
	return func(yield func(Document, error) bool) {
		for document, err := range documents {
			if err == nil && !l.in(document) {
				continue
			}
			if !yield(document, err) {
				return
			}
		}
	}
}

// in says whether one installer of a scenario has what the locator names.
// Version and project need not belong together, as ever.
func (l locator) in(document Document) bool {
	if len(l) == 0 {
		return true
	}
	installers, err := installersOf(document)
	return err == nil && slices.ContainsFunc(installers, l.inInstaller)
}

func (l locator) inInstaller(i installer) bool {
	isVersion := func(v version) bool { return l.is("version", v.Version) }
	isProject := func(p project) bool { return l.is("project", p.Project) }
	hasProject := func(v version) bool { return slices.ContainsFunc(v.Projects, isProject) }
	return l.is("installer", i.Installer) &&
		(!l.has("version") || slices.ContainsFunc(i.Versions, isVersion)) &&
		(!l.has("project") || slices.ContainsFunc(i.Versions, hasProject))
}

func (l locator) has(level string) bool {
	_, ok := l[level]
	return ok
}

// is says whether the locator takes a name at a level.
func (l locator) is(level, name string) bool {
	wanted, ok := l[level]
	return !ok || wanted == name
}

// String shows the locator as the old server's query.
func (l locator) String() string {
	var parts []string
	for _, level := range []struct{ name, path string }{
		{"installer", "installer"}, {"version", "versions.version"}, {"project", "versions.projects.project"},
	} {
		if name, ok := l[level.name]; ok {
			parts = append(parts, fmt.Sprintf("'%s': %s", level.path, pythonRepr(name)))
		}
	}
	return strings.Join(parts, ", ")
}

func installersOf(document Document) (installers []installer, err error) {
	var scenario struct {
		Installers []installer `json:"installers"`
	}
	if err := json.Unmarshal(document.Body, &scenario); err != nil {
		return nil, fmt.Errorf("read the stored scenario %q: %w", document.Key, err)
	}
	return scenario.Installers, nil
}

// errNoPart says that a scenario has not what a locator names.
var errNoPart = errors.New("no such part of the scenario")

// An edit changes the installers of a scenario, at what a locator names, to
// what a body says.
type edit func(installers *[]installer, at locator, body json.RawMessage) error

// editScenario changes a part of a scenario, which arguments of the query
// name, and answers with nothing.
func (s *Server) editScenario(change edit, levels ...string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := parseArguments(r.URL.RawQuery)
		if err != nil {
			return err
		}
		at := locator{}
		for _, level := range levels {
			value, ok := a[level]
			if !ok {
				return fail(http.StatusBadRequest, "Bad Request [missing argument %s]", level)
			}
			at[level] = value
		}
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		if err := s.edit(r.Context(), keyFrom(Scenarios, r), change, at, body); err != nil {
			return err
		}
		return writeJSON(w, r, nil)
	}
}

// edit changes a part of a scenario.
func (s *Server) edit(ctx context.Context, name string, change edit, at locator, body json.RawMessage) error {
	s.tied.Lock()
	defer s.tied.Unlock()
	document, err := s.get(ctx, Scenarios, name, http.StatusNotFound)
	if err != nil {
		return err
	}
	document, err = edited(document, change, at, body)
	if errors.Is(err, errNoPart) {
		return fail(http.StatusNotFound, "Could Not Found scenarios [{'name': %s, 'installers': {'$elemMatch': {%s}}}]", pythonRepr(name), at)
	}
	if err != nil {
		return err
	}
	return s.replace(ctx, Scenarios, name, document)
}

// edited returns a changed scenario.
func edited(document Document, change edit, at locator, body json.RawMessage) (Document, error) {
	installers, err := installersOf(document)
	if err != nil {
		return Document{}, err
	}
	if err := change(&installers, at, body); err != nil {
		return Document{}, err
	}
	o, _ := parseObject(document.Body)
	if o["installers"], err = json.Marshal(installers); err != nil {
		return Document{}, err
	}
	return newDocument(Scenarios, o)
}

// onScenario, onInstaller, onVersion and onProject make handlers of what
// changes a scenario at that level.
func (s *Server) onScenario(change func(*[]installer, json.RawMessage) error) func(http.ResponseWriter, *http.Request) error {
	return s.editScenario(func(installers *[]installer, _ locator, body json.RawMessage) error {
		return change(installers, body)
	})
}

func (s *Server) onInstaller(change func(*installer, json.RawMessage) error) func(http.ResponseWriter, *http.Request) error {
	return s.editScenario(func(installers *[]installer, at locator, body json.RawMessage) error {
		i, err := locate(*installers, at["installer"])
		if err != nil {
			return err
		}
		return change(i, body)
	}, "installer")
}

func (s *Server) onVersion(change func(*version, json.RawMessage) error) func(http.ResponseWriter, *http.Request) error {
	return s.editScenario(func(installers *[]installer, at locator, body json.RawMessage) error {
		v, err := locateVersion(*installers, at)
		if err != nil {
			return err
		}
		return change(v, body)
	}, "installer", "version")
}

func (s *Server) onProject(change func(*project, json.RawMessage) error) func(http.ResponseWriter, *http.Request) error {
	return s.editScenario(func(installers *[]installer, at locator, body json.RawMessage) error {
		v, err := locateVersion(*installers, at)
		if err != nil {
			return err
		}
		p, err := locate(v.Projects, at["project"])
		if err != nil {
			return err
		}
		return change(p, body)
	}, "installer", "version", "project")
}

func locateVersion(installers []installer, at locator) (*version, error) {
	i, err := locate(installers, at["installer"])
	if err != nil {
		return nil, err
	}
	return locate(i.Versions, at["version"])
}

// part is an installer, version or project.
type part[T any] interface {
	*T
	name() string
	fill()
}

// locate finds a part by its name.
func locate[T any, P part[T]](list []T, name string) (P, error) {
	for n := range list {
		if p := P(&list[n]); p.name() == name {
			return p, nil
		}
	}
	return nil, errNoPart
}

// add returns a list with the parts that a body lists, none of which may be
// there yet.
func add[T any, P part[T]](list []T, what string, body json.RawMessage) ([]T, error) {
	var added []T
	if err := decodeStrict(body, &added); err != nil {
		return nil, err
	}
	var exist []string
	for n := range added {
		p := P(&added[n])
		p.fill()
		if p.name() == "" {
			return nil, badFormat(errors.New(what + " Missing"))
		}
		if _, err := locate[T, P](list, p.name()); err == nil {
			exist = append(exist, pythonRepr(p.name()))
			continue
		}
		list = append(list, added[n])
	}
	if exist != nil {
		return nil, fail(http.StatusConflict, "%ss [[%s]] Already Exists", what, strings.Join(exist, ", "))
	}
	return list, nil
}

// remove returns a list without the parts whose names a body lists.
func remove[T any, P part[T]](list []T, body json.RawMessage) ([]T, error) {
	var names []string
	if err := decodeStrict(body, &names); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(t T) bool { return slices.Contains(names, P(&t).name()) }), nil
}

// decodeStrict reads a body that may hold nothing unknown.
func decodeStrict(body json.RawMessage, to any) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return badFormat(err)
	}
	return nil
}

func addInstallers(list *[]installer, body json.RawMessage) (err error) {
	*list, err = add(*list, "installer", body)
	return err
}

func setInstallers(list *[]installer, body json.RawMessage) (err error) {
	*list, err = add([]installer{}, "installer", body)
	return err
}

func deleteInstallers(list *[]installer, body json.RawMessage) (err error) {
	*list, err = remove(*list, body)
	return err
}

func addVersions(i *installer, body json.RawMessage) (err error) {
	i.Versions, err = add(i.Versions, "version", body)
	return err
}

func setVersions(i *installer, body json.RawMessage) (err error) {
	i.Versions, err = add([]version{}, "version", body)
	return err
}

func deleteVersions(i *installer, body json.RawMessage) (err error) {
	i.Versions, err = remove(i.Versions, body)
	return err
}

func addProjects(v *version, body json.RawMessage) (err error) {
	v.Projects, err = add(v.Projects, "project", body)
	return err
}

func setProjects(v *version, body json.RawMessage) (err error) {
	v.Projects, err = add([]project{}, "project", body)
	return err
}

func deleteProjects(v *version, body json.RawMessage) (err error) {
	v.Projects, err = remove(v.Projects, body)
	return err
}

func setOwner(v *version, body json.RawMessage) error {
	o, ok := parseObject(body)
	if !ok {
		return errNoObject()
	}
	v.Owner = orDefault(o["owner"], "null")
	return nil
}

func addCustoms(p *project, body json.RawMessage) error {
	return changeCustoms(p, body, func(customs []string) []string { return distinct(append(p.Customs, customs...)) })
}

func setCustoms(p *project, body json.RawMessage) error {
	return changeCustoms(p, body, distinct)
}

func deleteCustoms(p *project, body json.RawMessage) error {
	return changeCustoms(p, body, func(customs []string) []string {
		return slices.DeleteFunc(p.Customs, func(s string) bool { return slices.Contains(customs, s) })
	})
}

func changeCustoms(p *project, body json.RawMessage, change func([]string) []string) error {
	var customs []string
	if err := decodeStrict(body, &customs); err != nil {
		return err
	}
	p.Customs = change(customs)
	return nil
}

// distinct drops what a list names again.
func distinct(list []string) []string {
	kept, seen := []string{}, map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			kept, seen[s] = append(kept, s), true
		}
	}
	return kept
}

func addScore(p *project, body json.RawMessage) error {
	var added score
	if err := json.Unmarshal(body, &added); err != nil {
		return badFormat(err)
	}
	added.fill()
	p.Scores = append(p.Scores, added)
	return nil
}

func addTrustIndicator(p *project, body json.RawMessage) error {
	var added trustIndicator
	if err := json.Unmarshal(body, &added); err != nil {
		return badFormat(err)
	}
	added.fill()
	p.TrustIndicators = append(p.TrustIndicators, added)
	return nil
}
