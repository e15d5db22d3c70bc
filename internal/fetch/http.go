package fetch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const maxRedirects = 5

// client is an HTTP client for one download: with the proxies of the
// environment, and no more of an answer than was allowed.
func (c *Cache) client(most int64) *http.Client {
	proxy := proxies(c.Environ)
	transport := &http.Transport{
		Proxy:                 func(r *http.Request) (*url.URL, error) { return proxy(r.URL) },
		DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		DisableKeepAlives:     true,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
	if c.TLS != nil {
		transport.TLSClientConfig = c.TLS.Clone()
	}
	return &http.Client{Transport: &limits{transport, most}, CheckRedirect: checkRedirect}
}

func proxies(environ []string) func(*url.URL) (*url.URL, error) {
	get := func(name string) string {
		for _, name := range [...]string{name, strings.ToLower(name)} {
			if value := lookup(environ, name); value != "" {
				return value
			}
		}
		return ""
	}
	config := httpproxy.Config{HTTPProxy: get("HTTP_PROXY"), HTTPSProxy: get("HTTPS_PROXY"), NoProxy: get("NO_PROXY")}
	return config.ProxyFunc()
}

// lookup is the value of an environment variable, or empty.
func lookup(environ []string, name string) string {
	value := ""
	for _, pair := range environ {
		if rest, ok := strings.CutPrefix(pair, name+"="); ok {
			value = rest // the last one counts
		}
	}
	return value
}

// checkRedirect goes where a server sends, unless that is less safe.
func checkRedirect(r *http.Request, via []*http.Request) error {
	r.Header.Del("Referer") // it would have what follows ?
	switch from := via[len(via)-1].URL; {
	case len(via) > maxRedirects:
		return fmt.Errorf("%s sends to another address more than %d times", via[0].URL.Host, maxRedirects)
	case r.URL.Scheme != "https" && r.URL.Scheme != from.Scheme:
		return fmt.Errorf("%s sends from %s to %s://%s, where anybody on the way could change it", from.Host, from.Scheme, r.URL.Scheme, r.URL.Host)
	}
	return nil
}

// limits refuses answers other than a whole file of the size that is allowed.
type limits struct {
	http.RoundTripper
	most int64
}

func (l *limits) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK && response.ContentLength > l.most {
		return nil, errors.Join(tooLarge(l.most), response.Body.Close())
	}
	response.Body = &limitedBody{response.Body, l.most + 1, l.most}
	return response, nil
}

type limitedBody struct {
	io.ReadCloser
	left, most int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left <= 0 {
		return n, tooLarge(b.most)
	}
	return n, err
}

// statuses turns answers that have no file into errors that say what to do.
// go-getter would say the number alone.
type statuses struct{ http.RoundTripper }

func (s statuses) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err != nil || response.StatusCode == http.StatusOK || response.Header.Get("Location") != "" && response.StatusCode/100 == 3 {
		return response, err
	}
	hint := ""
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		hint = ": it wants a user and password, or another one (https://USER:PASSWORD@HOST/PATH)"
	case http.StatusNotFound, http.StatusGone:
		hint = ": there is no such file, or not for everybody"
	}
	err = fmt.Errorf("%s %s: %d %s%s", r.Method, r.URL.Host, response.StatusCode, http.StatusText(response.StatusCode), hint)
	return nil, errors.Join(err, response.Body.Close())
}
