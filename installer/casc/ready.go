package casc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/anuket-project/xtci/config"
)

const (
	// probeTime is how long one probe may take: a Jenkins that has just come
	// up is slow.
	probeTime = 15 * time.Second
	// maxBody is how much of an answer is read.
	maxBody = 64 << 10
)

// permanentError is an error that waiting cannot mend.
type permanentError struct{ error }

func (permanentError) Permanent() bool { return true }
func (e permanentError) Unwrap() error { return e.error }

// permanent returns an error that waiting cannot mend.
func permanent(format string, a ...any) error {
	return permanentError{fmt.Errorf(format, a...)}
}

// ErrPassword is in the error for a Jenkins that refuses user and password.
var ErrPassword = errors.New("wrong user or password")

// Ready says whether the Jenkins at a URL is up and the user can log in. It
// asks once: the caller repeats it. Without a user it says whether it is up.
func Ready(ctx context.Context, base, user string, password config.Secret) error {
	u, err := url.Parse(base)
	if err != nil {
		return permanent("the URL of Jenkins: %w", errors.Unwrap(err)) // without the URL: it may hold a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return permanent("the URL of Jenkins is %s, want http://HOST:PORT", u.Redacted())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("whoAmI", "api", "json").String(), nil)
	if err != nil {
		return permanent("ask Jenkins who one is: %w", err)
	}
	if user != "" {
		request.SetBasicAuth(user, password.Reveal())
	}
	transport := &http.Transport{Proxy: proxyFor, TLSHandshakeTimeout: probeTime}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport: transport, Timeout: probeTime,
		// A redirect would carry the password to another place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL
		}
		return fmt.Errorf("no answer yet from Jenkins at %s: %w", u.Redacted(), err)
	}
	defer answer.Body.Close()
	return judge(answer, u.Redacted(), user)
}

// proxyFor is the environment's proxy, but none for an address of this host,
// where the stack's own Jenkins is: a proxy need not reach it.
func proxyFor(r *http.Request) (*url.URL, error) {
	if ip := net.ParseIP(r.URL.Hostname()); ip != nil {
		own, err := net.InterfaceAddrs()
		if err != nil {
			return nil, fmt.Errorf("list this host's addresses: %w", err)
		}
		for _, address := range own {
			if network, ok := address.(*net.IPNet); ok && network.IP.Equal(ip) {
				return nil, nil //nolint:nilnil // as net/http wants it
			}
		}
	}
	return http.ProxyFromEnvironment(r)
}

// judge says what an answer means (spec/jenkins.md): on its way up, Jenkins
// answers 503 to everything, without the header that tells its version.
func judge(answer *http.Response, base, user string) error {
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	version := answer.Header.Get("X-Jenkins")
	switch {
	case err != nil:
		return fmt.Errorf("half an answer from Jenkins at %s: %w", base, err)
	case answer.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("the Jenkins at %s is starting: %s", base, answer.Status)
	case answer.StatusCode >= http.StatusMultipleChoices && answer.StatusCode < http.StatusBadRequest:
		return permanent("%s sends on to %s: use the address of Jenkins itself", base, destination(answer))
	case version == "":
		return permanent("what answers at %s is not Jenkins (%s): another service has the port, or Jenkins has a prefix", base, answer.Status)
	case answer.StatusCode == http.StatusUnauthorized:
		return permanent("Jenkins %s at %s refuses %s: %w (set stack.jenkins.user and password as Jenkins has them)", version, base, user, ErrPassword)
	case answer.StatusCode != http.StatusOK:
		return permanent("Jenkins %s at %s does not tell who %q is: %s", version, base, user, answer.Status)
	}
	var told struct{ Anonymous *bool }
	if err := json.Unmarshal(body, &told); err != nil || told.Anonymous == nil {
		return permanent("Jenkins %s at %s does not tell who %q is, but %.100q", version, base, user, body)
	}
	if user != "" && *told.Anonymous {
		return permanent("Jenkins %s at %s asks nobody for a password: it has not read its configuration as code (see its log)", version, base)
	}
	return nil
}

// destination is where a redirect goes, without what could be a secret.
func destination(answer *http.Response) string {
	u, err := answer.Location()
	if err != nil {
		return "nowhere"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
