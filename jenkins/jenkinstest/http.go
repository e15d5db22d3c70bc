package jenkinstest

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxBody is the largest request that is read.
const maxBody = 8 << 20

// A request is one to Jenkins, who sends it, and where the answer goes.
type request struct {
	*http.Request
	w     http.ResponseWriter
	who   identity
	parts []string // of the path, without the prefix
	slash bool     // the path ends in a slash
	body  []byte
	form  url.Values // of the query and, if it is one, of the body
}

// ServeHTTP answers as Jenkins does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cut.Add(-1) >= 0 {
		s.drop(w)
		return
	}
	recorder := &recorder{ResponseWriter: w, code: http.StatusOK}
	s.answer(recorder, r)
	s.requests.add(Request{r.Method, r.URL.Path, recorder.code})
}

// A recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// drop closes the connection without an answer.
func (s *Server) drop(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			_ = conn.Close() // that is all that is wanted
		}
	}
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, gettingReady) // who asked may be gone
		return
	}
	path := "/" + strings.TrimLeft(r.URL.Path, "/") // //api/json is answered
	rest, within := strings.CutPrefix(path, s.o.Prefix)
	switch {
	case !within || rest != "" && rest[0] != '/':
		jettyPage(w, r, http.StatusNotFound, "Not Found")
		return
	case rest == "" && s.o.Prefix != "":
		w.Header().Set("Location", s.o.Prefix+"/")
		w.WriteHeader(http.StatusFound)
		return
	}
	s.mu.Lock()
	boot := s.bootID
	s.mu.Unlock()
	w.Header().Set("X-Jenkins", Version)
	w.Header().Set("X-Hudson", "1.395")
	w.Header().Set("X-Jenkins-Session", boot[:8])
	w.Header().Set("X-Content-Type-Options", "nosniff")
	q := &request{Request: r, w: w, slash: strings.HasSuffix(rest, "/")}
	if err := q.read(rest); err != nil {
		jettyPage(w, r, http.StatusBadRequest, "Bad Request")
		return
	}
	who, ok := s.keeper.identify(r)
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="Jenkins"`)
		jettyPage(w, r, http.StatusUnauthorized, "Invalid password/token for user: "+userOf(r))
		return
	}
	q.who = who
	if r.Method == http.MethodPost && len(q.parts) > 0 && q.parts[0] != "j_spring_security_check" && !s.hasCrumb(q) {
		jettyPage(w, r, http.StatusForbidden, "No valid crumb was included in the request")
		return
	}
	s.route(q)
}

func userOf(r *http.Request) string {
	name, _, _ := r.BasicAuth()
	return name
}

// read reads the body and the forms.
func (q *request) read(path string) error {
	for _, part := range strings.Split(path, "/") {
		if part != "" {
			q.parts = append(q.parts, part)
		}
	}
	body, err := io.ReadAll(io.LimitReader(q.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return errors.Join(err, errors.New("too large"))
	}
	q.body, q.form = body, q.URL.Query()
	if strings.HasPrefix(q.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return err
		}
		for name, values := range posted {
			q.form[name] = append(q.form[name], values...)
		}
	}
	return nil
}

// hasCrumb says whether a POST may pass: with a crumb of the same user in the
// same session, in a header, the query or the form, or with an API token.
func (s *Server) hasCrumb(q *request) bool {
	if q.who.token {
		return true
	}
	sent := q.Header.Get("Jenkins-Crumb")
	if sent == "" {
		sent = q.form.Get("Jenkins-Crumb")
	}
	return sent != "" && q.who.session != "" && sent == s.keeper.crumb(q.who)
}

// base is what URLs in answers begin with: the Host header and the prefix.
func (s *Server) base(q *request) string { return "http://" + q.Host + s.o.Prefix + "/" }

const gettingReady = `<!DOCTYPE html><html><head><title>Starting Jenkins</title></head>
<body><h1>Please wait while Jenkins is getting ready to work…</h1><p>Your browser will reload automatically when Jenkins is ready.</p></body></html>
`

// send sends an answer.
func (q *request) send(code int, contentType string, body []byte) {
	q.w.Header().Set("Content-Type", contentType)
	q.w.WriteHeader(code)
	_, _ = q.w.Write(body) // who asked may be gone
}

func (q *request) empty(code int) {
	q.w.Header().Set("Content-Length", "0")
	q.w.WriteHeader(code)
}

func (q *request) redirect(location string) {
	q.w.Header().Set("Location", location)
	q.empty(http.StatusFound)
}

func (q *request) text(text string) {
	q.send(http.StatusOK, "text/plain;charset=utf-8", []byte(text))
}

func (q *request) page(title string) {
	q.send(http.StatusOK, "text/html;charset=utf-8", []byte("<!DOCTYPE html><html><head><title>"+html.EscapeString(title)+" [Jenkins]</title></head><body></body></html>"))
}

// notFound is the answer for what is not there, or may not be seen.
func (q *request) notFound() { jettyPage(q.w, q.Request, http.StatusNotFound, "Not Found") }

// refuse is Jenkins's answer to bad input: the message is in X-Error too,
// where characters that do not fit become blanks.
func (q *request) refuse(message string) {
	header := strings.TrimSpace(strings.Map(func(r rune) rune {
		if r > 255 {
			return ' '
		}
		return r
	}, message))
	q.w.Header().Set("X-Error", header)
	q.send(http.StatusBadRequest, "text/html;charset=utf-8", []byte(
		"<!DOCTYPE html><html><head><title>Error [Jenkins]</title></head><body><div id=\"main-panel\"><h1>Error</h1><p>"+html.EscapeString(message)+"</p></div></body></html>"))
}

// oops is Jenkins's answer when something broke: it does not say what.
func (q *request) oops() {
	id := randomHex(16)
	id = strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
	q.send(http.StatusInternalServerError, "text/html;charset=utf-8", []byte(
		"<!DOCTYPE html><html><head><title>Jenkins - Oops!</title></head><body><h1>Oops!</h1><h2>A problem occurred while processing the request.</h2><p>Logging ID="+id+"</p></body></html>"))
}

// denied is the answer to who lacks a permission.
func (q *request) denied(permission string) {
	if q.who.user == anonymous {
		q.send(http.StatusForbidden, "text/html;charset=utf-8", []byte(
			"<html><head><meta http-equiv='refresh' content='1;url=/login?from=%2F'/></head><body style='background-color:white; color:white;'>Authentication required<!-- --></body></html>"))
		return
	}
	q.w.Header().Set("X-You-Are-Authenticated-As", q.who.user)
	q.w.Header().Set("X-Required-Permission", permission)
	q.send(http.StatusForbidden, "text/html;charset=utf-8", []byte(
		"<!DOCTYPE html><html><head><title>Jenkins</title></head><body><h1>Access Denied</h1><p class=\"error\">"+html.EscapeString(q.who.user)+" is missing the "+permission+" permission</p></body></html>"))
}

// jettyPage is a page of the servlet container.
func jettyPage(w http.ResponseWriter, r *http.Request, code int, message string) {
	var page bytes.Buffer
	fmt.Fprintf(&page, "<html>\n<head>\n<meta http-equiv=\"Content-Type\" content=\"text/html;charset=ISO-8859-1\"/>\n<title>Error %d %s</title>\n</head>\n", code, html.EscapeString(message))
	fmt.Fprintf(&page, "<body><h2>HTTP ERROR %d %s</h2>\n<table>\n<tr><th>URI:</th><td>%s</td></tr>\n<tr><th>STATUS:</th><td>%d</td></tr>\n<tr><th>MESSAGE:</th><td>%s</td></tr>\n<tr><th>SERVLET:</th><td>Stapler</td></tr>\n</table>\n\n</body>\n</html>\n",
		code, html.EscapeString(message), html.EscapeString(r.URL.Path), code, html.EscapeString(message))
	w.Header().Set("Content-Type", "text/html;charset=iso-8859-1")
	w.WriteHeader(code)
	_, _ = w.Write(page.Bytes()) // who asked may be gone
}
