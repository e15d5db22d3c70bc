package jenkins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bndr/gojenkins"

	"github.com/anuket-project/xtci/config"
)

const (
	// defaultTimeout is how long one request may take, answer included.
	defaultTimeout = 30 * time.Second
	// defaultPatience is how long requests that may be repeated are.
	defaultPatience = 10 * time.Second
)

// ClientOptions say which Jenkins a client speaks to, and as whom.
type ClientOptions struct {
	// URL is that of Jenkins, with its prefix: http://HOST:8080/jenkins.
	URL string
	// User and Password log in; Password may be an API token. Without a user
	// nobody is logged in.
	User     string
	Password config.Secret
	// Transport carries the requests. Nil is one of the client's own.
	Transport http.RoundTripper
	// Timeout is how long one request may take, 30 s if zero.
	Timeout time.Duration
	// Patience is how long a request that may be repeated is, while Jenkins
	// is not there: 10 s if zero, and negative for not at all.
	Patience time.Duration
	// Log gets what is done, at level debug. Nil is nowhere.
	Log *slog.Logger
}

// A Client speaks to one Jenkins. It can be used by many at once.
type Client struct {
	requester *requester
	// jenkins and writer are gojenkins's client: one asks, the other does not
	// ask again for the whole job after each write.
	jenkins, writer *gojenkins.Jenkins
}

// New returns a client. Nothing is sent yet.
func New(o ClientOptions) (*Client, error) {
	u, err := url.Parse(strings.TrimSpace(o.URL))
	if err != nil {
		return nil, errors.New("the URL of Jenkins cannot be read: want http://HOST:PORT/PREFIX") // what is wrong with it may quote a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return nil, fmt.Errorf("the URL of Jenkins is %s, want http://HOST:PORT/PREFIX", u.Redacted())
	}
	if u.User != nil {
		return nil, errors.New("the URL of Jenkins holds credentials: give user and password apart from it")
	}
	if o.Transport == nil {
		transport, ok := http.DefaultTransport.(*http.Transport)
		if !ok {
			return nil, errors.New("there is no HTTP transport to begin with")
		}
		own := transport.Clone()
		own.MaxIdleConnsPerHost = maxParallel
		own.MaxConnsPerHost = 2 * maxParallel
		o.Transport = own
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &requester{
		base: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")},
		user: o.User, password: o.Password, timeout: o.Timeout, patience: o.Patience, log: o.Log,
	}
	r.http = &http.Client{
		Transport: o.Transport,
		Jar:       &r.jar,
		// Following a redirect would carry credentials to another place, and
		// make a GET of a POST.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := r.jar.reset(); err != nil {
		return nil, err
	}
	return &Client{
		requester: r,
		jenkins:   &gojenkins.Jenkins{Server: r.base.String(), Requester: r},
		writer:    &gojenkins.Jenkins{Server: r.base.String(), Requester: writeOnly{r}},
	}, nil
}

// URL returns the address of Jenkins, without a slash at its end.
func (c *Client) URL() string { return c.requester.base.String() }

// Close gives connections back.
func (c *Client) Close() { c.requester.http.CloseIdleConnections() }

// Version returns that of Jenkins. It asks once, without patience: so it says
// whether Jenkins is there and ready.
func (c *Client) Version(ctx context.Context) (string, error) {
	a, err := c.requester.once(ctx, call{method: http.MethodGet, path: "/api/json", query: url.Values{"tree": {"mode"}}})
	if err != nil {
		return "", fmt.Errorf("ask Jenkins at %s for its version: %w", c.URL(), err)
	}
	version := a.header.Get("X-Jenkins")
	if version == "" {
		return "", fmt.Errorf("ask %s for its version: %w: the answer has no header X-Jenkins (is the prefix right?)", c.URL(), ErrNotJenkins)
	}
	return version, nil
}

// get asks for what .../api/json exports below a path, as far as tree says.
func (c *Client) get(ctx context.Context, path, tree string, into any) error {
	_, err := c.requester.getJSON(ctx, path, url.Values{"tree": {tree}}, into)
	return err
}

// A summary is what is known of a job or a view without its config.xml.
type summary struct {
	Class       string `json:"_class"`
	Name        string
	Description string
	Color       string
}

// list returns all jobs and views that are seen.
func (c *Client) list(ctx context.Context) (jobs, views []summary, err error) {
	var answer struct{ Jobs, Views []summary }
	if err := c.get(ctx, "", "jobs[name,description,color],views[name,description]", &answer); err != nil {
		return nil, nil, fmt.Errorf("list the jobs and views: %w", err)
	}
	return answer.Jobs, answer.Views, nil
}

func jobPath(name string) string  { return "/job/" + name }
func viewPath(name string) string { return "/view/" + name }

// JobConfig returns the config.xml of a job.
func (c *Client) JobConfig(ctx context.Context, name string) (string, error) {
	text, err := (&gojenkins.Job{Jenkins: c.jenkins, Base: jobPath(name)}).GetConfig(ctx)
	if err != nil {
		return "", fmt.Errorf("read the job %s: %w", name, err)
	}
	return text, nil
}

// CreateJob makes a job.
func (c *Client) CreateJob(ctx context.Context, name, config string) error {
	if _, err := c.writer.CreateJob(ctx, config, name); err != nil {
		return fmt.Errorf("create the job %s: %w", name, err)
	}
	return nil
}

// UpdateJob gives a job that is there another config.xml.
func (c *Client) UpdateJob(ctx context.Context, name, config string) error {
	if err := (&gojenkins.Job{Jenkins: c.writer, Base: jobPath(name), Raw: new(gojenkins.JobResponse)}).UpdateConfig(ctx, config); err != nil {
		return fmt.Errorf("update the job %s: %w", name, err)
	}
	return nil
}

// DeleteJob removes a job with its builds. One that is not there is no error.
func (c *Client) DeleteJob(ctx context.Context, name string) error {
	if _, err := c.writer.DeleteJob(ctx, name); err != nil && !hasStatus(err, http.StatusNotFound) {
		return fmt.Errorf("delete the job %s: %w", name, err)
	}
	return nil
}

// ViewConfig returns the config.xml of a view.
func (c *Client) ViewConfig(ctx context.Context, name string) (string, error) {
	a, err := c.requester.send(ctx, call{method: http.MethodGet, path: viewPath(name) + "/config.xml"})
	if err != nil {
		return "", fmt.Errorf("read the view %s: %w", name, err)
	}
	return string(a.body), nil
}

// CreateView makes a view.
func (c *Client) CreateView(ctx context.Context, name, config string) error {
	_, err := c.requester.send(ctx, call{
		method: http.MethodPost, path: "/createView", query: url.Values{"name": {name}}, contentType: xmlType, body: []byte(config),
	})
	if err != nil {
		return fmt.Errorf("create the view %s: %w", name, err)
	}
	return nil
}

// UpdateView gives a view that is there another config.xml.
func (c *Client) UpdateView(ctx context.Context, name, config string) error {
	_, err := c.requester.send(ctx, call{method: http.MethodPost, path: viewPath(name) + "/config.xml", contentType: xmlType, body: []byte(config)})
	if err != nil {
		return fmt.Errorf("update the view %s: %w", name, err)
	}
	return nil
}

// DeleteView removes a view. One that is not there is no error.
func (c *Client) DeleteView(ctx context.Context, name string) error {
	_, err := c.requester.send(ctx, call{method: http.MethodPost, path: viewPath(name) + "/doDelete", redirect: true})
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return fmt.Errorf("delete the view %s: %w", name, err)
	}
	return nil
}

// decode reads a JSON answer.
func decode(c call, a *answer, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		if a.header.Get("X-Jenkins") == "" {
			return fmt.Errorf("%s %s: %w: the answer %.100q is no JSON, and has no header X-Jenkins", c.method, c.path, ErrNotJenkins, a.body)
		}
		return fmt.Errorf("%s %s: the answer %.100q is not what Jenkins sends: %w", c.method, c.path, a.body, err)
	}
	return nil
}

var itemPath = regexp.MustCompile(`/queue/item/([0-9]+)/?$`)

// itemOf reads the number of a queue item from a Location.
func itemOf(location string) (int, bool) {
	match := itemPath.FindStringSubmatch(location)
	if match == nil {
		return 0, false
	}
	id, err := strconv.Atoi(match[1])
	return id, err == nil
}

// readAll reads a body of at most that many bytes.
func readAll(body io.Reader, limit int64) ([]byte, error) {
	read, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(read)) > limit {
		err = fmt.Errorf("the answer is larger than %d bytes", limit)
	}
	return read, err
}
