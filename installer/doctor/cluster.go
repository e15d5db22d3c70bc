package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/anuket-project/xtci/internal/cluster"
)

const (
	// soon is how long credentials must hold: a campaign takes some hours,
	// and is started in the evening.
	soon = 24 * time.Hour
	// workersNeeded is how many nodes netperf measures between.
	workersNeeded = 2
)

func checkKubeconfig(_ context.Context, p *probe) verdict {
	c, err := p.cluster()
	if err != nil {
		return unusable(err, "name the cluster's kubeconfig with --set kubeconfig=FILE")
	}
	return pass("%s names %s", p.Site.Kubeconfig, c.URL())
}

// checkAlone looks whether the kubeconfig is all that is needed: containers
// get nothing else.
func checkAlone(_ context.Context, p *probe) verdict {
	c, err := p.cluster()
	if err != nil {
		return unusable(needsError{"kubeconfig"}, "")
	}
	var lacking []string
	advice := "put them into it: kubectl config view --raw --flatten --minify --kubeconfig " + p.Site.Kubeconfig + " > NEW"
	for _, reference := range c.References() {
		lacking = append(lacking, fmt.Sprintf("%s (line %d: %s)", reference.Value, reference.Line, reference.Field))
		if strings.HasSuffix(reference.Field, ".exec.command") {
			advice = "use a kubeconfig with a service account's token, which needs no command"
		}
	}
	if len(lacking) == 0 {
		return pass("the kubeconfig needs no other files")
	}
	seen := "the kubeconfig needs what test containers do not get: " + strings.Join(lacking, ", ")
	if len(p.Site.Volumes) > 0 {
		return warn(advice, "%s, unless the site's volumes give it to them", seen)
	}
	return fail(advice, "%s", seen)
}

func checkCluster(_ context.Context, p *probe) verdict {
	s, err := p.server()
	if err != nil {
		return unusable(err, "look at the API server")
	}
	return pass("%s answers: Kubernetes %s (%s)", s.URL, s.Version, s.Platform)
}

func checkVersion(_ context.Context, p *probe) verdict {
	if _, err := p.answering(); err != nil {
		return unusable(err, "")
	}
	s, err := p.server()
	if err != nil {
		return unusable(err, "")
	}
	return versionVerdict(p.Site.Release, s.Version)
}

// versionVerdict is that on a server of a version when tests of a release
// run: they are those of one minor version of Kubernetes.
func versionVerdict(release, version string) verdict {
	major, minor, ok := majorMinor(release)
	serverMajor, serverMinor, serverOK := majorMinor(version)
	switch {
	case !ok:
		return skip("%s is no release of Kubernetes", release)
	case !serverOK:
		return warn("see that it is "+release, "the server says version %q", version)
	case major != serverMajor || minor != serverMinor:
		return warn(fmt.Sprintf("test it with the release of its own version (--set release=v%d.%d), if there is one", serverMajor, serverMinor),
			"the cluster is Kubernetes %s, the tests are those of %s", version, release)
	default:
		return pass("Kubernetes %s fits release %s", version, release)
	}
}

func checkClusterClock(_ context.Context, p *probe) verdict {
	if _, err := p.answering(); err != nil {
		return unusable(err, "")
	}
	s, err := p.server()
	if err != nil {
		return unusable(err, "")
	}
	v := clockVerdict("the API server's clock", s.Ahead)
	if v.status == Fail { // it is not asked for objects
		v.status = Warn
		v.seen = fmt.Sprintf("the API server's clock and this host's are %s apart: times in results will not fit together, tokens may not hold", s.Ahead.Abs().Round(time.Second))
	}
	return v
}

func checkCertificate(_ context.Context, p *probe) verdict {
	if _, err := p.answering(); err != nil {
		return unusable(err, "")
	}
	s, err := p.server()
	if err != nil {
		return unusable(err, "")
	}
	if s.CertificateExpires.IsZero() {
		return warn("let it speak TLS", "the API server has no certificate: everybody can read along")
	}
	const advice = "renew it: kubeadm certs renew apiserver, then restart the API server"
	return expiryVerdict("the API server's certificate", advice, p.host.now(), s.CertificateExpires)
}

// expiryVerdict is that on something that ends.
func expiryVerdict(what, advice string, now, expires time.Time) verdict {
	date := expires.UTC().Format("2006-01-02 15:04 MST")
	switch left := expires.Sub(now); {
	case left <= 0:
		return fail(advice, "%s expired %s", what, date)
	case left < soon:
		return warn(advice, "%s expires %s, in %s: before a campaign may end", what, date, left.Round(time.Minute))
	default:
		return pass("%s holds until %s", what, date)
	}
}

func checkCredentials(_ context.Context, p *probe) verdict {
	c, err := p.cluster()
	if err != nil {
		return unusable(needsError{"kubeconfig"}, "")
	}
	return credentialsVerdict(c.Credentials(), p.host.now())
}

func credentialsVerdict(c cluster.Credentials, now time.Time) verdict {
	const advice = "get a new kubeconfig"
	what := "the kubeconfig's " + c.By
	if c.Account != "" {
		what += " of " + c.Account
	}
	switch {
	case c.By == cluster.ByNothing:
		return fail("get a kubeconfig of an administrator", "the kubeconfig has no credentials")
	case c.By == cluster.ByPlugin:
		return pass("%s: how long what it gives holds is not known", what)
	case !c.Begin.IsZero() && c.Begin.After(now):
		return fail("set the clock, or "+advice, "%s holds only from %s on", what, c.Begin.UTC().Format("2006-01-02 15:04 MST"))
	case c.Expires.IsZero():
		return pass("%s does not expire", what)
	default:
		return expiryVerdict(what, advice, now, c.Expires)
	}
}

func checkAdmin(ctx context.Context, p *probe) verdict {
	c, err := p.answering()
	if err != nil {
		return unusable(err, "")
	}
	admin, err := c.Admin(ctx)
	if err != nil {
		return unusable(err, "use an account that is bound to cluster-admin")
	}
	if !admin {
		return fail("bind it: kubectl create clusterrolebinding xtci --clusterrole=cluster-admin --user=NAME", "the account may not do everything: tests make namespaces, roles and nodes' taints")
	}
	return pass("the account may do everything")
}

func checkNodes(_ context.Context, p *probe) verdict {
	nodes, err := p.nodes()
	if err != nil {
		return unusable(err, "use an account that is bound to cluster-admin")
	}
	return nodesVerdict(nodes)
}

// nodesVerdict wants all nodes ready: the e2e tests wait for that, and give
// up.
func nodesVerdict(nodes []cluster.Node) verdict {
	var bad []string
	for i := range nodes {
		if !nodes[i].Ready {
			bad = append(bad, nodes[i].Name+" ("+nodes[i].NotReady+")")
		}
	}
	switch {
	case len(nodes) == 0:
		return fail("add nodes to the cluster", "the cluster has no nodes")
	case len(bad) > 0:
		return fail("look at it (kubectl describe node "+firstWord(bad[0])+"), or remove it: tests wait until all nodes are ready, and give up",
			"%d of %d nodes are not ready: %s", len(bad), len(nodes), some(bad))
	default:
		return pass("all %d nodes are ready", len(nodes))
	}
}

func checkWorkers(_ context.Context, p *probe) verdict {
	nodes, err := p.nodes()
	if err != nil {
		return unusable(err, "use an account that is bound to cluster-admin")
	}
	return workersVerdict(nodes)
}

func workersVerdict(nodes []cluster.Node) verdict {
	var workers, others []string
	for i := range nodes {
		switch node := &nodes[i]; {
		case node.Ready && node.Schedulable:
			workers = append(workers, node.Name)
		case len(node.Taints) > 0:
			others = append(others, node.Name+" ("+strings.Join(node.Taints, ", ")+")")
		default:
			others = append(others, node.Name)
		}
	}
	if len(workers) >= workersNeeded {
		return pass("%d nodes take pods: %s", len(workers), some(workers))
	}
	seen := fmt.Sprintf("%d nodes take pods, netperf needs %d", len(workers), workersNeeded)
	if len(others) > 0 {
		seen += "; those that do not: " + some(others)
	}
	return fail("add a worker, uncordon one (kubectl uncordon NODE), or remove its taint (kubectl taint node NODE KEY-)", "%s", seen)
}

func checkStorageClass(ctx context.Context, p *probe) verdict {
	c, err := p.answering()
	if err != nil {
		return unusable(err, "")
	}
	classes, err := c.StorageClasses(ctx)
	if err != nil {
		return unusable(err, "use an account that is bound to cluster-admin")
	}
	return classesVerdict(classes)
}

func classesVerdict(classes []cluster.StorageClass) verdict {
	var defaults, all []string
	for _, class := range classes {
		all = append(all, class.Name)
		if class.Default {
			defaults = append(defaults, class.Name)
		}
	}
	const annotate = `kubectl annotate storageclass NAME storageclass.kubernetes.io/is-default-class=`
	switch {
	case len(classes) == 0:
		return warn("install one, such as local-path-provisioner", "there is no storage class: tests of storage skip themselves")
	case len(defaults) == 0:
		return warn("make one of them the default: "+annotate+"true", "none of the storage classes is the default: %s: tests of storage skip themselves", some(all))
	case len(defaults) > 1:
		return warn("leave one: "+annotate+"false --overwrite", "%d storage classes are the default: %s: Kubernetes before 1.26 then refuses claims that name none", len(defaults), some(defaults))
	default:
		return pass("%s is the default storage class", defaults[0])
	}
}

// some are the first of many names.
func some(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

// kubeconfigPath is the kubeconfig's, absolute, as Docker wants it.
func kubeconfigPath(name string) (string, error) {
	path, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}
