package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// maxMessage is how much of what the engine says is passed on, in bytes: it may
// be the page of a proxy.
const maxMessage = 2000

// A failure is an error of the engine, with the sentinels that fit it.
type failure struct {
	kinds   []error
	message string
	cause   error
}

func (f *failure) Error() string { return f.message }

func (f *failure) Unwrap() []error { return append(f.kinds[:len(f.kinds):len(f.kinds)], f.cause) }

// wrap says what was tried when an error came back, which it classifies.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	for i, arg := range args {
		if id, ok := arg.(string); ok && isID.MatchString(id) {
			args[i] = id[:shortID]
		}
	}
	return fmt.Errorf(format+": %w", append(args, classify(err))...)
}

// isID is the whole id of a container or network. The docker command shows
// the first 12 digits of one, and takes them.
var isID = regexp.MustCompile(`^[0-9a-f]{64}$`)

const shortID = 12

// classify finds the sentinels of an error. The engine tells some by status,
// most by message only. The messages are those of Docker Engine 20.10 to 28.
func classify(err error) error {
	var known *failure
	if err == nil || errors.As(err, &known) {
		return err
	}
	message := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	var request *url.Error
	if errors.As(err, &request) {
		// its address, http://%2Fvar%2Frun%2Fdocker.sock/v1.41/..., helps nobody
		message = request.Err.Error()
	}
	if len(message) > maxMessage {
		message = message[:maxMessage] + "..."
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &failure{message: message, cause: err}
	}
	if kind := connection(err); kind != nil {
		// the library's own guess says no more than the sentinel
		if strings.HasPrefix(message, "Cannot connect to the Docker daemon") {
			return &failure{kinds: []error{kind}, message: kind.Error(), cause: err}
		}
		return &failure{kinds: []error{kind}, message: kind.Error() + ": " + message, cause: err}
	}
	kinds := byMessage(message)
	if len(kinds) == 0 {
		kinds = byStatus(err)
	}
	return &failure{kinds: kinds, message: message, cause: err}
}

// connection says whether an error is one of speaking to the engine, rather
// than one of the engine's.
func connection(err error) error {
	if errors.Is(err, fs.ErrPermission) && client.IsErrConnectionFailed(err) {
		return ErrPermission
	}
	var network *net.OpError
	switch {
	case client.IsErrConnectionFailed(err), errors.As(err, &network),
		// the engine went away in the middle of an answer
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ErrUnavailable
	}
	return nil
}

// kindOfMessage are what the engine says, in the order in which it is looked
// for: what is specific comes first.
var kindOfMessage = []struct {
	says  *regexp.Regexp
	kinds []error
}{
	{regexp.MustCompile(`no space left on device|disk quota exceeded`), []error{ErrNoSpace}},
	{regexp.MustCompile(`port is already allocated|(?:listen|bind|port).*address already in use`), []error{ErrPortTaken}},
	// what a registry says of a repository that is not there, and of one that
	// is not for everybody, is the same
	{regexp.MustCompile(`pull access denied|repository does not exist or may require`), []error{ErrDenied, ErrNotFound}},
	{regexp.MustCompile(`unauthorized|no basic auth credentials|authentication required|incorrect username or password|requested access to the resource is denied|denied: |403 Forbidden`), []error{ErrDenied}},
	{regexp.MustCompile(`manifest unknown|manifest for .* not found|name unknown|No such image|image does not exist locally|no matching manifest`), []error{ErrNotFound}},
	{regexp.MustCompile(`(?:Get|Head|Put|Post|Patch) "?https?://.*(?:dial |connection refused|no such host|timeout|deadline exceeded|EOF|x509|tls|HTTP response to HTTPS|unreachable|no route to host|proxyconnect|canceled while waiting)|server misbehaving|failed to do request|failed to resolve reference.*dial`), []error{ErrUnreachable}},
	{regexp.MustCompile(`has active endpoints|is already in use|already exists`), []error{ErrConflict}},
}

func byMessage(message string) []error {
	for _, row := range kindOfMessage {
		if row.says.MatchString(message) {
			return row.kinds
		}
	}
	return nil
}

func byStatus(err error) []error {
	switch {
	case errdefs.IsNotFound(err):
		return []error{ErrNotFound}
	case errdefs.IsConflict(err), errdefs.IsAlreadyExists(err):
		return []error{ErrConflict}
	}
	return nil
}
