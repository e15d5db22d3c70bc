package testdb

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
)

// createResult stores a result of a pod, project and case that are known
// (spec/testapi-xtesting.md, a.3).
func (s *Server) createResult(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	if err := o.require("pod_name", "project_name", "case_name"); err != nil {
		return err
	}
	if err := o.requireCriteria(); err != nil {
		return err
	}
	pod, _ := o.text("pod_name")
	project, _ := o.text("project_name")
	name, _ := o.text("case_name")
	return s.create(w, r, Results, o, parent{Pods, pod}, parent{Projects, project}, parent{TestCases, CaseKey(project, name)})
}

func (s *Server) createDeployResult(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	if err := o.require("pod_name", "installer", "scenario"); err != nil {
		return err
	}
	if err := o.requireCriteria(); err != nil {
		return err
	}
	pod, _ := o.text("pod_name")
	return s.create(w, r, DeployResults, o, parent{Pods, pod})
}

// requireCriteria wants PASS or FAIL, in any case.
func (o object) requireCriteria() error {
	if criteria, ok := o.text("criteria"); ok {
		switch strings.ToUpper(criteria) {
		case "PASS", "FAIL":
			return nil
		}
	}
	return fail(http.StatusBadRequest, "criteria must be in ['PASS', 'FAIL']")
}

// getByID answers with one result.
func (s *Server) getByID(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, ok := parseObjectID(r.PathValue("id"))
		if !ok {
			return fail(http.StatusNotFound, "Could Not Found %s", describe(c, r.PathValue("id")))
		}
		document, err := s.get(r.Context(), c, id, http.StatusNotFound)
		if err != nil {
			return err
		}
		return writeJSON(w, r, document.Body)
	}
}

// listResults answers with a page of results, or with all of them.
func (s *Server) listResults(c Collection) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := parseListQuery(c, r.URL.RawQuery, s.options.Clock(), s.options.PerPage)
		if err != nil {
			return err
		}
		if q.page < 1 {
			return writeList(w, r, "", c, s.find(r.Context(), c, q))
		}
		total, err := s.count(r.Context(), c, q)
		if err != nil {
			return fmt.Errorf("count in %s: %w", c, err)
		}
		pages, err := q.cut(total)
		if err != nil {
			return err
		}
		pagination := fmt.Sprintf(`"pagination": {"current_page": %d, "total_pages": %d}, `, q.page, pages)
		return writeList(w, r, pagination, c, s.find(r.Context(), c, q))
	}
}

// cut sets the part of the list that a page shows, and returns how many
// pages there are.
func (q *listQuery) cut(total int) (pages int, err error) {
	if q.last > 0 {
		total = min(total, q.last)
	}
	if total == 0 {
		q.none = true
		return 0, nil
	}
	pages = (total + q.perPage - 1) / q.perPage
	if q.page > pages {
		return 0, fail(http.StatusBadRequest, "Request page > total_pages [%d]", pages)
	}
	q.Offset = (q.page - 1) * q.perPage
	q.Limit = min(q.perPage, total-q.Offset)
	return pages, nil
}

// find returns the documents that a query selects, cut to its page.
func (s *Server) find(ctx context.Context, c Collection, q listQuery) iter.Seq2[Document, error] {
	if q.none {
		return nothing
	}
	if len(q.numbers) == 0 {
		return s.store.Find(ctx, c, q.Query)
	}
	return func(yield func(Document, error) bool) {
		skip, left := q.Offset, q.Limit
		for document, err := range s.matching(ctx, c, q) {
			if err == nil && skip > 0 {
				skip--
				continue
			}
			if !yield(document, err) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// matching returns all documents that meet a query with conditions that
// stores do not know.
func (s *Server) matching(ctx context.Context, c Collection, q listQuery) iter.Seq2[Document, error] {
	all := q.Query
	all.Limit, all.Offset = 0, 0
	return func(yield func(Document, error) bool) {
		for document, err := range s.store.Find(ctx, c, all) {
			if (err != nil || q.match(document)) && !yield(document, err) {
				return
			}
		}
	}
}

// count returns how many documents a query selects, on all pages.
func (s *Server) count(ctx context.Context, c Collection, q listQuery) (total int, err error) {
	if q.none {
		return 0, nil
	}
	if len(q.numbers) == 0 {
		return s.store.Count(ctx, c, q.Query)
	}
	for _, err := range s.matching(ctx, c, q) {
		if err != nil {
			return 0, err
		}
		total++
	}
	return total, nil
}
