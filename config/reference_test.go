package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	referenceFile = "../docs/configuration.md"
	// referenceMark is where, in the document, the part begins that is made of
	// the types' comments.
	referenceMark = "<!-- what follows is made of the comments in package config: make golden -->\n"
)

// Every key stands in docs/configuration.md with its type, its default and
// what it means. Others read what -update writes, and so it is not parallel to
// them.
func TestReference(t *testing.T) {
	raw, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	preface, got, ok := strings.Cut(string(raw), referenceMark)
	if !ok {
		t.Fatalf("%s has no line %s", referenceFile, referenceMark)
	}
	want, documented := reference(t)
	if *update {
		if err := os.WriteFile(referenceFile, []byte(preface+referenceMark+want), 0o644); err != nil {
			t.Fatal(err)
		}
		got = want
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s is not what the keys are (-want +got): make golden\n%s", referenceFile, diff)
	}
	if diff := cmp.Diff(keys(reflect.TypeFor[Site](), ""), documented, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("keys that are documented (-there are +documented):\n%s", diff)
	}
}

// The examples of the document are sites that can be loaded.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(raw), -1)
	if len(examples) == 0 {
		t.Fatalf("%s has no example", referenceFile)
	}
	for _, example := range examples {
		file := filepath.Join(t.TempDir(), "xtci.yaml")
		if err := os.WriteFile(file, []byte(example[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Options{File: file}); err != nil {
			t.Errorf("%v:\n%s", err, example[1])
		}
	}
}

// No two keys have the same environment variable, and every key that can be
// set is found by its own.
func TestKeysHaveVariables(t *testing.T) {
	t.Parallel()
	known := keys(reflect.TypeFor[Site](), "")
	for _, key := range Keys() {
		variable := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		if got := envKey(known, variable); got != key {
			t.Errorf("XTCI_%s is %s, want %s", variable, got, key)
		}
	}
}

func TestKeysCanBeSet(t *testing.T) {
	t.Parallel()
	values := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int: "1", reflect.Int64: "1m", reflect.Float64: "1"}
	for _, key := range Keys() {
		field, _ := typeOf(reflect.TypeFor[Site](), key)
		_, err := Load(Options{Set: []string{key + "=" + values[field.Kind()]}})
		if err != nil && !strings.Contains(err.Error(), "cannot be used") {
			t.Errorf("--set %s: %v", key, err)
		}
	}
	site, err := Load(Options{Set: []string{"volumes=/a:/a,/b:/b", "stack.minio.anonymous=true"}})
	if want := []string{"/a:/a", "/b:/b"}; err != nil || !slices.Equal(site.Volumes, want) || !site.Stack.Minio.Anonymous {
		t.Errorf("volumes are %q, %v: want %q", site.Volumes, err, want)
	}
}

// A referenceWriter writes the reference: a section for each struct, with a row for
// each of its keys.
type referenceWriter struct {
	t          *testing.T
	comments   comments
	text       strings.Builder
	documented []string
}

func reference(t *testing.T) (text string, documented []string) {
	t.Helper()
	w := referenceWriter{t: t, comments: readComments(t)}
	w.section("", reflect.ValueOf(Default()))
	return w.text.String(), w.documented
}

// section writes the keys of a struct, then what is below them.
func (w *referenceWriter) section(prefix string, value reflect.Value) {
	title := "The site"
	if prefix != "" {
		title = prefix
	}
	fmt.Fprintf(&w.text, "\n## %s\n", title)
	if prefix != "" {
		fmt.Fprintf(&w.text, "\n%s\n", w.about(prefix, value.Type()))
	}
	w.text.WriteString("\n| key | type | default | what |\n|---|---|---|---|\n")
	for _, sub := range w.rows(prefix, value) {
		w.section(sub.key, sub.value)
	}
}

// anchor is the fragment that leads to the section of a key.
func anchor(key string) string {
	return strings.NewReplacer(".", "", "[", "", "]", "").Replace(key)
}

// A subsection is a key with keys of its own.
type subsection struct {
	key   string
	value reflect.Value
}

func (w *referenceWriter) rows(prefix string, value reflect.Value) []subsection {
	var below []subsection
	for field, v := range value.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if options == "inline" {
			below = append(below, w.rows(prefix, v)...)
			continue
		}
		if name == "-" {
			continue
		}
		if name == "" {
			w.t.Errorf("%s.%s has no yaml tag", value.Type(), field.Name)
		}
		key := strings.TrimPrefix(prefix+"."+name, ".")
		w.documented = append(w.documented, strings.ReplaceAll(key, "[]", ""))
		shown := key
		if strings.Contains(prefix, "[]") { // it is never written as a whole
			shown = name
		}
		kind := typeName(field.Type)
		if element, list := structBelow(field.Type); element != nil {
			sub := subsection{key, reflect.Zero(element)}
			if list {
				sub.key += "[]"
			} else if v.Kind() == reflect.Struct {
				sub.value = v
			}
			below = append(below, sub)
			kind = fmt.Sprintf("[%s](#%s)", kind, anchor(sub.key))
		}
		fmt.Fprintf(&w.text, "| `%s` | %s | %s | %s |\n", shown, kind, defaultText(v), w.meaning(value.Type(), field.Name))
	}
	return below
}

// structBelow is the struct whose keys stand below a key, and whether there is
// a list of it.
func structBelow(t reflect.Type) (element reflect.Type, list bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		if reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) {
			return nil, false
		}
		list = list || t.Kind() == reflect.Slice
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	return t, list
}

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "time"
	case t == reflect.TypeFor[Secret]():
		return "secret"
	case t.Kind() == reflect.Map, t == reflect.TypeFor[Env]():
		return "names and values"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return "texts"
	case t.Kind() == reflect.Slice:
		return "list"
	case t.Kind() == reflect.Struct:
		return "keys"
	}
	return map[reflect.Kind]string{
		reflect.String: "text", reflect.Bool: "true or false", reflect.Int: "number", reflect.Float64: "number",
	}[t.Kind()]
}

// defaultText is a default value as the site's file would have it; empty for
// none.
func defaultText(v reflect.Value) string {
	var texts []string
	switch value := v.Interface().(type) {
	case bool:
		texts = append(texts, fmt.Sprint(value))
	case time.Duration:
		if value != 0 {
			texts = append(texts, shortDuration(value))
		}
	case Secret:
		texts = append(texts, value.Reveal())
	case []string:
		texts = value
	case map[string]string:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			texts = append(texts, name+": "+value[name])
		}
	default:
		if kind := v.Kind(); !v.IsZero() && kind != reflect.Struct {
			texts = append(texts, fmt.Sprint(value))
		}
	}
	if text := strings.Join(texts, ", "); text != "" {
		return "`" + text + "`"
	}
	return ""
}

func shortDuration(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}

// comments are the comments on types ("Site") and fields ("Site.Release").
type comments map[string]string

func readComments(t *testing.T) comments {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := comments{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			found.add(declaration)
		}
	}
	return found
}

func (c comments) add(declaration ast.Decl) {
	general, ok := declaration.(*ast.GenDecl)
	if !ok || general.Tok != token.TYPE {
		return
	}
	for _, spec := range general.Specs {
		named := spec.(*ast.TypeSpec)
		c[named.Name.Name] = general.Doc.Text()
		if body, ok := named.Type.(*ast.StructType); ok {
			for _, field := range body.Fields.List {
				for _, name := range field.Names {
					c[named.Name.Name+"."+name.Name] = field.Doc.Text()
				}
			}
		}
	}
}

// meaning is what a field's comment says, without the field's name: a comment
// begins with that.
func (w *referenceWriter) meaning(t reflect.Type, field string) string {
	comment := w.comments[t.Name()+"."+field]
	said, ok := strings.CutPrefix(comment, field+" ")
	if !ok {
		w.t.Errorf("%s.%s: its comment is %q, want one that begins with its name and says what the key means", t, field, comment)
	}
	return strings.TrimSuffix(w.plain(t, withoutVerb(said)), ".")
}

// about is what a type's comment says of a key.
func (w *referenceWriter) about(key string, t reflect.Type) string {
	comment := w.comments[t.Name()]
	_, said, ok := strings.Cut(comment, t.Name()+" ")
	if !ok {
		w.t.Errorf("%s: its comment is %q, want one that begins with its name", t, comment)
	}
	return "`" + key + "` " + w.plain(t, said)
}

func withoutVerb(text string) string {
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	return text
}

var word = regexp.MustCompile(`[A-Za-z]+`)

// plain is a comment on one line, with the keys in it as the file has them.
func (w *referenceWriter) plain(t reflect.Type, text string) string {
	text = strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(strings.Join(strings.Fields(text), " "))
	return word.ReplaceAllStringFunc(text, func(word string) string {
		if field, ok := t.FieldByName(word); ok && field.Tag.Get("yaml") != "" && !field.Anonymous {
			name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			return "`" + name + "`"
		}
		return word
	})
}
