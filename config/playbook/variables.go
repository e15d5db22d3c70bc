package playbook

import (
	_ "embed"
	"fmt"
	"slices"
	"sync"

	"github.com/anuket-project/xtci/config"
)

// A Variable is one of the role's.
type Variable struct {
	Name string
	// Site are the keys of the site that it becomes; empty is none.
	Site string
	// Reads says what it decides, where it becomes no key itself.
	Reads string
	// Instead says what there is instead, where it is not supported.
	Instead string
	// Harmless is that nothing a campaign needs is missing without it.
	Harmless bool

	fallback *value
}

// Supported says whether it has an effect.
func (v Variable) Supported() bool { return v.Instead == "" }

//go:embed variables.yaml
var variablesFile []byte

// Variables are all variables of the role, in the order of their kinds.
func Variables() ([]Variable, error) { return table() }

var table = sync.OnceValues(func() ([]Variable, error) {
	r := &reader{}
	doc, err := r.parse("variables.yaml", variablesFile)
	if err != nil {
		return nil, err
	}
	root, ok := doc.mapping()
	if !ok || len(r.findings) > 0 {
		return nil, fmt.Errorf("%s: want a mapping, without doubles: %v", doc.place, r.findings)
	}
	var all []Variable
	for _, kind := range [...]string{"mapped", "read", "further"} {
		group, _ := root.get(kind).mapping()
		for _, p := range group.pairs {
			m, _ := p.value.mapping()
			v := Variable{Name: p.key, Site: m.text("site"), Reads: m.text("text"), Instead: m.text("instead"), fallback: m.get("default")}
			all = append(all, v)
		}
	}
	groups, _ := root.get("unsupported").list()
	for _, element := range groups {
		m, _ := element.mapping()
		names, _ := m.get("variables").mapping()
		for _, p := range names.pairs {
			all = append(all, Variable{Name: p.key, Instead: m.text("instead"), Harmless: m.get("harmless") != nil, fallback: p.value})
		}
	}
	return all, nil
})

// text is a key's text; nothing where there is none.
func (m *mapping) text(key string) string {
	if v := m.get(key); !v.isNil() {
		return text(v.data)
	}
	return ""
}

// variables are the role's by name.
type variables map[string]Variable

func newVariables() (variables, error) {
	all, err := table()
	if err != nil {
		return nil, err
	}
	by := make(variables, len(all))
	for _, v := range all {
		by[v.Name] = v
	}
	return by, nil
}

// nearest names the variable that was meant, perhaps.
func (v variables) nearest(name string) string {
	names := make([]string, 0, len(v))
	for known := range v {
		names = append(names, known)
	}
	slices.Sort(names)
	return config.Nearest(names, name)
}
