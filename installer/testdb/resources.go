package testdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// maxBody is the largest request body that is read, in bytes.
const maxBody = 16 << 20

// storeTime is how long storing may take after a client has gone. What came
// in whole is stored even if nobody waits for the answer.
const storeTime = 30 * time.Second

// readBody reads a JSON body of any kind.
func readBody(w http.ResponseWriter, r *http.Request) (json.RawMessage, error) {
	if !strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), jsonType) {
		return nil, fail(http.StatusBadRequest, "No Body") // the old server reads no other
	}
	if r.ContentLength > maxBody {
		return nil, &http.MaxBytesError{Limit: maxBody}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, unread(err)
	}
	if len(body) == 0 {
		return nil, fail(http.StatusBadRequest, "No Body")
	}
	raw, err := parseJSON(body)
	if err != nil {
		return nil, badFormat(err)
	}
	if strings.TrimSpace(string(raw[:min(len(raw), 64)])) == "null" {
		return nil, fail(http.StatusBadRequest, "No Body")
	}
	return raw, nil
}

// unread says why a body could not be read.
func unread(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fail(http.StatusRequestTimeout, "The body did not arrive within %s", readTime)
	}
	return fail(http.StatusBadRequest, "The body did not arrive whole: %v", err)
}

// readObject reads a JSON body that must be an object.
func readObject(w http.ResponseWriter, r *http.Request) (object, error) {
	raw, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	o, ok := parseObject(raw)
	if !ok {
		return nil, errNoObject()
	}
	return o, nil
}

// badFormat says what is wrong with a body.
func badFormat(err error) error {
	return fail(http.StatusBadRequest, "Bad Format [%v]", err)
}

func errNoObject() error { return badFormat(errors.New("the body must be a JSON object")) }

// require names the first name that is missing or no text.
func (o object) require(keys ...string) error {
	for _, key := range keys {
		if o.missing(key) {
			return fail(http.StatusBadRequest, "%s Missing", key)
		}
		if _, ok := o.text(key); !ok {
			return fail(http.StatusBadRequest, "%s must be a text", key)
		}
	}
	return nil
}

// stamp sets the fields that are the server's own.
func (s *Server) stamp(c Collection, o object) {
	for _, f := range fieldsOf(c) {
		if f.own {
			o.set(f.name, "")
		}
	}
	o.set("_id", s.ids.next())
	if _, ok := fieldOf(c, "creation_date"); ok {
		o.set("creation_date", s.options.Clock().Format("2006-01-02 15:04:05.000000"))
	}
}

// A parent is a document that a new one refers to, and that must be there.
type parent struct {
	in  Collection
	key string
}

// create stores a new document and answers with where it is.
func (s *Server) create(w http.ResponseWriter, r *http.Request, c Collection, o object, parents ...parent) error {
	s.stamp(c, o)
	document, err := newDocument(c, o)
	if err != nil {
		return badFormat(err)
	}
	if err := s.insert(r.Context(), c, document, parents); err != nil {
		return err
	}
	last := document.ID
	if c != Results && c != DeployResults {
		last = nameOf(c, document.Key)
	}
	extendWrite(w)
	return writeJSON(w, r, fmt.Appendf(nil, `{"href": %s}`, pythonText(hrefOf(r, last))))
}

// insert stores a new document if what it refers to is there. Locks are held
// here, and never while a client sends or reads.
func (s *Server) insert(ctx context.Context, c Collection, document Document, parents []parent) error {
	s.tied.RLock()
	defer s.tied.RUnlock()
	for _, p := range parents {
		if _, err := s.get(ctx, p.in, p.key, http.StatusForbidden); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	switch err := s.store.Insert(ctx, c, document); {
	case errors.Is(err, ErrExists):
		return fail(http.StatusForbidden, "%s Already Exists", describe(c, document.Key))
	case err != nil:
		return fmt.Errorf("store in %s: %w", c, err)
	}
	return nil
}

// hrefOf is where what a request created is to be found, by the request's
// own address: the query, if any, stays in the middle, as ever.
func hrefOf(r *http.Request, last string) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.RequestURI() + "/" + url.PathEscape(last)
}

// describe names a document as the old server does in its messages.
func describe(c Collection, key string) string {
	switch c {
	case TestCases:
		project, name, _ := strings.Cut(key, "\x00")
		return fmt.Sprintf("%s [{'project_name': %s, 'name': %s}]", c, pythonRepr(project), pythonRepr(name))
	case Results, DeployResults:
		if _, ok := parseObjectID(key); ok {
			return fmt.Sprintf("%s [{'_id': ObjectId('%s')}]", c, key)
		}
		return fmt.Sprintf("%s [{'_id': %s}]", c, pythonRepr(key))
	}
	return fmt.Sprintf("%s [{'name': %s}]", c, pythonRepr(key))
}

// keyFrom is the key of the document that a path names.
func keyFrom(c Collection, r *http.Request) string {
	if c == TestCases {
		return CaseKey(r.PathValue("project"), r.PathValue("name"))
	}
	return r.PathValue("name")
}

// get finds a document by its key. A missing one is a failure of that code.
func (s *Server) get(ctx context.Context, c Collection, key string, code int) (Document, error) {
	notFound := fail(code, "Could Not Found %s", describe(c, key))
	if !storableKey(c, key) {
		return Document{}, notFound
	}
	document, err := s.store.Get(ctx, c, key)
	if errors.Is(err, ErrNotFound) {
		return Document{}, notFound
	}
	if err != nil {
		return Document{}, fmt.Errorf("read from %s: %w", c, err)
	}
	return document, nil
}

// storableKey says whether a document can have that key: names have no NUL
// and a bounded length, so that every store can find them.
func storableKey(c Collection, key string) bool {
	names, wanted := strings.Split(key, "\x00"), 1
	if c == TestCases {
		wanted = 2
	}
	return len(names) == wanted && len(names[0]) <= maxText && len(names[wanted-1]) <= maxText
}

// getNamed answers with one pod, project, case or scenario.
func (s *Server) getNamed(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		document, err := s.get(r.Context(), c, keyFrom(c, r), http.StatusNotFound)
		if err != nil {
			return err
		}
		return writeJSON(w, r, document.Body)
	}
}

// createNamed stores a new pod, project or scenario.
func (s *Server) createNamed(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		o, err := readObject(w, r)
		if err != nil {
			return err
		}
		if err := o.require("name"); err != nil {
			return err
		}
		return s.create(w, r, c, o)
	}
}

// createCase stores a new case of the project in the path.
func (s *Server) createCase(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	if err := o.require("name"); err != nil {
		return err
	}
	project := r.PathValue("project")
	o.set("project_name", project)
	return s.create(w, r, TestCases, o, parent{Projects, project})
}

// listNamed answers with all documents of a collection, the oldest first, or
// with that of a name. Cases are those of the project in the path.
func (s *Server) listNamed(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := parseArguments(r.URL.RawQuery)
		if err != nil {
			return err
		}
		var q Query
		if name, ok := a["name"]; ok {
			q.Filters = append(q.Filters, Filter{"name", name})
		}
		if c == TestCases {
			q.Filters = append(q.Filters, Filter{"project_name", r.PathValue("project")})
		}
		documents := s.store.Find(r.Context(), c, q)
		if !storableFilters(q.Filters) {
			documents = nothing
		}
		return writeList(w, r, "", c, documents)
	}
}

// storableFilters says whether a document can meet filters: no text that is
// looked for holds a NUL, which not every store can compare.
func storableFilters(filters []Filter) bool {
	return !slices.ContainsFunc(filters, func(f Filter) bool { return strings.ContainsRune(f.Path+f.Value, 0) })
}

// nothing is no documents.
func nothing(func(Document, error) bool) {}

// updateNamed changes fields of a project, case or scenario.
func (s *Server) updateNamed(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		changes, err := readObject(w, r)
		if err != nil {
			return err
		}
		updated, err := s.update(r.Context(), c, keyFrom(c, r), changes)
		if err != nil {
			return err
		}
		return writeJSON(w, r, updated.Body)
	}
}

// update changes a document that nothing refers to.
func (s *Server) update(ctx context.Context, c Collection, key string, changes object) (updated Document, err error) {
	s.tied.Lock()
	defer s.tied.Unlock()
	old, err := s.get(ctx, c, key, http.StatusNotFound)
	if err != nil {
		return Document{}, err
	}
	updated, changed, err := patch(c, old, changes)
	if err != nil {
		return Document{}, err
	}
	if err := s.mayUpdate(ctx, c, old, updated, changes); err != nil {
		return Document{}, err
	}
	if !changed {
		return Document{}, fail(http.StatusForbidden, "Nothing to update")
	}
	return updated, s.replace(ctx, c, key, updated)
}

// patch applies changes to a document. As ever, null changes nothing.
func patch(c Collection, old Document, changes object) (updated Document, changed bool, err error) {
	o, ok := parseObject(old.Body)
	if !ok {
		return Document{}, false, fmt.Errorf("the stored %s %q is no object", c, old.Key)
	}
	for key, value := range changes {
		f, known := fieldOf(c, key)
		switch {
		case !known:
			return Document{}, false, fail(http.StatusBadRequest, "Bad Format [%s is no field of %s]", pythonRepr(key), c)
		case string(value) == "null" || sameJSON(value, o[key]):
		case f.own || f.kind == installerList:
			return Document{}, false, fail(http.StatusBadRequest, "Bad Format [%s cannot be changed]", key)
		default:
			o[key] = value
		}
	}
	updated, err = newDocument(c, o)
	if err != nil {
		return Document{}, false, badFormat(err)
	}
	return updated, string(updated.Body) != string(old.Body), nil
}

// mayUpdate checks that a new name is free and the old one not referred to.
// A body that repeats the name may change the rest, as ever.
func (s *Server) mayUpdate(ctx context.Context, c Collection, old, updated Document, changes object) error {
	if updated.Key != old.Key {
		switch _, err := s.store.Get(ctx, c, updated.Key); {
		case err == nil:
			return fail(http.StatusForbidden, "%s Already Exists", describe(c, updated.Key))
		case !errors.Is(err, ErrNotFound):
			return fmt.Errorf("read from %s: %w", c, err)
		}
	}
	name := nameOf(c, old.Key)
	if given, ok := changes.text("name"); !ok || given != name {
		if err := s.untied(ctx, c, name); err != nil {
			return err
		}
	}
	if c != TestCases {
		return nil
	}
	project, _, _ := strings.Cut(updated.Key, "\x00")
	_, err := s.get(ctx, Projects, project, http.StatusForbidden)
	return err
}

// nameOf is the name in a key.
func nameOf(c Collection, key string) string {
	if c == TestCases {
		_, key, _ = strings.Cut(key, "\x00")
	}
	return key
}

// replace stores a changed document.
func (s *Server) replace(ctx context.Context, c Collection, key string, updated Document) error {
	switch err := s.store.Replace(ctx, c, key, updated); {
	case errors.Is(err, ErrNotFound):
		return fail(http.StatusNotFound, "Could Not Found %s", describe(c, key))
	case errors.Is(err, ErrExists):
		return fail(http.StatusForbidden, "%s Already Exists", describe(c, updated.Key))
	case err != nil:
		return fmt.Errorf("change in %s: %w", c, err)
	}
	return nil
}

// deleteNamed removes a pod, project, case or scenario.
func (s *Server) deleteNamed(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.delete(r.Context(), c, keyFrom(c, r)); err != nil {
			return err
		}
		return writeJSON(w, r, nil)
	}
}

// delete removes a document that nothing refers to.
func (s *Server) delete(ctx context.Context, c Collection, key string) error {
	s.tied.Lock()
	defer s.tied.Unlock()
	if _, err := s.get(ctx, c, key, http.StatusNotFound); err != nil {
		return err
	}
	if err := s.untied(ctx, c, nameOf(c, key)); err != nil {
		return err
	}
	if err := s.store.Delete(ctx, c, key); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete from %s: %w", c, err)
	}
	return nil
}

// untied refuses what others refer to by name: a project that has cases, a
// case (of any project) or a pod that has results.
func (s *Server) untied(ctx context.Context, c Collection, name string) error {
	var in Collection
	var path string
	switch c {
	case Projects:
		in, path = TestCases, "project_name"
	case TestCases:
		in, path = Results, "case_name"
	case Pods:
		in, path = Results, "pod_name"
	default:
		return nil
	}
	for _, err := range s.store.Find(ctx, in, Query{Filters: []Filter{{path, name}}, Limit: 1}) {
		if err != nil {
			return fmt.Errorf("look for what refers to %s: %w", describe(c, name), err)
		}
		return fail(http.StatusUnauthorized, "Selected resource is associated with other resources")
	}
	return nil
}
