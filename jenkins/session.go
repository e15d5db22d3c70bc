package jenkins

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"sync"
)

// A jar keeps cookies, and can be emptied.
type jar struct {
	mu  sync.Mutex
	now http.CookieJar
}

func (j *jar) reset() error {
	empty, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.now = empty
	return nil
}

func (j *jar) current() http.CookieJar {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.now
}

// SetCookies keeps cookies.
func (j *jar) SetCookies(u *url.URL, cookies []*http.Cookie) { j.current().SetCookies(u, cookies) }

// Cookies returns those to send.
func (j *jar) Cookies(u *url.URL) []*http.Cookie { return j.current().Cookies(u) }

// A crumb lets POSTs pass: the name and the value of a header. It is valid with
// the cookies of its session, and for its user. Without a name, none is needed.
type crumb struct{ field, value string }

// A session is what Jenkins knows a client by: one crumb and one cookie. A
// restart of Jenkins ends it.
type session struct {
	mu   sync.Mutex
	have *crumb
}

// crumb returns the crumb of the session, or a new one in place of one that was
// refused.
func (s *session) crumb(ctx context.Context, r *requester, refused *crumb) (*crumb, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.have != nil && s.have != refused {
		return s.have, nil
	}
	if err := r.jar.reset(); err != nil {
		return nil, err
	}
	s.have = nil
	r.logIn(ctx)
	var issued struct{ Crumb, CrumbRequestField string }
	c := call{method: http.MethodGet, path: "/crumbIssuer/api/json"}
	a, err := r.once(ctx, c)
	switch {
	case hasStatus(err, http.StatusNotFound): // crumbs are switched off
		s.have = &crumb{}
		return s.have, nil
	case err != nil:
		return nil, fmt.Errorf("get a crumb: %w", err)
	}
	if err := decode(c, a, &issued); err != nil {
		return nil, fmt.Errorf("get a crumb: %w", err)
	}
	s.have = &crumb{issued.CrumbRequestField, issued.Crumb}
	return s.have, nil
}

// apiToken is the form of Jenkins's API tokens.
var apiToken = regexp.MustCompile(`^(11)?[0-9a-f]{32}$`)

// logIn makes the session that of the user. Each request carries user and
// password all the same; but for who is logged in already Jenkins does not
// check the password again, which takes it 0.2 s of CPU each time
// (spec/jenkins.md). What comes of it does not matter: without it, requests
// take longer. An API token is not a password, and sending it as one could
// lock the user out.
func (r *requester) logIn(ctx context.Context) {
	if r.user == "" || apiToken.MatchString(r.password.Reveal()) {
		return
	}
	form := url.Values{"j_username": {r.user}, "j_password": {r.password.Reveal()}, "from": {""}}
	_, err := r.once(ctx, call{
		method: http.MethodPost, path: "/j_spring_security_check", contentType: formType, body: []byte(form.Encode()), redirect: true,
	})
	if err != nil {
		r.log.Debug("no session of the user's own", "error", err)
	}
}
