package fileserver

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/anuket-project/xtci/artifacts"
)

const (
	// maxHome is how many files and folders at the top are looked at.
	maxHome = 30_000
	// homeRows is how many campaigns a page of the top has.
	homeRows = 100
	// maxBegun is for how many campaigns without an archive a page looks for
	// when they were begun.
	maxBegun = 200
	// begunAtOnce is how many of them at once.
	begunAtOnce = 8
)

// A campaign is what there is of a build tag at the top of the store.
type campaign struct {
	Tag     string
	Folder  string        // the URL of its files, if there are some
	Archive *archiveLinks // if there is one
	Row     row           // when it was archived, or else begun
	at      time.Time
}

// A homePage is what the page of the top shows.
type homePage struct {
	Campaigns  []campaign
	Total      int // of all pages
	Others     []row
	Page       int
	Newer      string // the URL of the page before, if there is one
	Older      string
	Incomplete bool // there is more than is looked at
}

// Count says how many campaigns there are.
func (p homePage) Count() string {
	if p.Total == 1 {
		return "1 campaign"
	}
	return thousands(p.Total) + " campaigns"
}

// home answers with the page of the top: the campaigns, the newest first.
func (s *Server) home(w *answer, r *http.Request) error {
	entries, incomplete, err := s.top(r.Context())
	if err != nil {
		return err
	}
	campaigns, others := group(entries)
	s.findBegun(r.Context(), campaigns)
	slices.SortStableFunc(campaigns, func(a, b *campaign) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return strings.Compare(a.Tag, b.Tag)
	})
	pages := max(1, (len(campaigns)+homeRows-1)/homeRows)
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		number = 1
	}
	number = min(max(number, 1), pages)
	page := homePage{Total: len(campaigns), Page: number, Incomplete: incomplete}
	for _, c := range campaigns[(number-1)*homeRows : min(number*homeRows, len(campaigns))] {
		page.Campaigns = append(page.Campaigns, *c)
	}
	if number == 1 {
		page.Others = others
	}
	if number > 1 {
		page.Newer = "?page=" + strconv.Itoa(number-1)
	}
	if number < pages {
		page.Older = "?page=" + strconv.Itoa(number+1)
	}
	return s.page(w, r, http.StatusOK, "home.html", view{Title: "Campaigns", Crumbs: crumbs("."), Content: page})
}

// top lists the top of the store.
func (s *Server) top(ctx context.Context) (all []artifacts.Entry, incomplete bool, err error) {
	after := ""
	for len(all) < maxHome {
		entries, more, err := s.store.List(ctx, ".", after, maxHome)
		if err != nil {
			return nil, false, err
		}
		all = append(all, entries...)
		if !more || len(entries) == 0 {
			return all, false, nil
		}
		after = entries[len(entries)-1].After()
	}
	return all, true, nil
}

// group makes campaigns of what belongs to one build tag.
func group(entries []artifacts.Entry) (campaigns []*campaign, others []row) {
	byTag := map[string]*campaign{}
	of := func(tag string) *campaign {
		if byTag[tag] == nil {
			byTag[tag] = &campaign{Tag: tag}
			campaigns = append(campaigns, byTag[tag])
		}
		return byTag[tag]
	}
	var indexes []artifacts.Entry
	for _, e := range entries {
		tag, isArchive := strings.CutSuffix(e.Name, archiveExt)
		index, isIndex := strings.CutSuffix(e.Name, ".json")
		switch {
		case e.Folder && artifacts.CheckTag(e.Name) == nil:
			of(e.Name).Folder = reference(e.Name) + "/"
		case !e.Folder && isArchive && artifacts.CheckTag(tag) == nil:
			c := of(tag)
			c.Archive, c.at = linksTo(e, ""), e.Modified
		case !e.Folder && isIndex && artifacts.CheckTag(index) == nil:
			indexes = append(indexes, e)
		default:
			others = append(others, rowOf(e))
		}
	}
	for _, e := range indexes {
		c := byTag[strings.TrimSuffix(e.Name, ".json")]
		if c == nil {
			others = append(others, rowOf(e))
		} else if c.at.IsZero() {
			c.at = e.Modified
		}
	}
	for _, c := range campaigns {
		c.setTime(c.at)
	}
	return campaigns, others
}

func (c *campaign) setTime(t time.Time) {
	c.at = t
	c.Row.When, c.Row.Machine = when(t), machineTime(t)
}

// findBegun finds out when campaigns were begun of which there is no archive
// yet: folders of a bucket have no time.
func (s *Server) findBegun(ctx context.Context, campaigns []*campaign) {
	var group sync.WaitGroup
	places := make(chan struct{}, begunAtOnce)
	asked := 0
	for _, c := range campaigns {
		if !c.at.IsZero() {
			continue
		}
		if t, ok := s.begun.get(c.Tag); ok {
			c.setTime(t)
			continue
		}
		if asked++; asked > maxBegun {
			continue // it comes last
		}
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			if t := s.firstTime(ctx, c.Tag); !t.IsZero() {
				s.begun.put(c.Tag, t)
				c.setTime(t)
			}
		})
	}
	group.Wait()
}

// firstTime is when the first file below a folder was stored, of those that
// are easily found.
func (s *Server) firstTime(ctx context.Context, folder string) time.Time {
	const deepest = 4
	for range deepest {
		entries, _, err := s.store.List(ctx, folder, "", perPage)
		if err != nil || len(entries) == 0 {
			return time.Time{} // the page does without
		}
		first := time.Time{}
		for _, e := range entries {
			if !e.Folder && (first.IsZero() || e.Modified.Before(first)) {
				first = e.Modified
			}
		}
		if !first.IsZero() {
			return first
		}
		folder = path.Join(folder, entries[0].Name)
	}
	return time.Time{}
}

// A begunCache remembers when campaigns were begun.
type begunCache struct {
	mu    sync.Mutex
	times map[string]time.Time
}

func (b *begunCache) get(tag string) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, ok := b.times[tag]
	return t, ok
}

func (b *begunCache) put(tag string, t time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.times == nil || len(b.times) >= maxHome {
		b.times = map[string]time.Time{}
	}
	b.times[tag] = t
}
