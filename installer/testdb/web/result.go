package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/testcases"
)

const (
	// maxDetails is how much of the details a page shows, in bytes.
	maxDetails = 256 << 10
	// maxLinks is how many links of a result a page shows.
	maxLinks = 500
)

// A link is an address of a result's details; what is no address of the web
// is shown, but not linked.
type link struct{ Text, Href string }

var objectID = regexp.MustCompile(`^[0-9a-f]{24}$`)

// result is the page of one result.
func (s *site) result(r *http.Request) (view, error) {
	id := r.PathValue("id")
	unknown := refuse(http.StatusNotFound, "There is no such result", "No result has this id.")
	if !objectID.MatchString(id) {
		return view{}, unknown
	}
	document, err := s.store.Get(r.Context(), testdb.Results, id)
	if errors.Is(err, testdb.ErrNotFound) {
		return view{}, unknown
	}
	if err != nil {
		return view{}, fmt.Errorf("read result %s: %w", id, err)
	}
	found, err := readRecord(document)
	if err != nil {
		return view{}, err
	}
	content := struct {
		record
		Of      *testcases.Case
		Links   []link
		Left    int
		Details string
		Whole   bool
		Archive string
	}{record: found, Archive: s.archive(string(found.BuildTag))}
	content.Of, _ = s.options.Catalog.Case(string(found.Case))
	details, err := readDetails(document)
	if err != nil {
		return view{}, err
	}
	content.Links, content.Left = s.linksOf(details)
	if details != nil {
		content.Details, content.Whole = pretty(details, maxDetails)
	}
	return view{page: "result", Title: string(found.Case) + ", result " + id, Content: content}, nil
}

// linksOf returns the links that Xtesting put into the details of a result
// (spec/testapi-xtesting.md, b.5), and how many more there are.
func (s *site) linksOf(details json.RawMessage) (links []link, left int) {
	var has struct {
		Links []text `json:"links"`
	}
	if json.Unmarshal(details, &has) != nil {
		return nil, 0 // details may be any JSON
	}
	left = max(0, len(has.Links)-maxLinks)
	for _, address := range has.Links[:len(has.Links)-left] {
		links = append(links, link{string(address), s.resolve(safeLink(string(address)))})
	}
	return links, left
}

// resolve makes a relative link one to the files of the campaigns.
func (s *site) resolve(address string) string {
	if s.options.FilesURL == nil || address == "" {
		return address
	}
	to, err := s.options.FilesURL.Parse(address)
	if err != nil {
		return ""
	}
	return to.String()
}
