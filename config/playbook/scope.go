package playbook

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/anuket-project/xtci/config"
)

// A scope is the variables of one entry, as Jinja sees them there.
type scope struct {
	*reader
	entry  entry
	layers []layer
	done   map[string]*value
	open   []string // variables that are being resolved, for loops of them
}

func (r *reader) scope(e entry, layers []layer) *scope {
	return &scope{reader: r, entry: e, layers: layers, done: map[string]*value{}}
}

// find returns what the playbook says of a variable; nil is nothing.
func (s *scope) given(name string) *value {
	for _, l := range slices.Backward(s.layers) {
		if v := l.get(name); v != nil {
			return v
		}
	}
	return nil
}

// raw is a variable without its templates resolved: the playbook's, the
// role's, or a fact.
func (s *scope) raw(name string) (*value, error) {
	if v := s.given(name); v != nil {
		return v, nil
	}
	if v, ok := s.known[name]; ok && v.fallback != nil {
		return v.fallback, nil
	}
	return s.fact(name)
}

// get is a variable with all templates resolved; nil if there is none.
func (s *scope) get(name string) (*value, error) {
	if v, ok := s.done[name]; ok {
		return v, nil
	}
	if slices.Contains(s.open, name) {
		at := s.entry.place
		if v := s.given(name); v != nil {
			at = v.place
		}
		return nil, fmt.Errorf("%s: variable %s: it is made of itself (%v)", at, name, append(slices.Clone(s.open), name))
	}
	if len(s.open) > maxDepth {
		return nil, fmt.Errorf("%s: variable %s: more than %d variables made of each other", s.entry.place, name, maxDepth)
	}
	raw, err := s.raw(name)
	if err != nil || raw == nil {
		return nil, err
	}
	s.open = append(s.open, name)
	v, err := s.resolve(raw)
	s.open = s.open[:len(s.open)-1]
	if err != nil {
		return nil, inVariable(name, err)
	}
	s.done[name] = v
	return v, nil
}

// fact is what Ansible would find out of the host. Few are known.
func (s *scope) fact(name string) (*value, error) {
	at := s.entry.place
	switch name {
	case "ansible_default_ipv4":
		address, err := s.address()
		if err != nil {
			return nil, err
		}
		m := newMapping()
		m.set(pair{key: "address", at: at, value: &value{place: at, data: address}})
		return &value{place: at, data: m}, nil
	case "inventory_hostname", "inventory_hostname_short", "ansible_host":
		host := "127.0.0.1"
		if len(s.entry.hosts) > 0 {
			host = s.entry.hosts[0]
		}
		return &value{place: at, data: host, raw: true}, nil
	case "playbook_dir":
		dir, err := filepath.Abs(s.dir)
		if err != nil {
			return nil, fmt.Errorf("%s: playbook_dir: %w", at, err)
		}
		return &value{place: at, data: dir, raw: true}, nil
	case "role_name", "ansible_role_name":
		return &value{place: at, data: roleNames[0]}, nil
	}
	return nil, nil //nolint:nilnil // there is none
}

// address is that of this host.
func (s *scope) address() (string, error) {
	if s.options.Address == "" {
		address, err := config.Site{}.HostAddress()
		if err != nil {
			return "", fmt.Errorf("%s: ansible_default_ipv4.address: %w", s.entry.place, err)
		}
		s.options.Address = address
	}
	return s.options.Address, nil
}

// names are all variables that are there.
func (s *scope) names() []string {
	all := map[string]bool{"ansible_default_ipv4": true, "inventory_hostname": true, "playbook_dir": true}
	for name := range s.known {
		all[name] = true
	}
	for _, l := range s.layers {
		for _, p := range l.pairs {
			all[p.key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
