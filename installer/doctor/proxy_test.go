package doctor

import (
	"testing"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/cluster/clustertest"
)

const (
	secretProxy = "http://me:pa55word@proxy.example:3128"
	bareProxy   = "http://proxy.example:3128"
)

func TestDockerProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		daemon, here proxies
		status       Status
		parts        []string
	}{
		{"neither", proxies{}, proxies{}, Pass, []string{"neither"}},
		{"both", proxies{http: "http://xxxxx:xxxxx@proxy.example:3128"}, proxies{http: secretProxy}, Pass, []string{"proxy.example:3128"}},
		{"only here", proxies{no: "x"}, proxies{https: secretProxy}, Warn, []string{"Docker has none", "docs.docker.com"}},
		{"only Docker", proxies{http: bareProxy, https: bareProxy}, proxies{}, Warn, []string{"this environment has none", "export HTTP_PROXY"}},
		{"others", proxies{http: bareProxy}, proxies{http: "http://other.example:3128"}, Warn, []string{"other.example:3128"}},
		{"without a scheme", proxies{http: "proxy.example:3128"}, proxies{http: bareProxy}, Pass, nil},
	} {
		v := daemonVerdict(test.daemon, test.here)
		r := Result{Check: Check{Name: test.name}, Status: v.status, Seen: v.seen, Advice: v.advice}
		want(t, r, test.status, test.parts...)
		noSecret(t, r)
	}
	engine := newStandIn(t)
	engine.info.HTTPProxy = bareProxy
	o := options(t, engine)
	o.Environ = []string{"http_proxy=" + bareProxy}
	want(t, results(t, o, "docker-proxy")["docker-proxy"], Pass)
}

func noSecret(t *testing.T, r Result) {
	t.Helper()
	if contains(r, "pa55word") {
		t.Errorf("%s shows a password: %+v", r.Name, r)
	}
}

func TestStackProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		environ []string
		change  func(*config.Site)
		status  Status
		parts   []string
	}{
		{name: "none", status: Pass, parts: []string{"no proxy"}},
		{name: "NO_PROXY alone", environ: []string{"NO_PROXY=x"}, status: Pass},
		{name: "all exempt", environ: []string{"http_proxy=" + secretProxy, "no_proxy=minio,jenkins,testdb,files"}, status: Pass, parts: []string{"proxy.example:3128 for HTTP"}},
		{name: "nothing exempt", environ: []string{"HTTP_PROXY=" + secretProxy}, status: Warn, parts: []string{"add to NO_PROXY: files,jenkins,minio,testdb"}},
		{name: "some exempt", environ: []string{"HTTP_PROXY=" + secretProxy, "NO_PROXY=minio,files"}, status: Warn, parts: []string{"add to NO_PROXY: jenkins,testdb"}},
		{name: "HTTPS alone", environ: []string{"HTTPS_PROXY=" + secretProxy}, status: Pass},
		{
			name: "the site's own", change: func(s *config.Site) { s.Env["HTTP_PROXY"], s.Env["NO_PROXY"] = secretProxy, "files,jenkins,minio" },
			status: Warn, parts: []string{"add to NO_PROXY: testdb"},
		},
		{
			name: "classic", environ: []string{"HTTP_PROXY=" + secretProxy}, change: func(s *config.Site) {
				s.Wiring, s.Address, s.Stack.Bind = config.WiringClassic, "192.0.2.1", "0.0.0.0"
			},
			status: Warn, parts: []string{"add to NO_PROXY: 192.0.2.1"},
		},
		{
			name: "classic, exempt as a network", environ: []string{"HTTP_PROXY=" + secretProxy, "NO_PROXY=192.0.2.0/24"}, change: func(s *config.Site) {
				s.Wiring, s.Address, s.Stack.Bind = config.WiringClassic, "192.0.2.1", "0.0.0.0"
			},
			status: Pass,
		},
		{
			name: "somebody else's services", environ: []string{"HTTP_PROXY=" + secretProxy, "NO_PROXY=jenkins,minio,files"},
			change: func(s *config.Site) { s.Stack.TestDB.External.URL = "http://testresults.example/api/v1" }, status: Pass,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, newStandIn(t))
			o.Environ = test.environ
			if test.change != nil {
				test.change(&o.Site)
			}
			r := results(t, o, "proxy")["proxy"]
			want(t, r, test.status, test.parts...)
			noSecret(t, r)
		})
	}
}

func TestClusterProxy(t *testing.T) {
	t.Parallel()
	server := clustertest.Start(t, clustertest.Options{})
	for _, test := range []struct {
		name, address string
		environ       []string
		env           map[string]string
		status        Status
		part          string
	}{
		{"none", "https://192.0.2.1:6443", nil, nil, Pass, "no proxy is asked for 192.0.2.1"},
		{"asked", "https://192.0.2.1:6443", []string{"HTTPS_PROXY=" + secretProxy}, nil, Warn, "add 192.0.2.1 to NO_PROXY"},
		{"exempt", "https://192.0.2.1:6443", []string{"HTTPS_PROXY=" + secretProxy, "NO_PROXY=192.0.2.1"}, nil, Pass, ""},
		{"only HTTP", "https://192.0.2.1:6443", []string{"HTTP_PROXY=" + secretProxy}, nil, Pass, ""},
		{"asked in containers alone", "https://192.0.2.1:6443", nil, map[string]string{"https_proxy": secretProxy}, Warn, ""},
		{"its own", "https://192.0.2.1:6443\n    proxy-url: http://me:pa55word@p:1", []string{"HTTPS_PROXY=" + secretProxy}, nil, Pass, "of its own"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := options(t, newStandIn(t))
			o.Site.Kubeconfig = server.Write(t, test.address, "token: x")
			o.Environ, o.Site.Env = test.environ, test.env
			r := results(t, o, "cluster-proxy")["cluster-proxy"]
			want(t, r, test.status, test.part)
			noSecret(t, r)
		})
	}
}
