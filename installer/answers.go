package installer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 10

// answers asks once whether a URL answers 200. The services are on this host
// or in the lab: no proxy is asked.
func answers(ctx context.Context, address string) error {
	status, body, err := get(ctx, address)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s: %.200s", address, status, http.StatusText(status), body)
	}
	return err
}

// responds asks once whether there is somebody who answers at all.
func responds(ctx context.Context, address string) error {
	status, body, err := get(ctx, address)
	if err == nil && status >= http.StatusInternalServerError {
		err = fmt.Errorf("GET %s: %d %s: %.200s", address, status, http.StatusText(status), body)
	}
	return err
}

func get(ctx context.Context, address string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, CheckRedirect: noRedirect}).Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("GET %s: %w", address, withoutURL(err))
	}
	defer answer.Body.Close()
	read, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what came will do
	return answer.StatusCode, strings.TrimSpace(string(read)), nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// withoutURL is an error of net/http without the URL, which is said already.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
