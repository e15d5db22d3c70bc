package playbook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A layer is variables that stand over those of the layers before.
type layer struct {
	*mapping
	// params are those of the call of the role itself: all of them are meant
	// for it.
	params bool
}

// layers are all variables of an entry, the weakest first: those of files
// beside the playbook, of the play, of its files, of the call.
func (r *reader) layers(e entry) ([]layer, error) {
	var layers []layer
	add := func(m *mapping, params bool) {
		if m != nil && len(m.pairs) > 0 {
			layers = append(layers, layer{m, params})
		}
	}
	groups, hosts := beside(e.hosts)
	for _, group := range groups {
		if err := r.folder(filepath.Join("group_vars", group), add); err != nil {
			return nil, err
		}
	}
	for _, host := range hosts {
		if err := r.folder(filepath.Join("host_vars", host), add); err != nil {
			return nil, err
		}
	}
	vars := e.play.get("vars")
	if m, ok := vars.mapping(); ok {
		add(m, false)
	} else if !vars.isNil() {
		return nil, fmt.Errorf("%s: vars: want NAME: value, and not %s", vars.place, vars.kind())
	}
	prompts, _ := e.play.get("vars_prompt").list()
	for _, prompt := range prompts {
		if m, ok := prompt.mapping(); ok && m.get("name") != nil && m.get("default") != nil {
			asked := newMapping()
			asked.set(pair{key: m.text("name"), at: prompt.place, value: m.get("default")})
			add(asked, false)
		}
	}
	if err := r.varsFiles(e, &layers); err != nil {
		return nil, err
	}
	add(e.vars, true)
	add(e.params, true)
	return layers, nil
}

// beside are the groups and hosts whose files beside the playbook count: those
// that the play names. Of a group nobody knows here who is in it: it is taken
// for this host.
func beside(names []string) (groups, hosts []string) {
	groups = []string{"all"}
	for _, name := range names {
		switch {
		case !plainName(name):
		case name == "all":
			hosts = append(hosts, "127.0.0.1")
		case name == "localhost" || strings.Trim(name, "0123456789.") == "" || strings.Contains(name, ":"):
			hosts = append(hosts, name)
		default: // a group, or a host by its name
			groups = append(groups, name)
			hosts = append(hosts, name)
		}
	}
	return groups, hosts
}

// plainName refuses what would leave the folder, or is a pattern of Ansible's.
func plainName(name string) bool {
	return name != "" && !strings.HasPrefix(name, ".") && !strings.ContainsAny(name, `/\*!&~[]{}`)
}

// folder adds the variables of a name in host_vars or group_vars: of a file of
// that name, with or without its ending, or of all files in a folder.
func (r *reader) folder(name string, add func(*mapping, bool)) error {
	for _, ending := range [...]string{"", ".yml", ".yaml", ".json"} {
		file := filepath.Join(r.dir, name+ending)
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the variables beside the playbook: %w", err)
		}
		files := []string{file}
		if info.IsDir() {
			if files, err = varsIn(file); err != nil {
				return err
			}
		}
		for _, file := range files {
			m, err := r.varsFile(file)
			if err != nil {
				return err
			}
			add(m, false)
		}
		return nil
	}
	return nil
}

// varsIn are the files with variables in a folder, as Ansible takes them.
func varsIn(dir string) ([]string, error) {
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the variables beside the playbook: %w", err)
	}
	var files []string
	for _, f := range found {
		if f.Type().IsRegular() && !strings.HasPrefix(f.Name(), ".") && slices.Contains([]string{"", ".yml", ".yaml", ".json"}, filepath.Ext(f.Name())) {
			files = append(files, filepath.Join(dir, f.Name()))
		}
	}
	return files, nil
}

// varsFile reads a file of variables, once.
func (r *reader) varsFile(file string) (*mapping, error) {
	doc, ok := r.files[file]
	if !ok {
		const most = 100
		if len(r.files) >= most {
			return nil, fmt.Errorf("%s: more than %d files of variables", file, most)
		}
		var err error
		if doc, err = r.document(file); err != nil {
			return nil, err
		}
		r.files[file] = doc
	}
	if doc.isNil() {
		return nil, nil //nolint:nilnil // an empty file has no variables
	}
	m, ok := doc.mapping()
	if !ok {
		return nil, fmt.Errorf("%s: want variables as NAME: value, and not %s", doc.place, doc.kind())
	}
	return m, nil
}

// varsFiles adds the files that a play names. Their names can be made of
// variables that are there by then.
func (r *reader) varsFiles(e entry, layers *[]layer) error {
	files := e.play.get("vars_files")
	list, ok := files.list()
	if !ok && !files.isNil() {
		list = []*value{files}
	}
	for _, element := range list {
		choices, ok := element.list() // the first that is there
		if !ok {
			choices = []*value{element}
		}
		var found bool
		for i, choice := range choices {
			name, err := r.scope(e, *layers).resolve(choice)
			if err != nil {
				return err
			}
			file := text(name.data)
			if !filepath.IsAbs(file) {
				file = filepath.Join(r.dir, file)
			}
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) && i < len(choices)-1 {
				continue
			}
			m, err := r.varsFile(file)
			if err != nil {
				return fmt.Errorf("%s: vars_files: %w", choice.place, err)
			}
			if m != nil {
				*layers = append(*layers, layer{m, false})
			}
			found = true
			break
		}
		if !found {
			return fmt.Errorf("%s: vars_files: none of these files is there", element.place)
		}
	}
	return nil
}
