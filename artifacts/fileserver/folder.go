package fileserver

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/artifacts"
)

// perPage is how many entries of a folder a listing has.
const perPage = 1000

// folder answers with a listing: JSON for programs that ask for it, and a page
// for all others.
func (s *Server) folder(w *answer, r *http.Request, folder string) error {
	ctx, cancel := context.WithTimeout(r.Context(), pageTime)
	defer cancel()
	release, err := limit(ctx, s.listings)
	if err != nil {
		return err
	}
	defer release()
	r = r.WithContext(ctx)
	if folder == "." && !accepts(r, jsonType) {
		return s.home(w, r)
	}
	after := r.URL.Query().Get("after")
	entries, more, err := s.store.List(ctx, folder, after, perPage)
	if err != nil {
		return err
	}
	next := ""
	if more && len(entries) > 0 {
		next = "?" + url.Values{"after": {entries[len(entries)-1].After()}}.Encode()
	}
	if accepts(r, jsonType) {
		return s.folderJSON(w, r, folder, entries, next)
	}
	page := folderPage{Next: next, First: after != "", Folder: folder}
	if next == "" && after == "" { // a page of several stays in the order of keys
		slices.SortStableFunc(entries, func(a, b artifacts.Entry) int {
			switch {
			case a.Folder == b.Folder:
				return 0
			case a.Folder:
				return -1
			}
			return 1
		})
	}
	for _, e := range entries {
		page.Rows = append(page.Rows, rowOf(e))
		if e.Folder {
			page.Folders++
		} else {
			page.Files++
		}
	}
	if !strings.Contains(folder, "/") && artifacts.CheckTag(folder) == nil {
		page.Archive = s.archiveOf(ctx, folder)
	}
	title := shown(folder[strings.LastIndexByte(folder, '/')+1:])
	return s.page(w, r, http.StatusOK, "folder.html", view{Title: title, Crumbs: crumbs(folder), Content: page})
}

// A folderPage is what the page of a folder shows.
type folderPage struct {
	Folder         string
	Rows           []row
	Folders, Files int
	Archive        *archiveLinks // of the campaign that the folder is of
	Next           string        // the URL of the next page, if there is one
	First          bool          // there are entries before these
}

// Count says in words what the page has.
func (p folderPage) Count() string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{{p.Folders, "folder"}, {p.Files, "file"}} {
		if c.n > 0 {
			text := thousands(c.n) + " " + c.word
			if c.n > 1 {
				text += "s"
			}
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ", ")
}

// A row is a file or a folder in a table.
type row struct {
	Name, URL string
	Folder    bool
	Size      string
	When      string
	Machine   string // When for programs
}

func rowOf(e artifacts.Entry) row {
	r := row{Name: shown(e.Name), URL: reference(e.Name), Folder: e.Folder, When: when(e.Modified), Machine: machineTime(e.Modified)}
	if e.Folder {
		r.URL += "/"
	} else {
		r.Size = size(e.Size)
	}
	return r
}

// archiveLinks lead to the archive of a campaign and the report in it.
type archiveLinks struct {
	URL, Report string
	Size        string
	When        string
	Machine     string
}

func linksTo(e artifacts.Entry, up string) *archiveLinks {
	link := reference(e.Name)
	if up != "" {
		link = up + escape(e.Name)
	}
	return &archiveLinks{
		URL: link, Report: link + "/" + artifacts.ReportHTML,
		Size: size(e.Size), When: when(e.Modified), Machine: machineTime(e.Modified),
	}
}

// archiveOf returns links to the archive of a campaign, if there is one.
func (s *Server) archiveOf(ctx context.Context, tag string) *archiveLinks {
	object, err := s.store.Open(ctx, artifacts.ArchiveName(tag))
	if err != nil {
		return nil // the page does without
	}
	defer object.Close()
	return linksTo(object.Entry(), "../")
}

// folderJSON answers with a listing for programs.
func (s *Server) folderJSON(w *answer, r *http.Request, folder string, entries []artifacts.Entry, next string) error {
	type jsonEntry struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Size     *int64 `json:"size,omitempty"`
		Modified string `json:"modified,omitempty"`
		ETag     string `json:"etag,omitempty"`
		URL      string `json:"url"`
	}
	listing := struct {
		Folder  string      `json:"folder"`
		Entries []jsonEntry `json:"entries"`
		Next    string      `json:"next,omitempty"`
	}{Folder: folder + "/", Entries: []jsonEntry{}, Next: next}
	if folder == "." {
		listing.Folder = ""
	}
	for _, e := range entries {
		item := jsonEntry{Name: e.Name, Type: "file", Size: &e.Size, Modified: machineTime(e.Modified), ETag: e.ETag, URL: reference(e.Name)}
		if e.Folder {
			item = jsonEntry{Name: e.Name, Type: "folder", URL: item.URL + "/"}
		}
		listing.Entries = append(listing.Entries, item)
	}
	body, err := json.MarshalIndent(listing, "", " ")
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Content-Security-Policy", sandbox)
	s.write(w, r, http.StatusOK, jsonType, append(body, '\n'))
	return nil
}
