package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/anuket-project/xtci/internal/invisible"
	"github.com/anuket-project/xtci/testcases"
)

//go:embed page
var pageFiles embed.FS

// HTML writes the report for people: one page that needs no network and no
// script, and whose links to evidence are relative to the archive's root.
func HTML(w io.Writer, a *testcases.Assessment) error {
	templates, err := template.New("page.html").Funcs(template.FuncMap{
		"n":       thousands,
		"kind":    strings.ToLower,
		"again":   func(places []link) int { return len(places) + 1 },
		"missing": func() badge { return missingBadge },
	}).ParseFS(pageFiles, "page/*.html")
	if err != nil {
		return fmt.Errorf("parse the page's templates: %w", err)
	}
	style, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return fmt.Errorf("read the page's style: %w", err)
	}
	v := newPage(a)
	v.Style = template.CSS("\n" + string(style))
	v.Policy = contentSecurityPolicy(string(v.Style))
	var page bytes.Buffer
	if err := templates.Execute(&page, v); err != nil {
		return fmt.Errorf("make report.html: %w", err)
	}
	if _, err := w.Write(invisible.Spell(page.Bytes())); err != nil {
		return fmt.Errorf("write report.html: %w", err)
	}
	return nil
}

// contentSecurityPolicy forbids the page everything but its own style and
// images that it carries itself.
func contentSecurityPolicy(style string) string {
	sum := sha256.Sum256([]byte(style))
	return strings.Join([]string{
		"default-src 'none'",
		"style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
	}, "; ")
}
