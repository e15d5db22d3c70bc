package jenkins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/bndr/gojenkins"
	"github.com/cenkalti/backoff/v5"

	"github.com/anuket-project/xtci/config"
)

const (
	// maxAnswer is the largest answer that is read: a list of thousands of
	// jobs has a tenth of it.
	maxAnswer = 32 << 20
	// maxErrorBody is how much of a refusal is read.
	maxErrorBody = 64 << 10

	xmlType  = "application/xml;charset=utf-8"
	formType = "application/x-www-form-urlencoded"
)

// A call is one request to Jenkins. Its path is below the URL, and is escaped
// when it is sent.
type call struct {
	method, path string
	query        url.Values
	contentType  string
	body         []byte
	// redirect says that a redirect is Jenkins's way to say that it is done.
	redirect bool
	// noCrumb says that it needs none.
	noCrumb bool
	// sink, if not nil, takes the body of the answer.
	sink func(io.Reader) error
}

// An answer is a success.
type answer struct {
	code   int
	header http.Header
	body   []byte
}

// A requester sends requests to one Jenkins. gojenkins sends all of its own
// through it too: what it would do itself panics when Jenkins is down, asks
// for a crumb before each POST, and makes "invalid character '<'" of every
// refusal.
type requester struct {
	base              *url.URL
	http              *http.Client
	jar               jar
	session           session
	user              string
	password          config.Secret
	timeout, patience time.Duration
	log               *slog.Logger
}

var _ gojenkins.JenkinsRequester = (*requester)(nil)

// send sends a request, and again while that is safe: a GET while Jenkins is
// not there, a POST only if nothing was sent of it.
func (r *requester) send(ctx context.Context, c call) (*answer, error) {
	operation := func() (*answer, error) {
		a, err := r.withCrumb(ctx, c)
		if err != nil && !repeatable(c.method, err) {
			return nil, backoff.Permanent(err)
		}
		return a, err
	}
	if r.patience < 0 {
		return r.withCrumb(ctx, c)
	}
	a, err := backoff.Retry(ctx, operation, backoff.WithBackOff(newBackOff()), backoff.WithMaxElapsedTime(r.patience))
	return a, err
}

// newBackOff waits longer and longer: from 0.1 s to 2 s.
func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 100*time.Millisecond, 2*time.Second
	return b
}

// repeatable says whether a request that failed so may be sent again.
func repeatable(method string, err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	_, notSent := errors.AsType[*notSentError](err)
	if method == http.MethodGet || notSent {
		return transient(err)
	}
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial" // nothing was sent
}

// A notSentError is why a POST was not sent.
type notSentError struct{ err error }

func (e *notSentError) Error() string { return e.err.Error() }
func (e *notSentError) Unwrap() error { return e.err }

// transient says whether an error is one that passes: the network, or a
// Jenkins that is not there yet.
func transient(err error) bool {
	if refused, ok := errors.AsType[*StatusError](err); ok {
		switch refused.Code {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// withCrumb sends a request, a POST with a crumb. One that was refused for its
// crumb, as after a restart of Jenkins, is sent once more with a new one.
func (r *requester) withCrumb(ctx context.Context, c call) (*answer, error) {
	if c.method != http.MethodPost || c.noCrumb {
		return r.once(ctx, c)
	}
	used, err := r.session.crumb(ctx, r, nil)
	if err != nil {
		return nil, &notSentError{err}
	}
	a, err := r.roundTrip(ctx, c, used)
	if !noCrumb(err) {
		return a, err
	}
	if used, err = r.session.crumb(ctx, r, used); err != nil {
		return nil, &notSentError{err}
	}
	return r.roundTrip(ctx, c, used)
}

// once sends a request without a crumb, once.
func (r *requester) once(ctx context.Context, c call) (*answer, error) {
	return r.roundTrip(ctx, c, nil)
}

// roundTrip sends a request and reads the answer. Its errors hold no query,
// host or credentials.
func (r *requester) roundTrip(ctx context.Context, c call, with *crumb) (*answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, errTimeout)
	defer cancel()
	u := *r.base
	u.Path += c.path
	u.RawQuery = c.query.Encode()
	request, err := http.NewRequestWithContext(ctx, c.method, u.String(), strings.NewReader(string(c.body)))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	if r.user != "" {
		request.SetBasicAuth(r.user, r.password.Reveal())
	}
	if with != nil && with.field != "" {
		request.Header.Set(with.field, with.value)
	}
	began := time.Now()
	response, err := r.http.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL
		}
		if context.Cause(ctx) == errTimeout { //nolint:errorlint // it is this very one, and not one that wraps it
			err = errTimeout
		}
		return nil, fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	defer response.Body.Close()
	r.log.Debug("jenkins", "method", c.method, "path", c.path, "status", response.StatusCode, "took", time.Since(began))
	if err := refusal(c, response); err != nil {
		return nil, err
	}
	a := &answer{code: response.StatusCode, header: response.Header}
	if c.sink != nil {
		err = c.sink(response.Body)
	} else {
		a.body, err = readAll(response.Body, maxAnswer)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", c.method, c.path, err)
	}
	return a, nil
}

// errTimeout is a request that took too long. It is a net.Error.
var errTimeout error = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string   { return "no answer in time" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// refusal is the error that an answer is, or nil for a success.
func refusal(c call, response *http.Response) error {
	code := response.StatusCode
	location := response.Header.Get("Location")
	switch {
	case code/100 == 2:
		return nil
	case code/100 == 3 && c.redirect && !isLogin(location):
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBody)) // what came will do
	refused := &StatusError{
		Method: c.method, Path: c.path, Code: code, Message: messageOf(response.Header, body), FromJenkins: response.Header.Get("X-Jenkins") != "",
	}
	if code/100 == 3 {
		refused.Message = "it sends elsewhere"
		if u, err := url.Parse(location); err == nil {
			u.RawQuery, u.User = "", nil
			refused.Message = "it sends to " + u.String() + ": is the URL of Jenkins right?"
		}
	}
	return refused
}

// isLogin says whether a redirect sends to a page on which to log in.
func isLogin(location string) bool {
	u, err := url.Parse(location)
	if err != nil {
		return true
	}
	last := path.Base(u.Path)
	return last == "login" || last == "loginError" || strings.Contains(u.Path, "/securityRealm/")
}

// getJSON asks for the JSON below a path.
func (r *requester) getJSON(ctx context.Context, below string, query url.Values, into any) (*answer, error) {
	c := call{method: http.MethodGet, path: strings.TrimRight(below, "/") + "/api/json", query: query}
	a, err := r.send(ctx, c)
	if err != nil {
		return nil, err
	}
	return a, decode(c, a, into)
}

// values turns gojenkins's queries into url.Values.
func values(query map[string]string) url.Values {
	v := url.Values{}
	for name, value := range query {
		v.Set(name, value)
	}
	return v
}

// response is an answer as gojenkins takes it. A redirect that means done is
// 200, because it knows nothing else.
func (a *answer) response() *http.Response {
	code := a.code
	if code/100 == 3 {
		code = http.StatusOK
	}
	return &http.Response{StatusCode: code, Header: a.header, Body: http.NoBody}
}

// forward sends a request of gojenkins. What the answer holds goes into a
// *string, and nowhere else: callers want no JSON of a POST.
func (r *requester) forward(ctx context.Context, c call, into any) (*http.Response, error) {
	a, err := r.send(ctx, c)
	if err != nil {
		return nil, err
	}
	if text, ok := into.(*string); ok {
		*text = string(a.body)
	}
	return a.response(), nil
}

// GetJSON is gojenkins's.
func (r *requester) GetJSON(ctx context.Context, endpoint string, into any, query map[string]string) (*http.Response, error) {
	a, err := r.getJSON(ctx, endpoint, values(query), into)
	if err != nil {
		return nil, err
	}
	return a.response(), nil
}

// Get is gojenkins's.
func (r *requester) Get(ctx context.Context, endpoint string, into any, query map[string]string) (*http.Response, error) {
	return r.forward(ctx, call{method: http.MethodGet, path: endpoint, query: values(query)}, into)
}

// GetXML is gojenkins's.
func (r *requester) GetXML(ctx context.Context, endpoint string, into any, query map[string]string) (*http.Response, error) {
	return r.Get(ctx, endpoint, into, query)
}

// Post is gojenkins's.
func (r *requester) Post(ctx context.Context, endpoint string, payload io.Reader, into any, query map[string]string) (*http.Response, error) {
	c := call{method: http.MethodPost, path: endpoint, query: values(query), contentType: formType, redirect: true}
	if payload != nil {
		body, err := readAll(payload, maxAnswer)
		if err != nil {
			return nil, err
		}
		c.body = body
	}
	return r.forward(ctx, c, into)
}

// PostXML is gojenkins's.
func (r *requester) PostXML(ctx context.Context, endpoint, xml string, into any, query map[string]string) (*http.Response, error) {
	return r.forward(ctx, call{method: http.MethodPost, path: endpoint, query: values(query), contentType: xmlType, body: []byte(xml)}, into)
}

// PostJSON is gojenkins's, for what is not used here.
func (r *requester) PostJSON(context.Context, string, io.Reader, any, map[string]string) (*http.Response, error) {
	return nil, errors.ErrUnsupported
}

// PostFiles is gojenkins's, for what is not used here.
func (r *requester) PostFiles(context.Context, string, io.Reader, any, map[string]string, []string) (*http.Response, error) {
	return nil, errors.ErrUnsupported
}

// writeOnly spares the GET of the whole job with which gojenkins v1.2.0 follows
// each write, and whose answer and errors it ignores.
type writeOnly struct{ *requester }

var errNotAsked = errors.New("not asked again after a write")

// GetJSON does not ask.
func (writeOnly) GetJSON(context.Context, string, any, map[string]string) (*http.Response, error) {
	return nil, errNotAsked
}
