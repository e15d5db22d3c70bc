package playbook

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// roleNames are how playbooks call the role.
var roleNames = []string{"collivier.xtesting", "ansible-role-xtesting"}

// An entry is one call of the role.
type entry struct {
	place
	play  *mapping
	hosts []string
	// params are the variables of the call itself, vars those of its vars key.
	params, vars *mapping
}

// A reader reads one playbook.
type reader struct {
	options  Options
	dir      string
	known    variables
	findings []Finding
	found    map[Finding]bool
	entries  []entry
	files    map[string]*value
	used     map[string]bool // variables that templates name
	values   int             // that were read
	spent    int             // of what templates may take and make
}

// The keys of plays, and of entries in roles, that are Ansible's own.
var (
	playKeys = strings.Fields(`any_errors_fatal become become_exe become_flags become_method become_user check_mode collections
		connection debugger diff environment fact_path force_handlers gather_facts gather_subset gather_timeout handlers hosts
		ignore_errors ignore_unreachable max_fail_percentage module_defaults name no_log order port post_tasks pre_tasks
		remote_user roles run_once serial strategy tags tasks throttle timeout user vars vars_files vars_prompt`)
	roleKeys = strings.Fields(`any_errors_fatal become become_exe become_flags become_method become_user check_mode collections
		connection debugger delegate_facts delegate_to diff environment ignore_errors ignore_unreachable module_defaults name
		no_log port remote_user role run_once tags throttle timeout vars when`)
	taskKeys = append(strings.Fields(`action args async changed_when delay failed_when listen local_action loop loop_control
		notify poll register retries until block rescue always`), roleKeys...)
)

// plays finds the calls of the role in a playbook.
func (r *reader) plays(doc *value) error {
	list, ok := doc.list()
	if !ok {
		return fmt.Errorf("%s: it is no playbook: want a list of plays, this is %s", doc.place, doc.kind())
	}
	for _, element := range list {
		play, ok := element.mapping()
		if !ok {
			return fmt.Errorf("%s: want a play, with hosts and roles, and not %s", element.place, element.kind())
		}
		if err := r.play(element.place, play); err != nil {
			return err
		}
	}
	if len(r.entries) == 0 {
		return fmt.Errorf("%s: no play calls the role %s: there is no campaign in it", doc.file, roleNames[0])
	}
	return nil
}

func (r *reader) play(at place, play *mapping) error {
	if imported := first(play, "import_playbook", "ansible.builtin.import_playbook"); imported != nil {
		r.warn(imported.place, "", "import_playbook is ignored: read that playbook by itself")
		return nil
	}
	hosts := play.get("hosts")
	if hosts.isNil() {
		return fmt.Errorf("%s: the play has no hosts", at)
	}
	for _, p := range play.pairs {
		if !slices.Contains(playKeys, p.key) {
			r.warn(p.at, "", fmt.Sprintf("%q is no key of a play: did you mean %q?", clip(p.key), config.Nearest(playKeys, p.key)))
		}
	}
	base := entry{play: play, hosts: hosts.words()}
	before := len(r.entries)
	roles := play.get("roles")
	list, ok := roles.list()
	if !ok && !roles.isNil() {
		return fmt.Errorf("%s: roles: want a list, and not %s", roles.place, roles.kind())
	}
	r.tasks(play.get("pre_tasks"), base, 0)
	for _, role := range list {
		r.role(role, base)
	}
	for _, section := range [...]string{"tasks", "post_tasks", "handlers"} {
		r.tasks(play.get(section), base, 0)
	}
	if len(r.entries) > before {
		r.prompts(play)
	}
	return nil
}

// role keeps an entry of roles, if it calls the role.
func (r *reader) role(role *value, e entry) {
	e.place = role.place
	m, ok := role.mapping()
	if !ok {
		m = newMapping()
		m.set(pair{key: "role", at: role.place, value: role})
	}
	name := first(m, "role", "name")
	if name.isNil() {
		r.warn(role.place, "", "the entry names no role: it is ignored")
		return
	}
	if !ours(text(name.data)) {
		r.warn(name.place, "", fmt.Sprintf("role %s is ignored: xtci runs nothing of a playbook", clip(text(name.data))))
		return
	}
	r.conditions(m)
	e.params = newMapping()
	for _, p := range m.pairs {
		if !slices.Contains(roleKeys, p.key) {
			e.params.set(p)
		}
	}
	e.vars, _ = m.get("vars").mapping()
	r.entries = append(r.entries, e)
}

// conditions tells of what would keep a call of the role from running.
func (r *reader) conditions(m *mapping) {
	for _, key := range [...]string{"when", "loop", "with_items", "delegate_to", "environment"} {
		if v := m.get(key); v != nil {
			r.warn(v.place, "", key+" is ignored: the role's entry is read as if that were not there")
		}
	}
}

// tasks lists tasks as ignored, but for those that call the role.
func (r *reader) tasks(tasks *value, e entry, depth int) {
	list, _ := tasks.list()
	for _, task := range list {
		m, ok := task.mapping()
		if !ok || depth > maxDepth {
			continue
		}
		if block := m.get("block"); block != nil {
			for _, part := range [...]string{"block", "rescue", "always"} {
				r.tasks(m.get(part), e, depth+1)
			}
			continue
		}
		module, name := "nothing", ""
		for _, p := range m.pairs {
			if !slices.Contains(taskKeys, p.key) && !strings.HasPrefix(p.key, "with_") {
				module = p.key
				break
			}
		}
		if v := m.get("name"); !v.isNil() {
			name = " " + quoted(text(v.data))
		}
		switch strings.TrimPrefix(module, "ansible.builtin.") {
		case "import_role", "include_role":
			called, _ := m.get(module).mapping()
			if role := called.get("name"); !role.isNil() && ours(text(role.data)) {
				e.place = task.place
				e.params, e.vars = newMapping(), nil
				e.vars, _ = m.get("vars").mapping()
				r.conditions(m)
				r.entries = append(r.entries, e)
				continue
			}
		}
		r.warn(task.place, "", "task"+name+" ("+clip(module)+") is ignored: xtci runs nothing of a playbook")
	}
}

func quoted(name string) string { return fmt.Sprintf("%q", clip(name)) }

// prompts tells of variables that Ansible would ask for.
func (r *reader) prompts(play *mapping) {
	list, _ := play.get("vars_prompt").list()
	for _, prompt := range list {
		if m, ok := prompt.mapping(); ok {
			r.warn(prompt.place, m.text("name"), "xtci does not ask for it: its default is taken, if it has one")
		}
	}
}

// ours says whether a role is that of Xtesting CI.
func ours(name string) bool {
	return slices.Contains(roleNames, name) || slices.Contains(roleNames, filepath.Base(name))
}

func first(m *mapping, keys ...string) *value {
	for _, key := range keys {
		if v := m.get(key); v != nil {
			return v
		}
	}
	return nil
}
