package jenkins

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
)

// ErrNotJenkins is the answer of something else than Jenkins.
var ErrNotJenkins = errors.New("this is no Jenkins")

// ErrGone is a build or a waiting item that Jenkins does not know any more.
var ErrGone = errors.New("it is no longer known to Jenkins")

// ErrCancelled is an item of the queue that somebody took out.
var ErrCancelled = errors.New("it was taken out of the queue")

// A StatusError is an answer that is not a success. It holds no credentials,
// and nothing of the query.
type StatusError struct {
	Method, Path string
	Code         int
	// Message is Jenkins's own: its header X-Error, or the text of the page.
	Message string
	// FromJenkins says that Jenkins itself answered, and not something before
	// it.
	FromJenkins bool
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
	if e.Message != "" && e.Message != http.StatusText(e.Code) {
		text += ": " + e.Message
	}
	if advice := e.advice(); advice != "" {
		text += " (" + advice + ")"
	}
	return text
}

// advice says what to do.
func (e *StatusError) advice() string {
	switch {
	case e.Code == http.StatusUnauthorized:
		return "check the user and the password or API token"
	case e.Code == http.StatusServiceUnavailable && !e.FromJenkins:
		return "Jenkins may still be starting"
	case e.Code == http.StatusInternalServerError && strings.Contains(e.Message, "Logging ID="):
		return "the log of Jenkins says more under that id; a plugin that is missing is a usual cause"
	}
	return ""
}

// hasStatus says whether an error is an answer with one of these codes.
func hasStatus(err error, codes ...int) bool {
	refused, ok := errors.AsType[*StatusError](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if refused.Code == code {
			return true
		}
	}
	return false
}

// noCrumb says whether a POST was refused for its crumb: it had no effect.
func noCrumb(err error) bool {
	refused, ok := errors.AsType[*StatusError](err)
	return ok && refused.Code == http.StatusForbidden && strings.Contains(refused.Message, "No valid crumb")
}

// maxMessage is how much of a page is quoted, in bytes.
const maxMessage = 400

var (
	unseen     = regexp.MustCompile(`(?is)<(script|style|head)\b.*?</(script|style|head)>`)
	tags       = regexp.MustCompile(`(?s)<[^>]*>`)
	pageTitle  = regexp.MustCompile(`(?is)<title>(.*?)</title>`)
	jettyTitle = regexp.MustCompile(`^Error [0-9]{3}\s*`)
	missing    = regexp.MustCompile(`\S+ is missing the [\w/ -]+ permission`)
)

// messageOf reads Jenkins's message out of an answer.
func messageOf(header http.Header, body []byte) string {
	if told := header.Get("X-Error"); told != "" {
		return oneLine(told)
	}
	text := string(body)
	if !strings.Contains(header.Get("Content-Type"), "html") && !strings.HasPrefix(strings.TrimSpace(text), "<") {
		return oneLine(text)
	}
	if title := pageTitle.FindStringSubmatch(text); title != nil && jettyTitle.MatchString(title[1]) {
		return oneLine(html.UnescapeString(jettyTitle.ReplaceAllString(title[1], "")))
	}
	text = oneLine(html.UnescapeString(tags.ReplaceAllString(unseen.ReplaceAllString(text, " "), " ")))
	if lacks := missing.FindString(text); lacks != "" {
		return lacks
	}
	return text
}

// oneLine makes one line of a text, and cuts it.
func oneLine(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "�")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}
