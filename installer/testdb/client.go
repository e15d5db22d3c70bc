package testdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/testcases"
)

const (
	// clientTime is how long one request may take, answer included.
	clientTime = 30 * time.Second
	// maxAnswer is the largest answer that a client reads: a page of the
	// largest results that are known has a tenth of it.
	maxAnswer = 64 << 20
	// maxErrorBody is how much of a refusal is kept.
	maxErrorBody = 64 << 10
)

// A Client speaks to a TestAPI: this package's server, or the old one.
type Client struct {
	api   *url.URL // ends in /api/v1
	http  *http.Client
	token string
}

// ClientOptions are what a client may be given. The zero value will do.
type ClientOptions struct {
	// Token is sent as X-Auth-Token with what writes.
	Token string
	// Transport carries the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// NewClient returns a client of the API whose results are at a URL such as
// http://192.0.2.1:8000/api/v1/results, Xtesting's TEST_DB_URL.
func NewClient(resultsURL string, o ClientOptions) (*Client, error) {
	u, err := url.Parse(resultsURL)
	if err != nil {
		return nil, fmt.Errorf("the URL of the test DB: %w", errors.Unwrap(err)) // without the URL: it may hold a password
	}
	api, isResults := strings.CutSuffix(strings.TrimRight(u.Path, "/"), "/results")
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !isResults {
		return nil, fmt.Errorf("the URL of the test DB is %s, want http://HOST:PORT/api/v1/results", u.Redacted())
	}
	return &Client{
		api: &url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: api},
		http: &http.Client{
			Timeout:   clientTime,
			Transport: o.Transport,
			// A redirect would carry the token to another place.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		token: o.Token,
	}, nil
}

// A StatusError is an answer other than 200.
type StatusError struct {
	Method, Path string
	Code         int
	// Message is the server's, out of the JSON that this package's sends, or
	// the text of the body.
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s: %s", e.Method, e.Path, e.Code, http.StatusText(e.Code), e.Message)
}

// Register makes a pod, a project and its cases known, which results must
// name. What is known already stays as it is.
func (c *Client) Register(ctx context.Context, pod, project string, cases ...string) error {
	create := func(name string, path ...string) error {
		err := c.do(ctx, http.MethodPost, c.api.JoinPath(path...), map[string]string{"name": name}, nil)
		var refused *StatusError
		if errors.As(err, &refused) && refused.Code == http.StatusForbidden && strings.Contains(refused.Message, "Already Exists") {
			return nil
		}
		return err
	}
	if err := create(pod, "pods"); err != nil {
		return fmt.Errorf("register the pod %s: %w", pod, err)
	}
	if err := create(project, "projects"); err != nil {
		return fmt.Errorf("register the project %s: %w", project, err)
	}
	for _, name := range cases {
		if err := create(name, "projects", url.PathEscape(project), "cases"); err != nil {
			return fmt.Errorf("register the case %s: %w", name, err)
		}
	}
	return nil
}

// Post stores a result and returns its id.
func (c *Client) Post(ctx context.Context, result testcases.Record) (id string, err error) {
	result.ID = "" // the server gives it
	var created struct{ Href string }
	if err := c.do(ctx, http.MethodPost, c.api.JoinPath("results"), result, &created); err != nil {
		return "", fmt.Errorf("push the result of %s: %w", result.CaseName, err)
	}
	id, ok := parseObjectID(created.Href[strings.LastIndexByte(created.Href, '/')+1:])
	if !ok {
		return "", fmt.Errorf("push the result of %s: the answer %.100q names no id", result.CaseName, created.Href)
	}
	return id, nil
}

// Results returns the results of a build tag, the oldest first, page by page.
func (c *Client) Results(ctx context.Context, buildTag string) iter.Seq2[testcases.Record, error] {
	return func(yield func(testcases.Record, error) bool) {
		for page := 1; ; page++ {
			records, pages, err := c.page(ctx, buildTag, page)
			if err != nil {
				yield(testcases.Record{}, fmt.Errorf("read the results of %s: %w", buildTag, err))
				return
			}
			for _, record := range records {
				if !yield(record, nil) {
					return
				}
			}
			if page >= pages {
				return
			}
		}
	}
}

// page returns one page of the results of a build tag, and how many pages
// there are. With the oldest first, results that arrive meanwhile move none
// from one page to another.
func (c *Client) page(ctx context.Context, buildTag string, number int) (records []testcases.Record, pages int, err error) {
	u := c.api.JoinPath("results")
	u.RawQuery = url.Values{"build_tag": {buildTag}, "descend": {"false"}, "page": {strconv.Itoa(number)}}.Encode()
	var answer struct {
		Pagination struct {
			TotalPages int `json:"total_pages"`
		}
		Results []json.RawMessage
	}
	if err := c.do(ctx, http.MethodGet, u, nil, &answer); err != nil {
		return nil, 0, err
	}
	for _, raw := range answer.Results {
		record, err := recordOf(raw)
		if err != nil {
			return nil, 0, err
		}
		records = append(records, record)
	}
	return records, answer.Pagination.TotalPages, nil
}

// recordOf reads a result. The old server makes numbers of texts that look
// like one; here they become texts again.
func recordOf(raw json.RawMessage) (record testcases.Record, err error) {
	o, ok := parseObject(raw)
	if !ok {
		return testcases.Record{}, fmt.Errorf("the result %.100q is no object", raw)
	}
	id, _ := o.text("_id")
	for _, date := range []string{"start_date", "stop_date"} {
		if text, ok := o.text(date); ok {
			o.set(date, text)
		}
	}
	document, err := newDocument(Results, o)
	if err == nil {
		err = json.Unmarshal(document.Body, &record)
	}
	if err != nil {
		return testcases.Record{}, fmt.Errorf("the result %q: %w", id, err)
	}
	return record, nil
}

// do sends a request, with a body if there is one, and reads the answer into
// what is given. Its errors hold no query, host or token.
func (c *Client) do(ctx context.Context, method string, u *url.URL, send, receive any) error {
	var body io.Reader
	if send != nil {
		encoded, err := json.Marshal(send)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, u.Path, err)
		}
		body = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, u.Path, err)
	}
	if send != nil {
		request.Header.Set("Content-Type", jsonType)
	}
	if send != nil && c.token != "" {
		request.Header.Set("X-Auth-Token", c.token)
	}
	request.Header.Set("Accept", jsonType)
	answer, err := c.http.Do(request)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL
		}
		return fmt.Errorf("%s %s: %w", method, u.Path, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return statusError(method, u.Path, answer)
	}
	read, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: read the answer: %w", method, u.Path, err)
	case len(read) > maxAnswer:
		return fmt.Errorf("%s %s: the answer is larger than %d bytes", method, u.Path, maxAnswer)
	case receive == nil:
		return nil
	}
	if err := json.Unmarshal(read, receive); err != nil {
		return fmt.Errorf("%s %s: the answer %.100q is not what a TestAPI sends: %w", method, u.Path, read, err)
	}
	return nil
}

// statusError reads the message of an answer other than 200.
func statusError(method, path string, answer *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxErrorBody)) // what came will do
	message := strings.TrimSpace(string(body))
	var told struct{ Error string }
	if json.Unmarshal(body, &told) == nil && told.Error != "" {
		message = told.Error
	}
	return &StatusError{Method: method, Path: path, Code: answer.StatusCode, Message: message}
}
