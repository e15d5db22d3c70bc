package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
)

// leastTimeout, in minutes, is the shortest that Jenkins's plugin build-timeout
// keeps, save for no-activity: a shorter one becomes that
// (BuildTimeoutWrapper.MINIMUM_TIMEOUT_MILLISECONDS).
const leastTimeout = 3

func (c *checker) timeouts() {
	var forever []string
	for i, suite := range c.Site.Suites {
		key := fmt.Sprintf("suites[%d]", i)
		switch {
		case suite.Timeout == 0:
			forever = append(forever, suite.Container)
		case c.Playbook:
			c.find(TimeoutIgnored, key+".timeout", "with the role Jenkins ignores the timeout %s of %s, and xtci keeps it: tests that took longer so far are ended now", short(suite.Timeout.String()), suite.Container)
		}
	}
	if len(forever) > 0 {
		c.find(TimeoutNone, "suites", "%s: without a timeout a test that hangs holds up the campaign for ever", strings.Join(forever, ", "))
	}
	for i, wrapper := range c.Site.Jobs.Wrappers {
		t, key := wrapper.Timeout, fmt.Sprintf("jobs.wrappers[%d]", i)
		switch {
		case t == nil:
		case t.Type == "likely-stuck" && t.Timeout > 0:
			c.find(TimeoutIgnored, key, "Jenkins ignores the %d minutes: with likely-stuck it finds out itself how long is too long", t.Timeout)
		case t.Timeout < leastTimeout && (t.Type == "" || t.Type == "absolute" || t.Type == "elastic"):
			c.find(TimeoutIgnored, key, "Jenkins ignores the timeout of %d min, and takes %d min, which is the least", t.Timeout, leastTimeout)
		}
	}
}

// short is a time without its units that are nothing.
func short(duration string) string {
	if trimmed, ok := strings.CutSuffix(duration, "m0s"); ok {
		duration = trimmed + "m"
	}
	if trimmed, ok := strings.CutSuffix(duration, "h0m"); ok {
		duration = trimmed + "h"
	}
	return duration
}

// A published port is one of the host's.
type published struct {
	address, port, protocol string
	key, who                string
}

func (p published) String() string { return strings.TrimPrefix(p.address+":"+p.port, ":") }

// clashes says whether both cannot be had at once.
func (p published) clashes(other published) bool {
	all := func(address string) bool { return slices.Contains([]string{"", "0.0.0.0", "::"}, address) }
	return p.port == other.port && p.protocol == other.protocol &&
		(p.address == other.address || all(p.address) || all(other.address))
}

// ports looks for ports that two containers want at the same time. Those of
// the stack among themselves the site's loading refuses.
func (c *checker) ports() {
	stack := c.stackPorts()
	if len(c.Site.Suites) == 0 {
		c.portsOf("published_ports", "the campaign", c.Site.PublishedPorts, stack, false)
	}
	for i, suite := range c.Site.Suites {
		key, ports := "published_ports", c.Site.PublishedPorts
		if suite.PublishedPorts != nil {
			key, ports = fmt.Sprintf("suites[%d].published_ports", i), suite.PublishedPorts
		}
		c.portsOf(key, suite.Container, ports, stack, suite.Execution != config.ExecutionSequential && len(suite.Tests) > 1)
	}
}

func (c *checker) portsOf(key, who string, ports []string, stack []published, parallel bool) {
	taken := slices.Clone(stack)
	for i, text := range ports {
		p, ok := readPort(text)
		if !ok {
			continue
		}
		p.key, p.who = fmt.Sprintf("%s[%d]", key, i), who
		if k := slices.IndexFunc(taken, p.clashes); k >= 0 {
			c.find(PortTwice, p.key, "%s publishes port %s, which %s publishes, too", who, p, taken[k].who)
		} else if parallel {
			c.find(PortTwice, p.key, "%s publishes port %s for each of its tests, and they run side by side: only one can have it", who, p)
		}
		taken = append(taken, p)
	}
}

// readPort reads [ADDRESS:]HOST-PORT:CONTAINER-PORT[/PROTOCOL]; a port that
// Docker chooses is none.
func readPort(text string) (published, bool) {
	text, protocol, _ := strings.Cut(text, "/")
	if protocol == "" {
		protocol = "tcp"
	}
	host, _, ok := cutLast(text)
	if !ok {
		return published{}, false
	}
	address, port, ok := cutLast(host)
	if !ok {
		address, port = "", host
	}
	return published{address: strings.Trim(address, "[]"), port: port, protocol: protocol}, port != ""
}

func cutLast(text string) (before, after string, ok bool) {
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

// stackPorts are those that services publish.
func (c *checker) stackPorts() []published {
	s := c.Site.Stack
	var all []published
	add := func(service config.Service, external, name string, ports ...int) {
		if !service.Enabled || external != "" {
			return
		}
		for _, port := range ports {
			all = append(all, published{address: s.Bind, port: fmt.Sprint(port), protocol: "tcp", who: name + " of the stack"})
		}
	}
	add(s.Jenkins.Service, s.Jenkins.External.URL, "Jenkins", s.Jenkins.Port)
	add(s.Minio.Service, s.Minio.External.Endpoint, "MinIO", s.Minio.Port, s.Minio.ConsolePort)
	add(s.TestDB.Service, s.TestDB.External.URL, "the test DB", s.TestDB.Port)
	add(s.Files.Service, "", "the file server", s.Files.Port)
	add(s.Registry.Service, "", "the registry", s.Registry.Port)
	return all
}

// A misplaced kubeconfig is one that images do not find.
type misplaced struct{ rule, key, at, want string }

// kubeconfig looks at the mounts of all containers of the catalogue.
func (c *checker) kubeconfig() {
	var order []misplaced
	images := map[misplaced][]string{}
	for _, plan := range testcases.Plans(c.Site, c.Catalog, testcases.ScopeAll) {
		for _, phase := range slices.Concat(plan.Phases, plan.Spare) {
			if len(phase.Jobs) == 0 || !c.known(containerOf(phase.Image)) {
				continue
			}
			wrong, ok := c.misplaced(phase.Image, phase.Jobs[0].Container)
			if !ok || slices.Contains(images[wrong], phase.Image) {
				continue
			}
			if images[wrong] == nil {
				order = append(order, wrong)
			}
			images[wrong] = append(images[wrong], phase.Image)
		}
	}
	for _, wrong := range order {
		text := "no kubeconfig is mounted%[1]s, and %[3]s look for one at %[2]s: tests cannot reach the cluster"
		if wrong.rule == KubeconfigTarget {
			text = "the kubeconfig is mounted at %[1]s, and %[3]s look for it at %[2]s"
		}
		c.find(wrong.rule, wrong.key, text, wrong.at, wrong.want, strings.Join(images[wrong], ", "))
	}
}

// misplaced says where an image gets its kubeconfig, if it does not find it.
func (c *checker) misplaced(image string, container testcases.Container) (misplaced, bool) {
	for _, v := range slices.Concat(container.Env, container.Fixed) {
		if v.Name == "KUBECONFIG" {
			return misplaced{}, false // the images' own place does not matter
		}
	}
	_, tag := fullName(image)
	found := misplaced{rule: KubeconfigMissing, key: "kubeconfig", want: c.Catalog.KubeconfigTarget(strings.TrimPrefix(tag, ":"))}
	for _, volume := range container.Volumes {
		target := targetOf(volume)
		if covers(target, found.want) {
			return misplaced{}, false
		}
		if strings.HasSuffix(target, "/.kube/config") || strings.HasSuffix(target, "/.kube") {
			found.rule, found.key, found.at = KubeconfigTarget, c.volumeKey(volume, image), target
		}
	}
	return found, true
}

// covers says whether a mount at target is one of the file, or of a folder
// that it is in.
func covers(target, file string) bool {
	return target == file || strings.HasPrefix(file, strings.TrimSuffix(target, "/")+"/")
}

func targetOf(volume string) string {
	_, target, _ := strings.Cut(volume, ":")
	target, _, _ = strings.Cut(target, ":")
	return target
}

// volumeKey is the key that a volume of an image is from.
func (c *checker) volumeKey(volume, image string) string {
	for i, suite := range c.Site.Suites {
		if suite.Container == containerOf(image) && suite.Volumes != nil {
			return fmt.Sprintf("suites[%d].volumes%s", i, index(suite.Volumes, volume))
		}
	}
	return "volumes" + index(c.Site.Volumes, volume)
}

func index(list []string, element string) string {
	if i := slices.Index(list, element); i >= 0 {
		return fmt.Sprintf("[%d]", i)
	}
	return ""
}

// images looks for those that are gone.
func (c *checker) images() {
	s := c.Site.Stack
	look := func(key string, service config.Service, external string) {
		if service.Enabled && external == "" {
			c.image(key, service.Image, service.Mirrors)
		}
	}
	look("stack.jenkins.image", s.Jenkins.Service, s.Jenkins.External.URL)
	look("stack.minio.image", s.Minio.Service, s.Minio.External.Endpoint)
	look("stack.testdb.image", s.TestDB.Service, s.TestDB.External.URL)
	look("stack.files.image", s.Files.Service, "")
	look("stack.registry.image", s.Registry.Service, "")
	if s.TestDB.Enabled && s.TestDB.Engine == config.EngineOPNFV && s.TestDB.External.URL == "" {
		c.image("stack.testdb.mongo_image", s.TestDB.MongoImage, nil)
	}
	c.image("archive.image", c.Site.Archive.Image, nil)
	for _, plan := range testcases.Plans(c.Site, c.Catalog, testcases.ScopeAll) {
		for _, phase := range plan.Phases {
			c.image(c.suiteKey(phase.Image), phase.Image, nil)
		}
	}
}

func (c *checker) suiteKey(image string) string {
	for i, suite := range c.Site.Suites {
		if suite.Container == containerOf(image) {
			return fmt.Sprintf("suites[%d]", i)
		}
	}
	return "repo"
}

func (c *checker) image(key, image string, mirrors []string) {
	g, instead := whereNow(c.gone, image)
	if image == "" || instead == "" {
		return
	}
	finding := Finding{ImageGone, c.levels[ImageGone], key, fmt.Sprintf("%s cannot be pulled: %s (%s): use %s", image, g.Why, g.Source, instead)}
	for _, mirror := range mirrors {
		if _, gone := whereNow(c.gone, mirror); gone == "" {
			finding.Level = LevelWarning
			finding.Text += "; until then it is the mirror " + mirror
			break
		}
	}
	c.findings = append(c.findings, finding)
}
