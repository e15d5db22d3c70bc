package fileserver

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/anuket-project/xtci/internal/invisible"
)

// A view is one page to be shown.
type view struct {
	Title string
	// Crumbs lead to the folders that the page is in, the top first.
	Crumbs  []crumb
	Content any
	// Style is the style sheet, which the page's policy knows by its digest.
	Style template.CSS
}

// A crumb is a step on the way to a page. Without URL it is the page itself.
type crumb struct{ Name, URL string }

// crumbs are the steps to a folder, relative to it.
func crumbs(folder string) []crumb {
	if folder == "." {
		return []crumb{{Name: "Files"}}
	}
	names := strings.Split(folder, "/")
	steps := []crumb{{"Files", strings.Repeat("../", len(names))}}
	for i, name := range names {
		up := len(names) - 1 - i
		steps = append(steps, crumb{shown(name), strings.Repeat("../", up)})
	}
	steps[len(steps)-1].URL = ""
	return steps
}

// page answers with a page for people.
func (s *Server) page(w http.ResponseWriter, r *http.Request, code int, name string, v view) error {
	v.Style = s.style
	var page bytes.Buffer
	if err := s.pages.ExecuteTemplate(&page, name, v); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", s.policy)
	w.Header().Set("Vary", "Accept")
	s.write(w, r, code, "text/html; charset=utf-8", invisible.Spell(page.Bytes()))
	return nil
}

// escape makes a name a part of a path of a URL.
func escape(name string) string { return url.PathEscape(name) }

// reference is a relative link to a name in the same folder. "./" keeps a
// colon in the name from making it a scheme.
func reference(name string) string { return "./" + escape(name) }
