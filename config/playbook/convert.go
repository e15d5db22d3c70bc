package playbook

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// A converter makes a site of one call of the role. It keeps the first error.
type converter struct {
	*scope
	site    config.Site
	origins map[string]Origin
	err     error
}

func (c *converter) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// wrong is a value that cannot be used.
func (c *converter) wrong(at place, variable, format string, args ...any) {
	c.fail(&problem{at: at, variable: variable, text: fmt.Sprintf(format, args...)})
}

// value is a variable of the role. One that would have to be run counts as not
// given, and one that is encrypted too if the site has its value otherwise.
func (c *converter) value(name string) *value {
	v, err := c.get(name)
	vault := isKind(err, problemVault) && c.hasOtherwise(name)
	if isKind(err, problemLookup) || vault {
		fallback := c.known[name].fallback
		if p, ok := errors.AsType[*problem](err); ok && !vault {
			c.warn(p.at, name, p.text+": the role's default is taken")
		}
		if fallback == nil {
			fallback = &value{place: c.entry.place}
		}
		v, err = c.resolve(fallback)
	}
	if err != nil {
		c.fail(err)
	}
	if v == nil {
		v = &value{place: c.entry.place}
	}
	return v
}

// hasOtherwise says whether the keys that a variable becomes are all set
// elsewhere.
func (c *converter) hasOtherwise(name string) bool {
	keys := c.known[name].Site
	if keys == "" {
		return false
	}
	for key := range strings.SplitSeq(keys, ", ") {
		if !c.options.Given(key) {
			return false
		}
	}
	return true
}

// isGiven says whether the playbook itself says something of a variable.
func (c *converter) isGiven(names ...string) bool {
	for _, name := range names {
		if c.given(name) != nil {
			return true
		}
	}
	return false
}

// from keeps where a key of the site is from.
func (c *converter) from(key string, names ...string) {
	for _, name := range names {
		if v := c.given(name); v != nil {
			c.origins[key] = Origin{name, v.file, v.line}
			return
		}
	}
}

func (c *converter) text(name string) string { return c.textOf(name, c.value(name)) }

func (c *converter) textOf(variable string, v *value) string {
	if v.isNil() {
		return ""
	}
	if _, ok := v.list(); ok || v.kind() == "a mapping" {
		c.wrong(v.place, variable, "want text, and not %s", v.kind())
		return ""
	}
	if read := text(v.data); v.written != "" && v.written != read {
		c.warn(v.place, variable, fmt.Sprintf("%s without quotes is read as %s, as Ansible does: if it is no number, put it between quotes", v.written, read))
	}
	return text(v.data)
}

func (c *converter) truth(name string) bool { return c.truthOf(name, c.value(name)) }

func (c *converter) truthOf(variable string, v *value) bool {
	switch data := v.data.(type) {
	case nil:
		return false
	case bool:
		return data
	case int64:
		return data != 0
	case string:
		switch strings.ToLower(data) {
		case "yes", "on", "1", "true":
			return true
		case "no", "off", "0", "false", "", "none":
			return false
		}
	}
	c.wrong(v.place, variable, "want true or false, and not %s", quotedValue(v))
	return false
}

// number is a whole number; 0 where there is none.
func (c *converter) number(name string) int { return c.numberOf(name, c.value(name)) }

func (c *converter) numberOf(variable string, v *value) int {
	switch data := v.data.(type) {
	case nil:
		return 0
	case int64:
		if data == int64(int32(data)) { //nolint:gosec // that is the question
			return int(data)
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(data), 10, 32); err == nil {
			return int(n)
		}
	}
	c.wrong(v.place, variable, "want a whole number, and not %s", quotedValue(v))
	return 0
}

// strings are a list of text.
func (c *converter) strings(variable string, v *value) []string {
	all := []string{}
	if v.isNil() {
		return all
	}
	list, ok := v.list()
	if !ok {
		c.wrong(v.place, variable, "want a list, and not %s", quotedValue(v))
		return all
	}
	for _, element := range list {
		all = append(all, c.textOf(variable, element))
	}
	return all
}

func (c *converter) mappingOf(variable string, v *value) *mapping {
	if v.isNil() {
		return newMapping()
	}
	m, ok := v.mapping()
	if !ok {
		c.wrong(v.place, variable, "want NAME: value, and not %s", quotedValue(v))
		return newMapping()
	}
	return m
}

func quotedValue(v *value) string {
	if s, ok := v.data.(string); ok {
		return quoted(s)
	}
	return v.kind()
}

// inOrder goes through variables by their names, so that of several errors
// always the same is first.
func inOrder[T any](by map[string]*T) iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for _, name := range slices.Sorted(maps.Keys(by)) {
			if !yield(name, by[name]) {
				return
			}
		}
	}
}

// makesJobs says whether the call asks for a campaign.
func (c *converter) makesJobs() bool {
	jenkins, gitlab := c.truth("jenkins_create_jobs"), c.truth("gitlab_create_jobs")
	if c.truth("deps_only") || !jenkins && !gitlab {
		return false
	}
	for _, name := range [...]string{"suites", "docker_tags"} {
		if list, ok := c.value(name).list(); ok && len(list) == 0 || c.value(name).isNil() {
			return false
		}
	}
	if !jenkins {
		c.warn(c.entry.place, "", "the campaign is for GitLab, which is not there yet: it is made for Jenkins, and for xtci run")
	}
	return true
}

// convert makes the site. What the playbook does not say is what the role has
// by default, but for what xtci does better: those are notes.
func (c *converter) convert(deployed map[string]bool) {
	c.site = config.Default()
	c.site.Project = c.text("project")
	c.from("project", "project")
	c.site.Kubeconfig = ""
	if c.isGiven("ipaddress") {
		if address := c.text("ipaddress"); address != c.options.Address {
			c.site.Address = address
			c.from("address", "ipaddress")
		}
	}
	c.containers()
	c.images()
	c.jobs()
	c.stack(deployed)
	c.release()
	c.kubeconfig()
	if c.err != nil {
		return
	}
	if err := c.site.Validate(); err != nil {
		c.fail(c.located(err))
	}
}

// located says where in the playbook a key of the site with a wrong value is
// from.
func (c *converter) located(err error) error {
	wrong, ok := errors.AsType[*config.ValueError](err)
	if !ok {
		return err
	}
	for key := wrong.Key; key != ""; {
		if o, ok := c.origins[key]; ok {
			return fmt.Errorf("%s:%d: variable %s: %w", o.File, o.Line, o.Variable, err)
		}
		if cut := strings.LastIndexAny(key, ".["); cut >= 0 {
			key = key[:cut]
		} else {
			break
		}
	}
	return fmt.Errorf("%s: %w", c.entry.place, err)
}

// release names the catalogue: that of the first tag, if there is one, and
// otherwise the newest, as tags such as latest are nearer to that than to any.
func (c *converter) release() {
	for _, tag := range c.site.DockerTags {
		for _, release := range c.options.Releases {
			if tag.Name == release {
				c.site.Release = release
				c.from("release", "docker_tags")
				return
			}
		}
	}
	if n := len(c.options.Releases); n > 0 {
		c.site.Release = c.options.Releases[n-1]
	}
	c.note(c.place("docker_tags"), "docker_tags", "no tag is a release with a catalogue of test cases: that of "+c.site.Release+" is used (another: --set release=RELEASE), and verdicts are those of that release")
}
