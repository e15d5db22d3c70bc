package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Errors to branch on, found with errors.Is.
var (
	// ErrKubeconfig is wrapped when the kubeconfig cannot be used.
	ErrKubeconfig = errors.New("kubeconfig cannot be used")
	// ErrUnreachable is wrapped when nothing answers as an API server does.
	ErrUnreachable = errors.New("API server does not answer")
	// ErrUnauthorized is wrapped when the server does not accept the
	// credentials.
	ErrUnauthorized = errors.New("credentials are not accepted")
	// ErrForbidden is wrapped when the account may not do what was tried.
	ErrForbidden = errors.New("not allowed")
)

// An Error is what was tried on what, what came back, and what to do.
type Error struct {
	Tried  string
	Err    error
	Advice string
}

func (e *Error) Error() string {
	text := e.Tried + ": " + e.Err.Error()
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// kinded is an error that also is one of the errors to branch on, whose text
// it does not repeat.
type kinded struct {
	kind, err error
}

func (k *kinded) Error() string   { return k.err.Error() }
func (k *kinded) Unwrap() []error { return []error{k.kind, k.err} }

// A StatusError is an answer of the API server that is not the one wanted.
type StatusError struct {
	Code    int
	Message string // the server's own, if it gave one
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%d %s", e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// newStatusError reads what the API server says of a request that it did not
// fulfil.
func newStatusError(code int, message string) (advice string, err error) {
	const most = 500
	if runes := []rune(message); len(runes) > most {
		message = string(runes[:most]) + " [...]"
	}
	status := &StatusError{Code: code, Message: message}
	switch {
	case code == http.StatusUnauthorized:
		return "the credentials expired, or are those of another cluster: get a new kubeconfig", &kinded{ErrUnauthorized, status}
	case code == http.StatusForbidden:
		return "use an account that is bound to cluster-admin", &kinded{ErrForbidden, status}
	case code >= 300 && code < 400:
		return "the server sends elsewhere, which is not followed: give the API server's own address", &kinded{ErrUnreachable, status}
	case code == http.StatusNotFound:
		return "is this the address of a Kubernetes API server?", status
	default:
		return "look at the API server's log", status
	}
}

// transportAdvice says what to do about a request that got no answer.
func transportAdvice(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name of the server is not known here: check DNS or /etc/hosts"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the server's certificate is not signed by the authority in the kubeconfig: the cluster was made anew, or something is between: get a new kubeconfig"
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the server's certificate is not for " + name.Host + ": use a name that is in it, or set tls-server-name in the kubeconfig"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the server's certificate has expired, or a clock is wrong: renew it (kubeadm certs renew apiserver)"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server ends the TLS handshake: it does not accept the client certificate: get a new kubeconfig"
	}
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS there: check port and http:// or https:// in the kubeconfig"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the API server running, and are address and port right?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that address from here: check routes and VPN"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer in time: check the address, firewalls, and whether a proxy is asked that should not be (NO_PROXY)"
	case strings.Contains(err.Error(), "getting credentials"):
		return "the kubeconfig's credential plugin does not work: run it by hand, or use a kubeconfig with a certificate or token"
	case strings.Contains(err.Error(), "proxyconnect"):
		return "the proxy does not answer: check HTTPS_PROXY, or name the server in NO_PROXY"
	default:
		return "check that the server's address can be reached from here"
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
