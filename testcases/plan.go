package testcases

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/config"
)

// A Plan is what a campaign runs, ready for any engine: phases one after the
// other, the jobs of a phase one after the other or side by side.
type Plan struct {
	Release string `json:"release"`
	Project string `json:"project"`
	// Tag is the tag of images that is tested.
	Tag DockerTag `json:"tag"`
	// Campaign and Archive are the names of the jobs that run the campaign
	// and make its archive, View of where campaigns are listed.
	Campaign string `json:"campaign"`
	Archive  string `json:"archive"`
	View     View   `json:"view"`
	// Env are the variables that every campaign can be given, with their
	// values when it is given none.
	Env    config.Env  `json:"env,omitempty"`
	Phases []PlanPhase `json:"phases"`
	// Spare are phases that no campaign runs: those of further tags of suites
	// that have tags of their own.
	Spare []PlanPhase `json:"spare,omitempty"`
	// Archives are the jobs that make archives in the first suite's container,
	// one for each tag of that suite: so Archive need not be among them.
	Archives []ArchiveJob `json:"archives,omitempty"`
}

// A DockerTag is a tag of images, and what is special to it.
type DockerTag struct {
	Name string `json:"name"`
	// Node is where its jobs run: a name or label, empty for anywhere.
	Node string `json:"node,omitempty"`
}

// A View lists the campaigns of a project.
type View struct {
	Name  string `json:"name"`
	Regex string `json:"regex"` // of the names of jobs
}

// An ArchiveJob makes archives in the container that runs tests.
type ArchiveJob struct {
	Name      string    `json:"name"`
	Node      string    `json:"node,omitempty"`
	Container Container `json:"container"`
}

// A PlanPhase is one container's jobs.
type PlanPhase struct {
	Name       string `json:"name"` // the container, as in spec/jobs.md
	Sequential bool   `json:"sequential"`
	// Condition is how its jobs must end for the next phase to run, one of
	// config's; empty is what the site says for all.
	Condition string `json:"condition,omitempty"`
	Jobs      []Job  `json:"jobs"`
	// Named are the names of all jobs of the suite in order: those of Jobs, and
	// those that the site excludes or that are not in the scope.
	Named []string `json:"named,omitempty"`
	// Image is what its jobs run, Pull and Remove the names of the jobs that
	// get and remove it.
	Image  string `json:"image,omitempty"`
	Pull   string `json:"pull,omitempty"`
	Remove string `json:"remove,omitempty"`
	// Node is where its jobs run: a name or label, empty for anywhere.
	Node string `json:"node,omitempty"`
}

// A Job is one run of one case. Case is never nil: for a test that the
// catalogue does not know it has its name, container and tier alone.
type Job struct {
	Name      string    `json:"name"`
	Case      *Case     `json:"-"`
	Container Container `json:"container"`
	// Timeout is how long it may take; 0 is for ever.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Node is where it runs: a name or label, empty for anywhere.
	Node string `json:"node,omitempty"`
}

// A Container is how a test's container is started, besides what engines add
// themselves: where results go to, and how to reach that.
type Container struct {
	Image string `json:"image"`
	// Env are the variables that a campaign can be given, with their values
	// when it is given none; Fixed those that are always the same.
	Env   config.Env `json:"env,omitempty"`
	Fixed config.Env `json:"fixed,omitempty"`
	// Volumes are HOST:CONTAINER[:MODE], Ports HOST:CONTAINER.
	Volumes    []string `json:"volumes,omitempty"`
	Ports      []string `json:"ports,omitempty"`
	Privileged bool     `json:"privileged,omitempty"`
	// Memory in bytes and CPUs limit it; 0 is no limit.
	Memory int64   `json:"memory,omitempty"`
	CPUs   float64 `json:"cpus,omitempty"`
	// Network is a Docker network; empty is that of the wiring.
	Network string `json:"network,omitempty"`
	// UID and GID own the folder that results are written to.
	UID int `json:"uid"`
	GID int `json:"gid"`
}

// Scope says which cases are looked at.
type Scope string

// Scopes. Optional cases never change the verdict on a campaign.
const (
	ScopeAll       Scope = "all"
	ScopeMandatory Scope = "mandatory"
	ScopeOptional  Scope = "optional"
)

// ParseScope reads the name of a scope.
func ParseScope(name string) (Scope, error) {
	scope := Scope(name)
	if !slices.Contains([]Scope{ScopeAll, ScopeMandatory, ScopeOptional}, scope) {
		return "", fmt.Errorf("scope %q: want mandatory, optional or all", name)
	}
	return scope, nil
}

// Has says whether the scope includes a case.
func (s Scope) Has(c *Case) bool {
	return s == ScopeAll || c.Mandatory == (s == ScopeMandatory)
}

// NewPlan plans the cases that run by default, of the scope, in the order of
// the catalogue, for a site that says nothing but its project.
func NewPlan(catalog *Catalog, project string, scope Scope) Plan {
	site := config.Default()
	site.Project, site.Release = project, catalog.Release
	return Plans(site, catalog, scope)[0]
}

// Plans plans what a site wants to be tested, of the scope: one campaign for
// each of its tags, of which there is at least one. A phase without jobs in
// the scope is left out.
func Plans(site config.Site, catalog *Catalog, scope Scope) []Plan {
	planner := planner{site: site, catalog: catalog, scope: scope, names: names{site.Project, site.Jobs}, suites: site.Suites}
	if len(planner.suites) == 0 {
		planner.suites = defaultSuites(catalog)
	}
	var plans []Plan
	for _, tag := range site.Tags() {
		plans = append(plans, planner.plan(tag))
	}
	return plans
}

// Jobs are all jobs of the campaign in order.
func (p Plan) Jobs() []Job {
	var jobs []Job
	for _, phase := range p.Phases {
		jobs = append(jobs, phase.Jobs...)
	}
	return jobs
}

// Select returns the plan with the jobs of some cases only. Phases without
// any are left out.
func (p Plan) Select(has func(*Case) bool) Plan {
	phases := p.Phases
	p.Phases = nil
	for _, phase := range phases {
		phase.Jobs = slices.DeleteFunc(slices.Clone(phase.Jobs), func(job Job) bool { return !has(job.Case) })
		if len(phase.Jobs) > 0 {
			p.Phases = append(p.Phases, phase)
		}
	}
	return p
}

// smokeTimeout is how long one test of the smoke container may take, as RC2's
// own site has it (spec/testapi-xtesting.md, d).
const smokeTimeout = 3 * time.Hour

// defaultSuites are those of RC2 for the release: the phases of the catalogue
// with the cases that run by default.
func defaultSuites(catalog *Catalog) []config.Suite {
	var suites []config.Suite
	for _, phase := range catalog.Phases {
		repo, image := path.Split(phase.Container)
		container, _, _ := strings.Cut(image, ":")
		suite := config.Suite{Container: container, Execution: phase.Execution}
		if repo = strings.TrimSuffix(repo, "/"); repo != config.Default().Repo {
			suite.Repo = repo
		}
		if phase.Name == "smoke" {
			suite.Timeout = smokeTimeout
		}
		for i := range catalog.Cases {
			if c := &catalog.Cases[i]; c.Tier == phase.Name && c.Default {
				suite.Tests = append(suite.Tests, c.Name)
			}
		}
		suites = append(suites, suite)
	}
	return suites
}

type planner struct {
	site    config.Site
	catalog *Catalog
	scope   Scope
	names   names
	suites  []config.Suite
}

// plan plans the campaign of a tag.
func (p planner) plan(tag config.DockerTag) Plan {
	plan := Plan{
		Release: p.site.Release, Project: p.site.Project, Tag: DockerTag{tag.Name, tag.Node},
		Campaign: p.names.campaign(tag.Name), Archive: p.names.archive(tag.Name), Env: p.site.Variables(),
		View: View{p.names.view(), p.site.Jobs.ViewRegex},
	}
	if plan.View.Regex == "" {
		plan.View.Regex = "^" + p.names.campaignPrefix() + "[a-z0-9.]+" + p.site.Jobs.CampaignSuffix + "$"
	}
	for i, suite := range p.suites {
		tags := suite.DockerTags
		if len(tags) == 0 {
			tags = []config.DockerTag{tag}
		}
		for k, own := range tags {
			if i == 0 {
				plan.Archives = append(plan.Archives, ArchiveJob{p.names.archive(own.Name), own.Node, p.container(suite, own)})
			}
			phase := p.phase(suite, own)
			switch {
			case len(phase.Jobs) == 0:
			case k == 0:
				plan.Phases = append(plan.Phases, phase)
			default:
				plan.Spare = append(plan.Spare, phase)
			}
		}
	}
	return plan
}

// phase plans the tests of a suite at a tag.
func (p planner) phase(suite config.Suite, tag config.DockerTag) PlanPhase {
	repo := p.repo(suite)
	prefix := p.names.suite(repo, suite.Container, tag.Name)
	phase := PlanPhase{
		Name:       repo + "/" + strings.ReplaceAll(suite.Container, "/", "-") + ":" + tag.Name,
		Sequential: suite.Execution == config.ExecutionSequential, Condition: suite.Condition,
		Image: p.image(suite, tag.Name), Pull: prefix + "pull", Remove: prefix + "rmi", Node: tag.Node,
	}
	for _, test := range suite.Tests {
		name := p.names.test(repo, suite.Container, tag.Name, test)
		phase.Named = append(phase.Named, name)
		if slices.ContainsFunc(suite.Exclude, func(e config.Exclusion) bool { return e.Has(tag.Name, test) }) {
			continue
		}
		c, known := p.catalog.Case(test)
		if !known {
			c = &Case{Name: test, Project: p.site.Project, Tier: suite.Container, Container: phase.Image, Level: LevelMay}
		}
		if p.scope.Has(c) {
			phase.Jobs = append(phase.Jobs, Job{
				Name: name, Case: c, Container: p.container(suite, tag), Timeout: suite.Timeout, Node: tag.Node,
			})
		}
	}
	return phase
}

func (p planner) repo(suite config.Suite) string {
	if suite.Repo != "" {
		return suite.Repo
	}
	return p.site.Repo
}

func (p planner) image(suite config.Suite, tag string) string {
	port := suite.DPort
	if port == 0 {
		port = p.site.DPort
	}
	return imageReference(p.repo(suite), port, suite.Container, tag)
}

// defaultID owns results where a suite names nobody (spec/jobs.md).
const defaultID = 1000

func (p planner) container(suite config.Suite, tag config.DockerTag) Container {
	c := Container{
		Image: p.image(suite, tag.Name), Env: p.site.Variables(), Fixed: tag.Env,
		Ports: p.site.PublishedPorts, Privileged: suite.Privileged, Memory: suite.MemoryBytes(), CPUs: suite.CPUs,
		Network: suite.Network, UID: defaultID, GID: defaultID,
	}
	if suite.Env != nil {
		c.Env = *suite.Env
	}
	if suite.PublishedPorts != nil {
		c.Ports = suite.PublishedPorts
	}
	if suite.UID != nil {
		c.UID = *suite.UID
	}
	if suite.GID != nil {
		c.GID = *suite.GID
	}
	volumes := p.site.Volumes
	if suite.Volumes != nil {
		volumes = suite.Volumes
	}
	if p.site.Kubeconfig != "" {
		volume := p.site.Kubeconfig + ":" + p.catalog.KubeconfigTarget(tag.Name)
		if p.site.Wiring != config.WiringClassic {
			// What a container writes there, xtci and kubectl on the host would
			// run: a kubeconfig can name programs.
			volume += ":ro"
		}
		c.Volumes = append(c.Volumes, volume)
	}
	for _, volume := range volumes {
		c.Volumes = append(c.Volumes, strings.ReplaceAll(volume, "{tag}", tag.Name))
	}
	return c
}

var minorVersion = regexp.MustCompile(`^v1\.([0-9]{1,4})\b`)

// KubeconfigTarget is where an image looks for its kubeconfig: where the
// catalogue says, unless the tag is of another release. The user of the images
// is root up to v1.23, and another from v1.24 on (spec/jobs.md).
func (c *Catalog) KubeconfigTarget(tag string) string {
	match := minorVersion.FindStringSubmatch(tag)
	if match == nil || match[0] == c.Release {
		return c.Kubeconfig
	}
	if minor, err := strconv.Atoi(match[1]); err == nil && minor <= 23 {
		return "/root/.kube/config"
	}
	return "/home/xtesting/.kube/config"
}

// JobName is the name of the job that runs a case in a site that says nothing
// but its project.
func JobName(project string, c *Case) string {
	repository, image := path.Split(c.Container)
	container, tag, _ := strings.Cut(image, ":")
	n := names{project, config.Default().Jobs}
	if repository = strings.TrimSuffix(repository, "/"); repository == "" {
		n.options.MultiRepos = false
	}
	return n.test(repository, container, tag, c.Name)
}
