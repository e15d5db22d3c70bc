package jenkins

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"text/template"
)

// A word is one word of a shell command, quoted: text, and variables that the
// shell replaces.
type word string

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%,+-]+$`)

// quote returns the word that stands for a text, whatever it holds.
func quote(text string) word {
	if plain.MatchString(text) {
		return word(text)
	}
	if strings.ContainsAny(text, "$`") {
		return word(`"` + doubleQuoted.Replace(text) + `"`) // shellcheck doubts them in single quotes
	}
	return word("'" + strings.ReplaceAll(text, "'", `'\''`) + "'")
}

// buildVariables are those of the build that texts of a site may name.
var buildVariables = regexp.MustCompile(`\$(?:\{(?:WORKSPACE|JOB_NAME|BUILD_TAG|BUILD_ID|node)\}|(?:WORKSPACE|JOB_NAME|BUILD_TAG|BUILD_ID|node)\b)`)

var doubleQuoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`)

// expand returns the word for a text in which the variables of the build are
// replaced, and nothing else is.
func expand(text string) word {
	matches := buildVariables.FindAllStringIndex(text, -1)
	if matches == nil {
		return quote(text)
	}
	var b strings.Builder
	b.WriteByte('"')
	last := 0
	for _, m := range matches {
		b.WriteString(doubleQuoted.Replace(text[last:m[0]]))
		name := strings.Trim(text[m[0]:m[1]], "${}")
		if name == nodeParameter {
			name += "-" // who starts a build can leave it out
		}
		b.WriteString("${" + name + "}")
		last = m[1]
	}
	b.WriteString(doubleQuoted.Replace(text[last:]))
	b.WriteByte('"')
	return word(b.String())
}

//go:embed templates/*.sh
var templateFiles embed.FS

// A shell renders the scripts of jobs.
type shell struct{ templates *template.Template }

func newShell() (shell, error) {
	templates, err := template.New("").Funcs(template.FuncMap{
		"quote": quote,
		"lower": strings.ToLower,
		"upper": strings.ToUpper,
	}).ParseFS(templateFiles, "templates/*.sh")
	if err != nil {
		return shell{}, fmt.Errorf("templates of scripts: %w", err)
	}
	return shell{templates}, nil
}

// render returns the script that a template makes of the data.
func (s shell) render(name string, data any) (string, error) {
	var b strings.Builder
	if err := s.templates.ExecuteTemplate(&b, name, data); err != nil {
		return "", fmt.Errorf("script %s: %w", name, err)
	}
	return b.String(), nil
}
