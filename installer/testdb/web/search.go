package web

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/anuket-project/xtci/installer/testdb"
)

// A question is what the search form asks for. Empty fields ask for nothing.
type question struct {
	Case, BuildTag, Pod, Criteria string
	// From and To bound the start: From <= start < To.
	From, To string
	Page     int
}

// A fault is a field that was filled in wrongly: its name and what to do.
type fault struct{ Field, Text string }

// search is the form, and the results that it found.
func (s *site) search(r *http.Request) (view, error) {
	asked, faults := readQuestion(r.URL.Query())
	content := struct {
		question
		Faults []fault
		Names  []string
		Total  int
		Found  []record
		Pages  pages
	}{question: asked, Faults: faults}
	for i := range s.options.Catalog.Cases {
		content.Names = append(content.Names, s.options.Catalog.Cases[i].Name)
	}
	if len(faults) > 0 {
		return view{page: "search", Title: "Search", Content: content, code: http.StatusBadRequest}, nil
	}
	q := asked.query()
	total, err := s.store.Count(r.Context(), testdb.Results, q)
	if err != nil {
		return view{}, fmt.Errorf("count the results of a search: %w", err)
	}
	content.Total = total
	content.Pages = pages{Page: asked.Page, Total: max(1, (total+perPage-1)/perPage)}
	if asked.Page > content.Pages.Total {
		return view{}, refuse(http.StatusNotFound, "There is no such page", fmt.Sprintf("The search found %s: page %s is the last.", plural(total, "result"), thousands(content.Pages.Total)))
	}
	if asked.Page > 1 {
		content.Pages.Newer = asked.address(asked.Page - 1)
	}
	if asked.Page < content.Pages.Total {
		content.Pages.Older = asked.address(asked.Page + 1)
	}
	q.Limit, q.Offset = perPage, (asked.Page-1)*perPage
	for document, err := range s.store.Find(r.Context(), testdb.Results, q) {
		if err != nil {
			return view{}, fmt.Errorf("search results: %w", err)
		}
		found, err := readRecord(document)
		if err != nil {
			return view{}, err
		}
		content.Found = append(content.Found, found)
	}
	return view{page: "search", Title: "Search", Content: content}, nil
}

// readQuestion reads the form, and lists what is wrong with it. White space
// round values is dropped, as the API does.
func readQuestion(form url.Values) (question, []fault) {
	get := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	q := question{Case: get("case"), BuildTag: get("build_tag"), Pod: get("pod"), Criteria: get("criteria"), From: get("from"), To: get("to")}
	var faults []fault
	for _, name := range []struct {
		label string
		value *string
	}{{"Test case", &q.Case}, {"Build tag", &q.BuildTag}, {"Pod", &q.Pod}} {
		if !searchable(*name.value) {
			*name.value = ""
			faults = append(faults, fault{name.label, fmt.Sprintf("give a text of at most %s bytes", thousands(maxName))})
		}
	}
	switch q.Criteria {
	case "", "PASS", "FAIL":
	default:
		q.Criteria = ""
		faults = append(faults, fault{"Recorded", "choose PASS or FAIL"})
	}
	for _, date := range []struct {
		label string
		value *string
	}{{"Started from", &q.From}, {"Started before", &q.To}} {
		if moment, ok := startDate(*date.value); ok {
			*date.value = moment
		} else {
			*date.value = cut(*date.value)
			faults = append(faults, fault{date.label, "give a date such as 2026-11-23 or 2026-11-23 18:30"})
		}
	}
	var err error
	if q.Page, err = pageNumber(get("page")); err != nil {
		q.Page = 1
		faults = append(faults, fault{"Page", "give a number from 1 to " + thousands(maxPage)})
	}
	return q, faults
}

// searchable says whether a name can be looked for.
func searchable(name string) bool {
	return len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsRune(name, 0)
}

var dateForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?$`)

// startDate returns a date as records have it, with which it is compared as
// text; "" stays as it is.
func startDate(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	if !dateForm.MatchString(s) {
		return "", false
	}
	s = strings.Replace(s, "T", " ", 1)
	_, err := time.Parse(recordTime[:len(s)], s)
	return s, err == nil
}

// cut is the beginning of what was filled in wrongly.
func cut(s string) string {
	const shown = 40
	return strings.ToValidUTF8(s[:min(len(s), shown)], "")
}

// query is the question to the store.
func (q question) query() testdb.Query {
	asked := testdb.Query{Newest: true}
	for _, filter := range []testdb.Filter{
		{Path: "case_name", Value: q.Case},
		{Path: "build_tag", Value: q.BuildTag},
		{Path: "pod_name", Value: q.Pod},
		{Path: "criteria", Value: q.Criteria},
	} {
		if filter.Value != "" {
			asked.Filters = append(asked.Filters, filter)
		}
	}
	if q.From != "" {
		asked.From = &q.From
	}
	if q.To != "" {
		asked.To = &q.To
	}
	return asked
}

// address is where a page of the same question is.
func (q question) address(page int) string {
	form := url.Values{}
	for name, value := range map[string]string{
		"case": q.Case, "build_tag": q.BuildTag, "pod": q.Pod, "criteria": q.Criteria, "from": q.From, "to": q.To,
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	if page > 1 {
		form.Set("page", strconv.Itoa(page))
	}
	return "/search?" + form.Encode()
}
