package playbook

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/anuket-project/xtci/config"
)

// Options say what a playbook is read with.
type Options struct {
	// Address is that of this host, for ansible_default_ipv4.address. Empty
	// is that of the default route.
	Address string
	// Releases are those that there is a catalogue of test cases for, the
	// oldest first.
	Releases []string
	// Given says whether a key of the site is set elsewhere, so that what the
	// playbook says of it, and which cannot be had, does not matter.
	Given func(key string) bool
	// Root, if there is one, is the folder that no file is read outside of,
	// also by way of a link: that of a playbook which came from elsewhere.
	Root string
}

// A Playbook is what was read.
type Playbook struct {
	File string
	// Campaigns are those that the playbook asks for, in its order, at least
	// one. They share one stack.
	Campaigns []Campaign
	Findings  []Finding
}

// A Campaign is what one call of the role asks for.
type Campaign struct {
	Site config.Site
	// File and Line are where the role is called.
	File string
	Line int
	// Origins say where keys of the site are from.
	Origins map[string]Origin
}

// An Origin is the variables that a key of the site is made of.
type Origin struct {
	Variable string
	File     string
	Line     int
}

func (o Origin) String() string { return fmt.Sprintf("%s, %s:%d", o.Variable, o.File, o.Line) }

// Read reads a playbook. Errors name file, line and variable.
func Read(file string, o Options) (*Playbook, error) {
	known, err := newVariables()
	if err != nil {
		return nil, err
	}
	r := newReader(file, known, o)
	doc, err := r.document(file)
	if err != nil {
		return nil, err
	}
	return r.read(file, doc)
}

func newReader(file string, known variables, o Options) *reader {
	if o.Given == nil {
		o.Given = func(string) bool { return false }
	}
	return &reader{options: o, dir: filepath.Dir(file), known: known, files: map[string]*value{}, used: map[string]bool{}}
}

func (r *reader) read(file string, doc *value) (*Playbook, error) {
	if err := r.plays(doc); err != nil {
		return nil, err
	}
	campaigns, err := r.campaigns()
	if err != nil {
		return nil, err
	}
	sortFindings(r.findings)
	return &Playbook{File: file, Campaigns: campaigns, Findings: r.findings}, nil
}

// Is says whether text is a playbook rather than a site: a list of plays.
func Is(text []byte) bool {
	if bytes.HasPrefix(text, vaultHeader) {
		return true
	}
	var node yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&node); err != nil {
		return false // whoever reads it says why
	}
	return len(node.Content) == 1 && node.Content[0].Kind == yaml.SequenceNode
}

// campaigns turns the calls of the role into campaigns.
func (r *reader) campaigns() ([]Campaign, error) {
	const most = 200
	if len(r.entries) > most {
		return nil, fmt.Errorf("%s: the role is called %d times: more than %d are not read", r.entries[most].place, len(r.entries), most)
	}
	var converters []*converter
	for _, e := range r.entries {
		layers, err := r.layers(e)
		if err != nil {
			return nil, err
		}
		converters = append(converters, &converter{scope: r.scope(e, layers), origins: map[string]Origin{}})
	}
	deployed := deployments(converters)
	var campaigns []Campaign
	for i, c := range converters {
		makes := c.makesJobs()
		if err := c.err; err != nil {
			return nil, err
		}
		if !makes && (len(campaigns) > 0 || i < len(converters)-1) {
			c.lint()
			continue
		}
		if !makes {
			c.note(c.entry.place, "", "no call of the role makes jobs: the last is taken for the campaign")
		}
		c.convert(deployed)
		c.lint()
		if c.err != nil {
			return nil, c.err
		}
		same := false
		for _, other := range campaigns {
			same = same || reflect.DeepEqual(other.Site, c.site)
		}
		if !same {
			campaigns = append(campaigns, Campaign{Site: c.site, File: c.entry.file, Line: c.entry.line, Origins: c.origins})
		}
	}
	r.note(r.entries[0].place, "", "ports are published on "+config.Default().Stack.Bind+" alone, where the role publishes them on all addresses: to do so, --set stack.bind=0.0.0.0")
	return campaigns, nil
}

// deployments says which services any call of the role deploys: they share
// one stack.
func deployments(converters []*converter) map[string]bool {
	deployed := map[string]bool{}
	for _, c := range converters {
		for _, name := range [...]string{"jenkins_deploy", "minio_deploy", "testapi_deploy", "registry_deploy"} {
			deployed[name] = deployed[name] || c.truth(name)
		}
	}
	return deployed
}

// lint has a finding for every variable that is set and means nothing here.
func (c *converter) lint() {
	for _, l := range c.layers {
		for _, p := range l.pairs {
			c.lintVariable(l, p)
		}
	}
	c.proxies()
}

func (c *converter) lintVariable(l layer, p pair) {
	variable, known := c.known[p.key]
	switch {
	case known && variable.Supported():
	case known:
		c.unsupported(variable, p)
	case strings.HasPrefix(p.key, "ansible_"):
		c.note(p.at, p.key, "it says how Ansible reaches a host, which xtci does not do: it is ignored")
	case c.used[p.key]: // in a template: it has had its effect
	case l.params:
		c.warn(p.at, p.key, "the role has no such variable, and it is ignored: did you mean "+c.known.nearest(p.key)+"?")
	default:
		c.note(p.at, p.key, "the role has no such variable, and no template that was read names it: it is ignored (the nearest one is "+c.known.nearest(p.key)+")")
	}
}

// unsupported tells of a variable that has no effect. That it says what is so
// by default is worth a note alone.
func (c *converter) unsupported(variable Variable, p pair) {
	level := LevelWarning
	if variable.Harmless {
		level = LevelNote
	} else if v, err := c.resolve(p.value); err == nil && variable.fallback != nil {
		if fallback, err := c.resolve(variable.fallback); err == nil && reflect.DeepEqual(v.native(), fallback.native()) {
			level = LevelNote
		}
	}
	c.find(level, p.at, p.key, "not supported: "+variable.Instead)
}

// proxies tells of the environment of the play.
func (c *converter) proxies() {
	environment := c.entry.play.get("environment")
	m, ok := environment.mapping()
	if !ok {
		if !environment.isNil() {
			c.warn(environment.place, "environment", "want NAME: value: it is ignored")
		}
		return
	}
	for _, p := range m.pairs {
		said := p.value
		if v, err := c.resolve(p.value); err == nil {
			said = v
		}
		switch strings.ToLower(p.key) {
		case "http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy":
			c.warn(p.at, p.key, fmt.Sprintf("xtci takes its own proxies from its environment (export %s=... before xtci up), Docker has its own; tests get it by docker_args.env; %s is not written down", p.key, secretless(text(said.data))))
		default:
			c.warn(p.at, p.key, "the environment of modules is ignored: xtci runs nothing of a playbook")
		}
	}
}

// secretless is a URL without the user and password in it.
func secretless(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if _, host, found := strings.Cut(rest, "@"); ok && found {
		return clip(scheme + "://" + host)
	}
	return clip(url)
}
