package testdb

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the old server's Etag, not a secret
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
)

// A failure is what a client is told instead of what it asked for.
type failure struct {
	code    int
	message string
}

func (f *failure) Error() string { return fmt.Sprintf("%d: %s", f.code, f.message) }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Sprintf(format, args...)}
}

// failureOf turns any error into what a client is told. What is not meant
// for clients stays in the log.
func failureOf(err error) *failure {
	var told *failure
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &told):
		return told
	case errors.As(err, &tooLarge):
		return &failure{http.StatusRequestEntityTooLarge, fmt.Sprintf("The body must not be larger than %d bytes", tooLarge.Limit)}
	case errors.Is(err, ErrFull):
		return &failure{http.StatusInsufficientStorage, "The disk of the test DB is full: nothing was stored. Free some space there, then send it again"}
	}
	return &failure{http.StatusInternalServerError, http.StatusText(http.StatusInternalServerError)}
}

// writeFailure answers with a message: JSON for who accepts it, otherwise
// the old server's HTML. net/http has no way to put it in the status line
// too, where the old server had it.
func writeFailure(w http.ResponseWriter, r *http.Request, f *failure) {
	if acceptsJSON(r) {
		w.Header().Set("Content-Type", jsonType)
		w.WriteHeader(f.code)
		_, _ = fmt.Fprintf(w, `{"error": %s, "code": %d}`, pythonText(f.message), f.code)
		return
	}
	// Only these two can leave a text; the old server's other characters stay.
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(f.message)
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(f.code)
	_, _ = fmt.Fprintf(w, "<html><title>%[1]d: %[2]s</title><body>%[1]d: %[2]s</body></html>", f.code, text)
}

const jsonType = "application/json"

// acceptsJSON says whether a client asks for JSON by name; */* does not.
func acceptsJSON(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Accept"), ",")), jsonType)
}

// writeJSON answers with a body in Python's manner; that of a GET has an Etag.
func writeJSON(w http.ResponseWriter, r *http.Request, body []byte) error {
	w.Header().Set("Content-Type", jsonType)
	if r.Method == http.MethodGet {
		etag := etagOf(body)
		w.Header().Set("Etag", etag)
		if matchesEtag(r.Header.Values("If-None-Match"), etag) {
			w.Header().Del("Content-Type")
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	_, err := w.Write(body)
	return err
}

// etagOf is the tag that Tornado gives a body.
func etagOf(body []byte) string {
	sum := sha1.Sum(body) //nolint:gosec // the old server's Etag, not a secret
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

// matchesEtag says whether an If-None-Match names a tag, weak or not, or any.
func matchesEtag(headers []string, etag string) bool {
	rest := strings.Join(headers, ",")
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if strings.HasPrefix(rest, "*") {
			return true
		}
		rest = strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(rest, `"`) {
			return false
		}
		end := strings.IndexByte(rest[1:], '"')
		if end < 0 {
			return false
		}
		if rest[:end+2] == etag {
			return true
		}
		rest = rest[end+2:]
	}
}

const (
	// streamAbove is how much of a list is held back for its Etag. A longer
	// one is sent as it is read, without.
	streamAbove = 4 << 20
	// streamTime is how long a list may take, so that a client that reads
	// slowly cannot keep the store from cleaning up.
	streamTime = 10 * time.Minute
)

// writeList answers with an object whose last key, that of the collection,
// has the documents; before is what comes before that key.
func writeList(w http.ResponseWriter, r *http.Request, before string, c Collection, documents iter.Seq2[Document, error]) error {
	started := time.Now()
	body := bytes.NewBufferString(fmt.Sprintf(`{%s"%s": [`, before, c))
	streaming, first := false, true
	for document, err := range documents {
		if err != nil {
			return err
		}
		if !first {
			body.WriteString(", ")
		}
		first = false
		body.Write(document.Body)
		if body.Len() < streamAbove {
			continue
		}
		if !streaming {
			w.Header().Set("Content-Type", jsonType)
			streaming = true
		}
		if time.Since(started) > streamTime {
			return fmt.Errorf("the client took longer than %s to read a list: %w", streamTime, context.DeadlineExceeded)
		}
		if err := flush(w, body); err != nil {
			return err
		}
	}
	body.WriteString("]}")
	if !streaming {
		return writeJSON(w, r, body.Bytes())
	}
	return flush(w, body)
}

// flush sends a part of an answer. Each part has its own time to be taken.
func flush(w http.ResponseWriter, part *bytes.Buffer) error {
	extendWrite(w)
	_, err := part.WriteTo(w)
	part.Reset()
	return err
}

// extendWrite gives a client the time of one write from now on, whatever it
// took to send its request and to work on it.
func extendWrite(w http.ResponseWriter) {
	// A writer without deadlines, as in a test, needs none.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime))
}
