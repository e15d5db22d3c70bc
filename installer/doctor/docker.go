package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// Limits of Docker.
const (
	// oldestMajor and oldestMinor are those of the oldest engine that is
	// spoken to: 20.10, of 2020, is what labs of the release have.
	oldestMajor, oldestMinor = 20, 10
	// clockNoted is how far two clocks may be apart before it is said.
	clockNoted = 5 * time.Second
	// clockRefused is from where object stores refuse requests: S3 answers
	// RequestTimeTooSkewed from 15 minutes on.
	clockRefused = 15 * time.Minute
)

func checkDocker(_ context.Context, p *probe) verdict {
	if _, err := p.engine(); err != nil {
		if errors.Is(err, docker.ErrPermission) {
			return skip("%s", needsError{"docker-socket"}.Error())
		}
		return unreachable(err)
	}
	info, err := p.info()
	if err != nil {
		return unusable(err, "look at Docker's log: journalctl -u docker")
	}
	seen := fmt.Sprintf("Docker Engine %s (API %s) on %s, %s", info.Version, info.APIVersion, info.OSName, info.Arch)
	major, minor, ok := majorMinor(info.Version)
	switch {
	case !ok:
		return warn("see that it is at least 20.10", "%s: its version is no number", seen)
	case major < oldestMajor || major == oldestMajor && minor < oldestMinor:
		return fail("update Docker to 20.10 or newer", "%s is too old", seen)
	case info.OS != "linux":
		return fail("use an engine that runs Linux containers", "%s runs %s containers", seen, info.OS)
	}
	return pass("%s", seen)
}

// unreachable is the verdict on an engine that cannot be spoken to. Its error
// ends with what to do.
func unreachable(err error) verdict {
	text := err.Error()
	for _, kind := range []error{docker.ErrUnavailable, docker.ErrPermission} {
		if before, after, found := strings.Cut(text, kind.Error()); found && errors.Is(err, kind) {
			seen, advice := before+kind.Error(), strings.TrimLeft(after, ": ")
			if cause, rest, found := strings.Cut(after, deniedText+": "); found { // the system's words are no advice
				seen, advice = seen+cause+deniedText, rest
			}
			if advice != "" {
				return fail(advice, "%s", seen)
			}
		}
	}
	return fail("start Docker (sudo systemctl start docker), or set DOCKER_HOST to where it is", "%s", text)
}

// deniedText is how the system says that a file may not be used.
var deniedText = os.ErrPermission.Error()

// majorMinor reads the first two numbers of a version, such as
// 20.10.24+dfsg1 or v1.23.17.
func majorMinor(version string) (major, minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return 0, 0, false
	}
	digits := strings.IndexFunc(parts[1], func(r rune) bool { return r < '0' || r > '9' })
	if digits >= 0 {
		parts[1] = parts[1][:digits]
	}
	major, errMajor := strconv.Atoi(parts[0])
	minor, errMinor := strconv.Atoi(parts[1])
	return major, minor, errMajor == nil && errMinor == nil
}

func checkSocket(_ context.Context, p *probe) verdict {
	engine, err := p.engine()
	switch {
	case errors.Is(err, docker.ErrPermission):
		return unreachable(err)
	case err != nil:
		return skip("%s", needsError{"docker"}.Error())
	case engine.SocketPath() == "":
		return pass("%s may be used, and is no socket of this host", engine.Host())
	}
	info, err := os.Stat(engine.SocketPath())
	if err != nil {
		return skip("%s may be used, but is not seen here", engine.SocketPath())
	}
	seen := fmt.Sprintf("%s may be used (mode %04o)", engine.SocketPath(), info.Mode().Perm())
	const others = fs.FileMode(0o002)
	if info.Mode()&others != 0 {
		return warn("take it from them: sudo chmod o-rw "+engine.SocketPath(), "%s, by everybody on this host, who can so become root", seen)
	}
	return pass("%s", seen)
}

func checkDockerDisk(_ context.Context, p *probe) verdict {
	info, err := p.info()
	if err != nil {
		return unusable(err, "look at Docker's log: journalctl -u docker")
	}
	if engine, err := p.engine(); err != nil || remote(engine) {
		return skip("Docker runs on another machine, whose disk is not seen from here")
	}
	if _, err := os.Stat(info.RootDir); err != nil {
		return skip("Docker's folder %s is not seen from here", info.RootDir)
	}
	return diskVerdict(info.RootDir, "remove what nobody uses (docker system df, docker system prune), or move Docker's data-root to a larger disk")
}

func checkDockerClock(_ context.Context, p *probe) verdict {
	info, err := p.info()
	if err != nil {
		return unusable(err, "look at Docker's log: journalctl -u docker")
	}
	if info.Time.IsZero() {
		return skip("Docker does not say its time")
	}
	var apart time.Duration
	switch {
	case info.Time.After(info.received):
		apart = info.Time.Sub(info.received)
	case info.Time.Before(info.sent):
		apart = info.sent.Sub(info.Time)
	}
	return clockVerdict("Docker's clock", apart)
}

// clockVerdict is that on a clock that is so far from this host's.
func clockVerdict(whose string, apart time.Duration) verdict {
	const advice = "let both take the time from a server (chrony, systemd-timesyncd)"
	switch rounded := apart.Abs().Round(time.Second); {
	case apart.Abs() >= clockRefused:
		return fail(advice, "%s and this host's are %s apart: object stores refuse requests from 15m on", whose, rounded)
	case apart.Abs() > clockNoted:
		return warn(advice, "%s and this host's are %s apart: times in results will not fit together", whose, rounded)
	default:
		return pass("%s and this host's agree", whose)
	}
}

func checkStack(ctx context.Context, p *probe) verdict {
	if p.Stack == nil {
		return skip("nobody says what is wanted")
	}
	engine, err := p.engine()
	if err != nil {
		engine = nil
	}
	if err := p.Stack(ctx, engine); err != nil {
		return fail("change the site as it says: xtci up would refuse it too", "%v", err)
	}
	return pass("stack %s, wiring %s, under %s", p.Site.Stack.Name, p.Site.Wiring, p.Site.Stack.Prefix)
}
