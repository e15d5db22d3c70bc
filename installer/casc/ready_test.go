package casc

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// isPermanent asks as callers do.
func isPermanent(err error) bool {
	var told interface{ Permanent() bool }
	return errors.As(err, &told) && told.Permanent()
}

const version = "2.426.2"

// answers stands in for a Jenkins, with what a real one answered
// (spec/jenkins.md) or its source says.
func answers(code int, header map[string]string, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for key, value := range header {
			w.Header().Set(key, value)
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func loggedIn(w http.ResponseWriter, r *http.Request) {
	user, password, ok := r.BasicAuth()
	w.Header().Set("X-Jenkins", version)
	switch {
	case !ok:
		_, _ = io.WriteString(w, `{"_class":"hudson.security.WhoAmI","anonymous":true,"authenticated":true,"authorities":["anonymous"],"name":"anonymous"}`)
	case r.URL.Path != "/whoAmI/api/json" && r.URL.Path != "/jenkins/whoAmI/api/json":
		http.NotFound(w, r)
	case user != "admin" || password != `a"$é`:
		w.Header().Set("WWW-Authenticate", `Basic realm="Jenkins"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		_, _ = io.WriteString(w, `{"_class":"hudson.security.WhoAmI","anonymous":false,"authenticated":true,"authorities":["authenticated"],"name":"admin"}`)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	jenkins := map[string]string{"X-Jenkins": version, "Content-Type": "text/html;charset=utf-8"}
	tests := map[string]struct {
		handler   http.HandlerFunc
		path      string
		user      string
		want      string // in the error; empty for none
		permanent bool
	}{
		"logged in":                  {handler: loggedIn, user: "admin"},
		"logged in under a prefix":   {handler: loggedIn, user: "admin", path: "/jenkins/"},
		"up, and nobody to log in":   {handler: loggedIn},
		"wrong user":                 {handler: loggedIn, user: "root", want: "refuses root", permanent: true},
		"starting":                   {handler: answers(503, map[string]string{"Content-Type": "text/html"}, "Please wait while Jenkins is getting ready to work"), user: "admin", want: "503"},
		"a gateway before it":        {handler: answers(502, nil, ""), user: "admin", want: "502"},
		"an Oops page":               {handler: answers(500, jenkins, "Oops!"), user: "admin", want: "500"},
		"another service":            {handler: answers(200, nil, "<html>"), user: "admin", want: "not Jenkins", permanent: true},
		"another prefix":             {handler: answers(404, nil, "Not Found"), user: "admin", want: "prefix", permanent: true},
		"a redirect":                 {handler: answers(302, map[string]string{"Location": "https://ci/login?token=abc"}, ""), user: "admin", want: "sends on to https://ci/login:", permanent: true},
		"forbidden":                  {handler: answers(403, jenkins, ""), user: "admin", want: "403", permanent: true},
		"no security":                {handler: answers(200, jenkins, `{"anonymous":true}`), user: "admin", want: "asks nobody", permanent: true},
		"no JSON":                    {handler: answers(200, jenkins, "<html>"), user: "admin", want: "does not tell", permanent: true},
		"JSON of something else":     {handler: answers(200, jenkins, "{}"), user: "admin", want: "does not tell", permanent: true},
		"an answer that is cut":      {handler: answers(200, map[string]string{"X-Jenkins": version, "Content-Length": "999"}, "{"), user: "admin", want: "half an answer"},
		"more than anybody can read": {handler: answers(200, jenkins, strings.Repeat(" ", maxBody+1)), user: "admin", want: "does not tell", permanent: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			check(t, Ready(t.Context(), server.URL+tt.path, tt.user, `a"$é`), tt.want, tt.permanent)
		})
	}
}

func check(t *testing.T, err error, want string, wantPermanent bool) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want an error with %q", err, want)
	}
	if isPermanent(err) != wantPermanent {
		t.Errorf("%v: permanent is %v, want %v", err, !wantPermanent, wantPermanent)
	}
	if strings.Contains(err.Error(), "$é") || strings.Contains(err.Error(), "token") {
		t.Errorf("the error tells a secret: %v", err)
	}
}

func TestReadyWrongPassword(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(loggedIn))
	defer server.Close()
	err := Ready(t.Context(), server.URL, "admin", "other")
	check(t, err, "refuses admin", true)
	if !errors.Is(err, ErrPassword) {
		t.Errorf("%v is no ErrPassword", err)
	}
}

func TestReadyWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	t.Run("connections are cut", func(t *testing.T) { // as Docker's proxy does
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		check(t, Ready(t.Context(), "http://"+address, "admin", "a"), "no answer yet", false)
		listener.Close()
		<-done
	})
	t.Run("nobody listens", func(t *testing.T) {
		check(t, Ready(t.Context(), "http://"+address, "admin", "a"), "refused", false)
	})
	t.Run("no URL", func(t *testing.T) {
		check(t, Ready(t.Context(), "127.0.0.1", "admin", "a"), "want http", true)
		check(t, Ready(t.Context(), "http://a:token@[", "admin", "a"), "URL of Jenkins", true)
	})
}

// TestProxyFor is that this host's own addresses need no proxy: the stack may
// be bound to any of them.
func TestProxyFor(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // unless net/http has read it before
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range own {
		network, ok := address.(*net.IPNet)
		if !ok || network.IP.To4() == nil {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+network.IP.String()+":8080", nil)
		if err != nil {
			t.Fatal(err)
		}
		if proxy, err := proxyFor(r); proxy != nil || err != nil {
			t.Errorf("%s: %v, %v", network.IP, proxy, err)
		}
	}
}
