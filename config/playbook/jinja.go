package playbook

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	jinja "github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/nodes"

	"github.com/anuket-project/xtci/config"
)

// Limits of templates: what one is, what it comes to, and what all of a
// playbook come to. With no loops, no repetition and these, none can take long
// or grow large.
const (
	maxTemplate = 16 << 10
	maxNesting  = 30
	maxNodes    = 300
	maxText     = 64 << 10
	maxSpent    = 16 << 20
)

// resolve returns a value with the templates in it resolved.
func (s *scope) resolve(v *value) (*value, error) {
	switch data := v.data.(type) {
	case string:
		switch {
		case v.encrypted:
			return nil, &problem{v.place, "", problemVault, "it is encrypted with Ansible Vault, which xtci does not open: ansible-vault view shows it; give it to xtci by --set, by an XTCI_ variable, or in a copy of the playbook"}
		case v.raw || !isTemplate(data):
			return v, nil
		}
		return s.render(v.place, data)
	case []*value:
		list := make([]*value, len(data))
		for i, element := range data {
			var err error
			if list[i], err = s.resolve(element); err != nil {
				return nil, err
			}
		}
		return &value{place: v.place, data: list}, nil
	case *mapping:
		m := newMapping()
		for _, p := range data.pairs {
			var err error
			if p.value, err = s.resolve(p.value); err != nil {
				return nil, err
			}
			m.set(p)
		}
		return &value{place: v.place, data: m}, nil
	default:
		return v, nil
	}
}

func isTemplate(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "{#")
}

// render resolves one template. If it is one expression, its value is what the
// expression comes to, and text otherwise.
func (s *scope) render(at place, source string) (*value, error) {
	fail := func(format string, args ...any) error {
		return &problem{at: at, text: fmt.Sprintf(format, args...) + " (in " + quoted(source) + ")"}
	}
	if len(source) > maxTemplate || nesting(source) > maxNesting {
		return nil, fail("the template is too long, or has more than %d brackets within each other", maxNesting)
	}
	template, err := parseTemplate(escaped(source))
	if err != nil {
		return nil, fail("it is no expression of Jinja, or has more than expressions: %s", reason(err))
	}
	look := inspector{names: map[string]bool{}}
	for _, node := range template.Root().Nodes {
		look.node(node, false)
	}
	if look.lookup != "" {
		return nil, &problem{at, "", problemLookup, look.lookup + " is ignored: xtci runs nothing of a playbook"}
	}
	if look.wrong != "" {
		return nil, fail("%s", look.wrong)
	}
	if look.count > maxNodes {
		return nil, fail("the template has more than %d parts", maxNodes)
	}
	context := exec.EmptyContext()
	for _, name := range slices.Sorted(maps.Keys(look.names)) {
		s.used[name] = true
		v, err := s.get(name)
		if err != nil {
			return nil, err
		}
		if v != nil {
			if err := s.spend(v.data); err != nil {
				return nil, fail("%s", err)
			}
			if expression, ok := single(template.Root()); ok && isName(expression, name) {
				return &value{place: at, data: v.data}, nil
			}
			context.Set(name, v.native())
		} else if look.names[name] { // it has to be there
			return nil, fail("%s is not there: %s", name, s.missing(name))
		}
	}
	data, err := s.run(at, template, context)
	if err != nil {
		return nil, fail("%s", reason(err))
	}
	if err := s.spend(data); err != nil {
		return nil, fail("%s", err)
	}
	return &value{place: at, data: data}, nil
}

// spend counts a value that a template takes or makes. As it is done each
// time, no list can be made to hold itself so often that counting takes long.
func (s *scope) spend(data any) error {
	if s.spent += size(data); s.spent > maxSpent {
		return fmt.Errorf("what the templates of the playbook take and make is more than %d bytes", maxSpent)
	}
	return nil
}

// missing says what to do about a variable that is not there.
func (s *scope) missing(name string) string {
	if strings.HasPrefix(name, "ansible_") || name == "hostvars" || name == "groups" {
		return "it is a fact of a host, which xtci does not gather: give the value itself"
	}
	return fmt.Sprintf("did you mean %s? Variables are those of the role, of the play, of vars_files, host_vars and group_vars", config.Nearest(s.names(), name))
}

func (s *scope) run(at place, template *exec.Template, context *exec.Context) (data any, err error) {
	defer func() { // of the library: dividing by nothing is one
		if caught := recover(); caught != nil {
			err = fmt.Errorf("it cannot be resolved: %v", caught)
		}
	}()
	if expression, ok := single(template.Root()); ok {
		environment := *templates()
		environment.Context = context
		evaluator := exec.Evaluator{Config: settings(), Environment: &environment, Loader: only("")}
		result := evaluator.Eval(expression)
		if result.IsError() {
			return nil, result
		}
		return made(at, result.ToGoSimpleType(false))
	}
	var output limited
	if err := template.Execute(&output, context); err != nil {
		return nil, err
	}
	return output.String(), nil
}

// single returns the expression of a template that is nothing but one.
func single(root *nodes.Template) (nodes.Expression, bool) {
	if len(root.Nodes) != 1 {
		return nil, false
	}
	output, ok := root.Nodes[0].(*nodes.Output)
	if !ok || output.Condition != nil {
		return nil, false
	}
	return output.Expression, true
}

func isName(expression nodes.Expression, name string) bool {
	n, ok := expression.(*nodes.Name)
	return ok && n.Name.Val == name
}

// made is a value that a template came to.
func made(at place, result any) (any, error) {
	switch r := result.(type) {
	case error:
		return nil, r
	case nil, bool, float64:
		return r, nil
	case string:
		if len(r) > maxText {
			return nil, errTooLong
		}
		return r, nil
	case int:
		return int64(r), nil
	case []any:
		list := make([]*value, len(r))
		for i, element := range r {
			data, err := made(at, element)
			if err != nil {
				return nil, err
			}
			list[i] = &value{place: at, data: data}
		}
		return list, nil
	case map[string]any:
		m := newMapping()
		for _, key := range slices.Sorted(maps.Keys(r)) {
			data, err := made(at, r[key])
			if err != nil {
				return nil, err
			}
			m.set(pair{key: key, at: at, value: &value{place: at, data: data}})
		}
		return m, nil
	default:
		return nil, fmt.Errorf("it comes to %T, which no variable can be", result)
	}
}

// size is how large a value is, roughly.
func size(data any) int {
	switch d := data.(type) {
	case string:
		return len(d)
	case []*value:
		n := len(d)
		for _, element := range d {
			n += size(element.data)
		}
		return n
	case *mapping:
		n := len(d.pairs)
		for _, p := range d.pairs {
			n += len(p.key) + size(p.value.data)
		}
		return n
	default:
		return 1
	}
}

var errTooLong = fmt.Errorf("it comes to more than %d bytes", maxText)

// limited is text that does not grow for ever.
type limited struct{ strings.Builder }

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > maxText {
		return 0, errTooLong
	}
	return l.Builder.Write(b)
}

func (l *limited) WriteString(text string) (int, error) { return l.Write([]byte(text)) }

// only is the library's way to templates: there is this one, and no files.
type only string

var errNoFiles = errors.New("templates name no files")

func (o only) Read(string) (io.Reader, error)       { return strings.NewReader(string(o)), nil }
func (only) Resolve(string) (string, error)         { return "", errNoFiles }
func (only) Inherit(string) (loaders.Loader, error) { return nil, errNoFiles }

func parseTemplate(source string) (template *exec.Template, err error) {
	defer func() { // of the library
		if caught := recover(); caught != nil {
			err = fmt.Errorf("%v", caught)
		}
	}()
	return exec.NewTemplate("template", settings(), only(source), templates())
}

func settings() *jinja.Config {
	c := jinja.New()
	c.KeepTrailingNewline = true
	return c
}

// reason is a library's error without what it wraps around.
func reason(err error) string {
	for {
		inner := errors.Unwrap(err)
		if v, ok := err.(*exec.Value); ok { //nolint:errorlint // the very one
			inner, _ = v.Interface().(error)
		}
		if inner == nil {
			break
		}
		err = inner
	}
	text := err.Error()
	if strings.HasPrefix(text, "failed to parse template") {
		if _, rest, ok := strings.Cut(text, "': "); ok {
			text = rest
		}
	}
	return strings.Join(strings.Fields(text[:min(len(text), maxReason)]), " ")
}

// maxReason is how much of a library's error is said.
const maxReason = 200

// escaped doubles backslashes in what is between quotes in expressions, so that
// they are what they look like. Ansible does so, because YAML has had its turn
// at them.
func escaped(source string) string {
	if !strings.Contains(source, `\`) {
		return source
	}
	var text strings.Builder
	inside, quote := false, byte(0)
	for i := 0; i < len(source); i++ {
		c := source[i]
		text.WriteByte(c)
		switch {
		case quote == 0 && strings.HasPrefix(source[i:], "{{"):
			inside = true
		case quote == 0 && strings.HasPrefix(source[i:], "}}"):
			inside = false
		case inside && quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0 && c == '\\' && i+1 < len(source) && source[i+1] == quote:
			i++
			text.WriteByte(quote)
		case quote != 0 && c == '\\':
			text.WriteByte('\\')
		}
	}
	return text.String()
}
