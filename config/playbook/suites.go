package playbook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config"
)

// containers are what every test container gets: docker_args.
func (c *converter) containers() {
	args := c.dockerArgs("docker_args", c.value("docker_args"))
	c.site.Env, c.site.EnvOrder = map[string]string{}, []string{}
	for _, v := range args.env {
		c.site.Env[v.Name] = v.Value
		c.site.EnvOrder = append(c.site.EnvOrder, v.Name)
	}
	if len(args.volumes) > 0 {
		c.site.Volumes = args.volumes
	}
	if len(args.ports) > 0 {
		c.site.PublishedPorts = args.ports
	}
	for _, key := range [...]string{"env", "volumes", "published_ports"} {
		c.from(key, "docker_args")
	}
}

type dockerArgs struct {
	env            config.Env
	volumes, ports []string
}

func (c *converter) dockerArgs(variable string, v *value) dockerArgs {
	m := c.mappingOf(variable, v)
	c.unknownKeys(variable, m, "env", "volumes", "published_ports")
	args := dockerArgs{env: config.Env{}, volumes: []string{}, ports: []string{}}
	env := m.get("env")
	for _, p := range c.mappingOf(variable+".env", env).pairs {
		args.env = append(args.env, config.Variable{Name: p.key, Value: c.envValue(variable+".env."+p.key, p.value)})
	}
	args.volumes = c.strings(variable+".volumes", m.get("volumes"))
	args.ports = c.strings(variable+".published_ports", m.get("published_ports"))
	return args
}

// envValue is a variable's value as the role writes it: true and yes become
// True, which few expect.
func (c *converter) envValue(variable string, v *value) string {
	value := c.textOf(variable, v)
	if _, ok := v.data.(bool); ok {
		c.warn(v.place, variable, "without quotes it is true or false to YAML, and becomes the word "+value+", as with the role: put it between quotes if that is not meant")
	}
	return value
}

// unknownKeys tells of keys that mean nothing.
func (c *converter) unknownKeys(variable string, m *mapping, known ...string) {
	for _, p := range m.pairs {
		if !slices.Contains(known, p.key) {
			c.warn(p.at, variable, fmt.Sprintf("the key %q is ignored: did you mean %q?", clip(p.key), config.Nearest(known, p.key)))
		}
	}
}

// images are what is tested: repositories, tags and suites.
func (c *converter) images() {
	c.site.Repo = c.text("repo")
	c.from("repo", "repo")
	c.site.DPort = c.number("dport")
	c.from("dport", "dport")
	c.site.DockerTags = c.dockerTags("docker_tags", c.value("docker_tags"))
	c.from("docker_tags", "docker_tags")
	v := c.value("suites")
	list, ok := v.list()
	if !ok && !v.isNil() {
		c.wrong(v.place, "suites", "want a list, and not %s", quotedValue(v))
	}
	c.from("suites", "suites")
	for i, element := range list {
		c.site.Suites = append(c.site.Suites, c.suite(fmt.Sprintf("suites[%d]", i), element))
		c.origins[fmt.Sprintf("suites[%d]", i)] = Origin{fmt.Sprintf("suites[%d]", i), element.file, element.line}
	}
}

// dockerTags are tags with what is special to each: a list of names, or of
// names with keys.
func (c *converter) dockerTags(variable string, v *value) []config.DockerTag {
	var tags []config.DockerTag
	if v.isNil() {
		return nil
	}
	list, ok := v.list()
	if !ok {
		c.wrong(v.place, variable, "want a list, and not %s", quotedValue(v))
	}
	for _, element := range list {
		m, ok := element.mapping()
		if !ok {
			tags = append(tags, config.DockerTag{Name: c.textOf(variable, element)})
			continue
		}
		for _, p := range m.pairs {
			tags = append(tags, c.dockerTag(variable+"."+p.key, p))
		}
	}
	return tags
}

func (c *converter) dockerTag(variable string, p pair) config.DockerTag {
	tag := config.DockerTag{Name: p.key}
	for _, key := range c.mappingOf(variable, p.value).pairs {
		switch name := variable + "." + key.key; key.key {
		case "node":
			tag.Node = c.textOf(name, key.value)
		case "branch":
			tag.Branch = c.textOf(name, key.value)
		case "dependency":
			tag.Dependency = c.textOf(name, key.value)
		case "build_args":
			for _, arg := range c.mappingOf(name, key.value).pairs {
				tag.BuildArgs = append(tag.BuildArgs, config.Variable{Name: arg.key, Value: c.textOf(name, arg.value)})
			}
		default:
			tag.Env = append(tag.Env, config.Variable{Name: key.key, Value: c.envValue(name, key.value)})
		}
	}
	return tag
}

func (c *converter) suite(variable string, v *value) config.Suite {
	var s config.Suite
	for _, p := range c.mappingOf(variable, v).pairs {
		name := variable + "." + p.key
		switch p.key {
		case "container":
			s.Container = c.textOf(name, p.value)
		case "repo":
			s.Repo = c.textOf(name, p.value)
		case "dport":
			s.DPort = c.numberOf(name, p.value)
		case "docker_tags":
			s.DockerTags = c.dockerTags(name, p.value)
		case "tests":
			s.Tests = c.strings(name, p.value)
		case "docker_args":
			args := c.dockerArgs(name, p.value)
			s.Env, s.Volumes, s.PublishedPorts = &args.env, args.volumes, args.ports
		case "properties":
			c.suiteProperties(name, &s, p.value)
		case "privileged":
			s.Privileged = c.truthOf(name, p.value)
		case "network":
			s.Network = c.textOf(name, p.value)
		case "uid", "gid":
			id := c.numberOf(name, p.value)
			if p.key == "uid" {
				s.UID = &id
			} else {
				s.GID = &id
			}
		case "timeout":
			s.Timeout = c.duration(name, p.value)
		case "exclude":
			s.Exclude = c.exclusions(name, p.value)
		case "db_project":
			c.note(p.at, name, "not supported: "+c.known[p.key].Instead)
		default:
			c.warn(p.at, name, fmt.Sprintf("a suite has no such key, and it is ignored: did you mean %s?", config.Nearest(suiteKeys, p.key)))
		}
	}
	return s
}

var suiteKeys = strings.Fields("container repo dport docker_tags tests docker_args properties privileged network uid gid timeout exclude")

// suiteProperties are those of a phase of Jenkins's multijob.
func (c *converter) suiteProperties(variable string, s *config.Suite, v *value) {
	for _, p := range c.mappingOf(variable, v).pairs {
		value := c.textOf(variable, p.value)
		switch p.key {
		case "execution-type":
			switch value {
			case "SEQUENTIALLY":
				s.Execution = config.ExecutionSequential
			case "PARALLEL":
				s.Execution = config.ExecutionParallel
			default:
				c.wrong(p.value.place, variable, "execution-type: want PARALLEL or SEQUENTIALLY, and not %s", quoted(value))
			}
		case "condition":
			s.Condition = strings.ToLower(value)
		default:
			c.warn(p.at, variable, fmt.Sprintf("the key %q is not supported: phases have execution-type and condition", clip(p.key)))
		}
	}
}

// duration reads 3h, 90m, 1h 30m; of a number nobody knows of what it is.
func (c *converter) duration(variable string, v *value) time.Duration {
	if v.isNil() {
		return 0
	}
	value := c.textOf(variable, v)
	short := strings.NewReplacer(" ", "", "hours", "h", "hour", "h", "minutes", "m", "minute", "m", "mins", "m", "min", "m", "seconds", "s", "second", "s", "secs", "s", "sec", "s").Replace(strings.ToLower(value))
	d, err := time.ParseDuration(short)
	if err != nil || d < 0 {
		c.warn(v.place, variable, quoted(value)+" is no time: there is none (give 3h or 90m)")
		return 0
	}
	return d.Truncate(time.Second)
}

func (c *converter) exclusions(variable string, v *value) []config.Exclusion {
	list, ok := v.list()
	if !ok && !v.isNil() {
		c.wrong(v.place, variable, "want a list, and not %s", quotedValue(v))
	}
	var all []config.Exclusion
	for _, element := range list {
		m := c.mappingOf(variable, element)
		c.unknownKeys(variable, m, "tag", "test")
		e := config.Exclusion{}
		if tag := m.get("tag"); tag != nil {
			e.Tag = c.textOf(variable, tag)
		}
		if test := m.get("test"); test != nil {
			e.Test = c.textOf(variable, test)
		}
		all = append(all, e)
	}
	return all
}

// kubeconfig is the mount that every container has where xtci would mount the
// site's own: then xtci knows the cluster under test, too.
func (c *converter) kubeconfig() {
	host, ok := c.kubeconfigMount()
	if !ok {
		for _, volume := range c.site.Volumes {
			if strings.Contains(volume, "/.kube/config") {
				c.note(c.place("docker_args"), "docker_args", "the mount of the kubeconfig stays a volume, because it is not the same for all suites, or not where xtci mounts it: xtci doctor does not look at the cluster (to have it look, set kubeconfig)")
				return
			}
		}
		return
	}
	c.site.Kubeconfig = host
	c.from("kubeconfig", "docker_args")
	if c.site.Volumes = slices.DeleteFunc(c.site.Volumes, isKubeconfig); len(c.site.Volumes) == 0 {
		c.site.Volumes = nil
	}
	for i := range c.site.Suites {
		if s := &c.site.Suites[i]; s.Volumes != nil {
			s.Volumes = slices.DeleteFunc(s.Volumes, isKubeconfig)
		}
	}
}

func isKubeconfig(volume string) bool { return strings.Contains(volume, "/.kube/config") }

// kubeconfigMount is the host's file, if all containers mount the same where
// their tag has it.
func (c *converter) kubeconfigMount() (string, bool) {
	host := ""
	check := func(volumes []string, tags []config.DockerTag) bool {
		var mounts []string
		for _, v := range volumes {
			if isKubeconfig(v) {
				mounts = append(mounts, v)
			}
		}
		if len(mounts) != 1 {
			return false
		}
		from, to, _ := strings.Cut(mounts[0], ":")
		if host != "" && host != from || strings.Contains(from, "{tag}") {
			return false
		}
		host = from
		for _, tag := range tags {
			if to != kubeconfigTarget(tag.Name, c.site.Release) {
				return false
			}
		}
		return true
	}
	for _, s := range c.site.Suites {
		volumes, tags := c.site.Volumes, c.site.DockerTags
		if s.Volumes != nil {
			volumes = s.Volumes
		}
		if len(s.DockerTags) > 0 {
			tags = s.DockerTags
		}
		if !check(volumes, tags) {
			return "", false
		}
	}
	return host, host != ""
}

var minorVersion = regexp.MustCompile(`^v1\.([0-9]{1,4})$`)

// kubeconfigTarget is where xtci mounts the kubeconfig, which is where the
// images of a release look for it: their user is root up to v1.23. A tag that
// is no release is taken for one of the site's.
func kubeconfigTarget(tag, release string) string {
	match := minorVersion.FindStringSubmatch(tag)
	if match == nil {
		if match = minorVersion.FindStringSubmatch(release); match == nil {
			return ""
		}
	}
	if minor, err := strconv.Atoi(match[1]); err == nil && minor <= 23 {
		return "/root/.kube/config"
	}
	return "/home/xtesting/.kube/config"
}

// place is where a variable is given, or else the call of the role.
func (c *converter) place(name string) place {
	if v := c.given(name); v != nil {
		return v.place
	}
	return c.entry.place
}
