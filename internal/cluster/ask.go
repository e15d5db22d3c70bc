package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxAnswer is the most that is read of one answer: a page of nodes with
	// all their images is some megabytes.
	maxAnswer = 32 << 20
	// maxRefusal is the most that is read of an answer that says no.
	maxRefusal = 64 << 10
)

// An answer is what comes with one.
type answer struct {
	date           string // of the server's clock
	tls            *tls.ConnectionState
	sent, received time.Time
}

// ask sends one request and reads the JSON that comes back.
func (c *Cluster) ask(ctx context.Context, method, path string, query url.Values, body, into any) (answer, error) {
	fail := func(advice string, err error) (answer, error) {
		if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
			advice = "" // we gave up, not they
		}
		return answer{}, &Error{Tried: method + " " + c.base.JoinPath(path).String(), Err: err, Advice: advice}
	}
	bounded, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := c.request(bounded, method, path, query, body)
	if err != nil {
		return fail("", err)
	}
	sent := time.Now()
	response, err := c.do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err // method and address are said already
		}
		return fail(transportAdvice(err), &kinded{ErrUnreachable, err})
	}
	defer response.Body.Close()
	a := answer{date: response.Header.Get("Date"), tls: response.TLS, sent: sent, received: time.Now()}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fail(newStatusError(response.StatusCode, refusal(response)))
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fail(transportAdvice(err), &kinded{ErrUnreachable, fmt.Errorf("read the answer: %w", err)})
	}
	if len(raw) > maxAnswer {
		return fail("is this a Kubernetes API server?", fmt.Errorf("the answer is larger than %d MiB", maxAnswer>>20))
	}
	if err := json.Unmarshal(raw, into); err != nil {
		kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
		return fail("something else answers at this address: a proxy, a login page?",
			&kinded{ErrUnreachable, fmt.Errorf("the answer (%q) is not what Kubernetes answers: %w", kind, shape(err))})
	}
	return a, nil
}

func (c *Cluster) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	var content io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// do sends a request. The client library waits for a credential plugin
// without end, so that one gets a goroutine, which ends when the plugin does.
func (c *Cluster) do(request *http.Request) (*http.Response, error) {
	if !c.plugin {
		return c.http.Do(request)
	}
	type result struct {
		response *http.Response
		err      error
	}
	ctx := request.Context()
	results := make(chan result)
	go func() {
		response, err := c.http.Do(request)
		select {
		case results <- result{response, err}:
		case <-ctx.Done():
			if err == nil {
				response.Body.Close()
			}
		}
	}()
	select {
	case r := <-results:
		return r.response, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("getting credentials or the answer: %w", ctx.Err())
	}
}

// refusal is the message of Kubernetes' Status in an answer that says no.
func refusal(response *http.Response) string {
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	var status struct {
		Message string `json:"message"`
	}
	if err != nil || json.Unmarshal(raw, &status) != nil {
		return ""
	}
	return status.Message
}

// shape is an error of reading JSON without the values in it.
func shape(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s is not a %s", wrong.Field, wrong.Type)
	}
	return errors.New("no JSON")
}
