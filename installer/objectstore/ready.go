package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// probeTime is how long one probe may take.
	probeTime = 5 * time.Second
	// maxBody is how much of an answer is read.
	maxBody = 64 << 10
)

// Ready says whether the MinIO at an endpoint such as http://HOST:9000 serves
// by now. It asks once: the caller repeats it.
func Ready(ctx context.Context, endpoint string) error {
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return err
	}
	client, done := newHTTPClient(probeTime, nil)
	defer done()
	health := u.JoinPath("minio", "health", "live")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, health.String(), nil)
	if err != nil {
		return permanent("ask MinIO at %s whether it lives: %w", health, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return explain("ask whether MinIO lives", endpoint, err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxBody)) // of no interest
	switch {
	case answer.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("MinIO at %s is not ready: %s", endpoint, answer.Status)
	case answer.StatusCode != http.StatusOK:
		return permanent("%s answers %s, which is not MinIO's answer: another service has the port, or a proxy is in between", health, answer.Status)
	// It listens before it has its disks (seen in its release of 2025-09-07).
	case answer.Header.Get("X-Minio-Server-Status") != "":
		return fmt.Errorf("MinIO at %s is not ready: %s", endpoint, answer.Header.Get("X-Minio-Server-Status"))
	}
	return nil
}

// parseEndpoint reads http://HOST:PORT.
func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, permanent("the address of the object store: %w", errors.Unwrap(err)) // without the URL: it may hold a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil {
		return nil, permanent("the address of the object store is %q, want http://HOST:PORT", u.Redacted())
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// newHTTPClient returns a client of its own, and what closes its connections.
// It follows no redirect: that would carry a signature to another place. The
// stack's own MinIO is on this host, which a proxy need not reach: it has none.
func newHTTPClient(limit time.Duration, proxy func(*http.Request) (*url.URL, error)) (client *http.Client, done func()) {
	transport := &http.Transport{Proxy: proxy, TLSHandshakeTimeout: probeTime}
	return &http.Client{
		Transport:     transport,
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, transport.CloseIdleConnections
}
