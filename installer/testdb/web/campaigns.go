package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/testcases"
)

const (
	// perPage is how many campaigns, or results, a page has.
	perPage = 20
	// maxPage is the last page that can be asked for.
	maxPage = 100_000
	// maxRecords is how many records of one campaign are read, the newest.
	// RC2 has 24 cases.
	maxRecords = 500
	// maxRead bounds, in bytes, what is read for one page.
	maxRead = 64 << 20
	// maxName is, in bytes, the longest name that is looked for.
	maxName = 1024
)

// A tally is what the records of a campaign amount to for the mandatory
// cases: the newest record of each case counts.
type tally struct {
	Mandatory, Passed, Failed, Missing int
	// Unknown says that there are more records than were read, and that
	// cases are missing among those.
	Unknown bool
}

// Badge says whether all mandatory cases are recorded PASS.
func (t tally) Badge() badge {
	switch {
	case t.Mandatory == 0:
		return badge{"none", "∅", "No specification for this release"}
	case t.Unknown:
		return badge{"none", "?", "Too many records to tell"}
	case t.Failed > 0:
		return badge{"fail", "✗", "Not all recorded PASS"}
	case t.Missing > 0:
		return badge{"warn", "◐", "Records missing"}
	}
	return badge{"pass", "✓", fmt.Sprintf("All %d recorded PASS", t.Mandatory)}
}

// Whole says that every mandatory case is recorded PASS, where there are any.
func (t tally) Whole() bool { return !t.Unknown && t.Mandatory > 0 && t.Passed == t.Mandatory }

// FailedAt and MissingAt are where their parts of a bar begin.
func (t tally) FailedAt() int  { return t.Passed }
func (t tally) MissingAt() int { return t.Passed + t.Failed }

// records are those of one campaign.
type records struct {
	// of each case, the newest first.
	of map[string][]record
	// cases in the order of their newest record.
	cases []string
	// cut says that there are more.
	cut bool
}

// read reads the newest records of a campaign, and takes what it read from
// the budget, in bytes.
func (s *site) read(ctx context.Context, tag string, budget *int) (records, error) {
	all := records{of: map[string][]record{}}
	n := 0
	q := testdb.Query{Filters: []testdb.Filter{{Path: "build_tag", Value: tag}}, Newest: true, Limit: maxRecords + 1}
	for document, err := range s.store.Find(ctx, testdb.Results, q) {
		if err != nil {
			return records{}, fmt.Errorf("read the records of campaign %q: %w", tag, err)
		}
		if n++; n > maxRecords || *budget <= 0 {
			all.cut = true
			break
		}
		*budget -= len(document.Body)
		r, err := readRecord(document)
		if err != nil {
			return records{}, err
		}
		name := string(r.Case)
		if all.of[name] == nil {
			all.cases = append(all.cases, name)
		}
		all.of[name] = append(all.of[name], r)
	}
	return all, nil
}

// tally counts the mandatory cases of a catalogue.
func (r records) tally(catalog *testcases.Catalog) tally {
	var t tally
	for i := range catalog.Cases {
		if !catalog.Cases[i].Mandatory {
			continue
		}
		t.Mandatory++
		switch of := r.of[catalog.Cases[i].Name]; {
		case len(of) == 0:
			t.Missing++
		case of[0].Passed():
			t.Passed++
		default:
			t.Failed++
		}
	}
	t.Unknown = r.cut && t.Missing > 0
	return t
}

// A campaignRow is one row of the list of campaigns.
type campaignRow struct {
	testdb.CampaignRow
	Took    string
	Tally   tally
	Archive string
}

// pages says where in a list of pages a page is.
type pages struct {
	Page int
	// Total is 0 where it is not known.
	Total int
	// Newer and Older are the addresses of the pages beside it.
	Newer, Older string
}

// home is the list of campaigns.
func (s *site) home(r *http.Request) (view, error) {
	page, err := pageNumber(r.URL.Query().Get("page"))
	if err != nil {
		return view{}, err
	}
	rows, err := s.store.Campaigns(r.Context(), testdb.CampaignQuery{Offset: (page - 1) * perPage, Limit: perPage + 1})
	if err != nil {
		return view{}, fmt.Errorf("list the campaigns: %w", err)
	}
	if len(rows) == 0 && page > 1 {
		return view{}, refuse(http.StatusNotFound, "There is no such page", "The list of campaigns ends before page "+strconv.Itoa(page)+".")
	}
	list := pages{Page: page}
	if page > 1 {
		list.Newer = "/?page=" + strconv.Itoa(page-1)
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		list.Older = "/?page=" + strconv.Itoa(page+1)
	}
	content := struct {
		Release   string
		Mandatory int
		Archives  bool
		Rows      []campaignRow
		Pages     pages
	}{Release: s.options.Catalog.Release, Mandatory: records{}.tally(s.options.Catalog).Mandatory, Pages: list}
	budget := maxRead
	for _, row := range rows {
		read, err := s.read(r.Context(), row.BuildTag, &budget)
		if err != nil {
			return view{}, err
		}
		archive := s.archive(row.BuildTag)
		content.Archives = content.Archives || archive != ""
		content.Rows = append(content.Rows, campaignRow{row, elapsed(row.Started, row.Stopped), read.tally(s.options.Catalog), archive})
	}
	return view{page: "home", Title: "Campaigns", Content: content}, nil
}

// archive is where the archive of a campaign is, "" if nowhere.
func (s *site) archive(tag string) string {
	if s.options.ArchiveURL == nil {
		return ""
	}
	return safeLink(s.options.ArchiveURL(tag))
}

// pageNumber reads the number of a page, which is 1 if it was not given.
func pageNumber(value string) (int, error) {
	if value == "" {
		return 1, nil
	}
	page, err := strconv.Atoi(value)
	if err != nil || page < 1 || page > maxPage {
		return 0, refuse(http.StatusBadRequest, "That is no page", fmt.Sprintf("Pages have numbers from 1 to %s.", thousands(maxPage)))
	}
	return page, nil
}

// A caseRow is a case of a campaign with its records.
type caseRow struct {
	Name string
	// Case is nil for what is not in the catalogue.
	Case *testcases.Case
	// Newest is the record that counts, nil if there is none.
	Newest  *record
	Earlier []record
}

// Badge is what the case came to.
func (c caseRow) Badge() badge {
	switch {
	case c.Newest != nil:
	case c.Case != nil && c.Case.Mandatory:
		return badge{"warn", "∅", "missing"}
	default:
		return badge{"none", "∅", "none"}
	}
	return c.Newest.Badge()
}

// campaign is the page of one build tag.
func (s *site) campaign(r *http.Request) (view, error) {
	tag := r.PathValue("tag")
	unknown := refuse(http.StatusNotFound, "There is no such campaign", "No result has this build tag. Build tags are compared exactly, capitals too.")
	if !searchable(tag) {
		return view{}, unknown
	}
	rows, err := s.store.Campaigns(r.Context(), testdb.CampaignQuery{Tag: tag, Limit: 1})
	if err != nil {
		return view{}, fmt.Errorf("look for campaign %q: %w", tag, err)
	}
	if len(rows) == 0 {
		return view{}, unknown
	}
	budget := maxRead
	read, err := s.read(r.Context(), tag, &budget)
	if err != nil {
		return view{}, err
	}
	content := struct {
		campaignRow
		Release string
		Cases   []caseRow
		Others  []caseRow
		Cut     bool
		Read    int
	}{
		campaignRow: campaignRow{rows[0], elapsed(rows[0].Started, rows[0].Stopped), read.tally(s.options.Catalog), s.archive(tag)},
		Release:     s.options.Catalog.Release,
		Cut:         read.cut,
	}
	for i := range s.options.Catalog.Cases {
		of := &s.options.Catalog.Cases[i]
		content.Cases = append(content.Cases, read.row(of.Name, of))
	}
	for _, name := range read.cases {
		content.Read += len(read.of[name])
		if _, known := s.options.Catalog.Case(name); !known {
			content.Others = append(content.Others, read.row(name, nil))
		}
	}
	return view{page: "campaign", Title: "Campaign " + tag, Content: content}, nil
}

// row is the row of a case.
func (r records) row(name string, of *testcases.Case) caseRow {
	row := caseRow{Name: name, Case: of}
	if all := r.of[name]; len(all) > 0 {
		row.Newest, row.Earlier = &all[0], all[1:]
	}
	return row
}
