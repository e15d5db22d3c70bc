package doctor

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"github.com/anuket-project/xtci/config"
)

// proxies are the settings that an environment has.
type proxies struct {
	http, https, no string
}

func envProxies(environ []string) proxies {
	return proxies{env(environ, "HTTP_PROXY"), env(environ, "HTTPS_PROXY"), env(environ, "NO_PROXY")}
}

func (p proxies) any() bool { return p.http != "" || p.https != "" }

// String names the proxies without their passwords.
func (p proxies) String() string {
	switch {
	case !p.any():
		return "no proxy"
	case p.http == p.https:
		return "proxy " + hostOf(p.http)
	case p.http == "":
		return "proxy " + hostOf(p.https) + " for HTTPS"
	case p.https == "":
		return "proxy " + hostOf(p.http) + " for HTTP"
	default:
		return "proxies " + hostOf(p.http) + " for HTTP, " + hostOf(p.https) + " for HTTPS"
	}
}

// hostOf is the host and port of a proxy, which may have a password before
// them.
func hostOf(proxy string) string {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return "that is no URL"
	}
	return u.Host
}

// asks says which proxy, if any, a request to a URL goes through. Go's rules
// leave out loopback addresses; other programs' do not.
func (p proxies) asks(target string) string {
	u, err := url.Parse(target)
	if err != nil {
		return ""
	}
	ask := (&httpproxy.Config{HTTPProxy: p.http, HTTPSProxy: p.https, NoProxy: p.no}).ProxyFunc()
	proxy, err := ask(u)
	if err != nil || proxy == nil {
		return ""
	}
	return proxy.Host
}

// inContainers are the settings that test containers have: those of the
// environment, and over them what the site gives them.
func inContainers(o Options) proxies {
	p := envProxies(o.Environ)
	var given []string
	for name, value := range o.Site.Env {
		given = append(given, name+"="+value)
	}
	slices.Sort(given)
	own := envProxies(given)
	if own.http != "" {
		p.http = own.http
	}
	if own.https != "" {
		p.https = own.https
	}
	if own.no != "" {
		p.no = own.no
	}
	return p
}

// checkDockerProxy compares the daemon's proxies, through which it pulls,
// with those of this environment.
func checkDockerProxy(_ context.Context, p *probe) verdict {
	info, err := p.info()
	if err != nil {
		return unusable(err, "look at Docker's log: journalctl -u docker")
	}
	return daemonVerdict(proxies{info.HTTPProxy, info.HTTPSProxy, info.NoProxy}, envProxies(p.Environ))
}

func daemonVerdict(daemon, here proxies) verdict {
	switch {
	case !daemon.any() && !here.any():
		return pass("neither Docker nor this environment has a proxy")
	case !daemon.any():
		return warn("give Docker the same (docs.docker.com/engine/daemon/proxy) and restart it, unless registries can be reached without",
			"this environment has %s, Docker has none: it pulls images without", here)
	case !here.any():
		return warn("export HTTP_PROXY, HTTPS_PROXY and NO_PROXY here too, if this host needs them",
			"Docker has %s, this environment has none", daemon)
	case hostOf(daemon.http) != hostOf(here.http) || hostOf(daemon.https) != hostOf(here.https):
		return warn("see that both are meant", "Docker has %s, this environment %s", daemon, here)
	default:
		return pass("Docker and this environment have %s", here)
	}
}

// checkProxy looks whether requests to the stack would go to a proxy, which
// does not know it.
func checkProxy(_ context.Context, p *probe) verdict {
	settings := inContainers(p.Options)
	if !settings.any() {
		return pass("no proxy is set")
	}
	inside, err := p.Site.Inside()
	if err != nil {
		return skip("the stack's addresses cannot be told: %v", err)
	}
	outside, err := p.Site.Outside()
	if err != nil {
		return skip("the stack's addresses cannot be told: %v", err)
	}
	var lacking []string
	external := []string{p.Site.Stack.Jenkins.External.URL, p.Site.Stack.Minio.External.Endpoint, p.Site.Stack.TestDB.External.URL}
	for _, e := range []config.Endpoints{inside, outside} {
		for _, target := range []string{e.Jenkins, e.S3, e.TestDB, e.Files, e.Registry} {
			if target == "" || slices.ContainsFunc(external, func(x string) bool { return x != "" && strings.HasPrefix(x, target) }) {
				continue // somebody else's may well be behind a proxy
			}
			if u, err := url.Parse(target); err == nil && settings.asks(target) != "" {
				lacking = append(lacking, u.Hostname())
			}
		}
	}
	slices.Sort(lacking)
	if lacking = slices.Compact(lacking); len(lacking) > 0 {
		list := strings.Join(lacking, ",")
		return warn("add to NO_PROXY: "+list, "%s is asked for the stack's own services %s", settings, list)
	}
	return pass("%s, not asked for the stack's own services", settings)
}

// checkClusterProxy looks whether a proxy is asked for the cluster.
func checkClusterProxy(_ context.Context, p *probe) verdict {
	c, err := p.cluster()
	if err != nil {
		return skip("%s", needsError{"kubeconfig"}.Error())
	}
	if c.OwnProxy() {
		return pass("the kubeconfig names a proxy of its own")
	}
	for _, settings := range []proxies{envProxies(p.Environ), inContainers(p.Options)} {
		if settings.asks(c.URL()) != "" {
			return warn("add "+c.Host()+" to NO_PROXY, if the cluster can be reached without", "%s is asked for the cluster, %s", settings, c.Host())
		}
	}
	return pass("no proxy is asked for %s", c.Host())
}
