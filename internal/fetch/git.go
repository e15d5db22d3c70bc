package fetch

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	getter "github.com/hashicorp/go-getter/v2"
)

// maxRepository is how much of a repository is fetched: the files of one
// commit, compressed.
const maxRepository = 256 << 20

// A gitGetter gets one commit and writes the files that are wanted of it.
// go-getter's own fetches submodules in any case, checks out, with links and
// filters, and takes a ref for an option.
type gitGetter struct {
	source  Source
	want    Want
	environ []string
	got     *got
}

// Mode is that of folders: companions come along.
func (g *gitGetter) Mode(context.Context, *url.URL) (getter.Mode, error) { return getter.ModeDir, nil }

// Detect takes what was parsed: there is no other getter to choose.
func (g *gitGetter) Detect(*getter.Request) (bool, error) { return true, nil }

// GetFile is not asked for.
func (g *gitGetter) GetFile(context.Context, *getter.Request) error {
	return errors.New("a repository has folders")
}

// Get fetches the commit and writes its files.
func (g *gitGetter) Get(ctx context.Context, request *getter.Request) error {
	program, err := exec.LookPath("git")
	if err != nil {
		return fmt.Errorf("git is not installed: install it, or give the file's own address (https://): %w", err)
	}
	repository, err := os.MkdirTemp(filepath.Dir(request.Dst), "repository-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(repository)
	git := gitCommand{program: program, dir: repository, environ: g.environment(repository)}
	if _, err := git.run(ctx, "init", "--quiet", "--bare", "--template=", "."); err != nil {
		return err
	}
	if err := g.fetch(ctx, git); err != nil {
		return err
	}
	if g.got.commit, err = git.commit(ctx); err != nil {
		return err
	}
	return g.write(ctx, git, request.Dst)
}

// repository is the address that git is given: credentials are no part of it,
// since all users of a host see command lines.
func (s Source) repository() string {
	u := s.address
	if u.Scheme != "ssh" {
		u.User = nil
	}
	return u.String()
}

// fetch fetches the one commit.
func (g *gitGetter) fetch(ctx context.Context, git gitCommand) error {
	ref := g.source.ref
	if ref == "" {
		ref = "HEAD"
	}
	watched, stop := withinSize(ctx, git.dir, maxRepository)
	defer stop()
	_, err := git.run(watched, "fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-auto-gc", "--", g.source.repository(), ref)
	if cause := context.Cause(watched); ctx.Err() == nil && cause != nil {
		return cause
	}
	return explainGit(err, ref)
}

// explainGit says what to do about what git says.
func explainGit(err error, ref string) error {
	says := func(text string) bool { return err != nil && strings.Contains(err.Error(), text) }
	switch {
	case says("couldn't find remote ref"), says("not our ref"):
		return fmt.Errorf("there is no branch, tag or whole commit %s in it: %w", ref, err)
	case says("could not read Username"), says("Authentication failed"):
		return fmt.Errorf("it wants a user and password, or others (git::https://USER:PASSWORD@HOST/..., or a credential helper of git's): %w", err)
	case says("transport '"):
		return fmt.Errorf("git's own configuration leads elsewhere (git config --get-regexp insteadOf): %w", err)
	}
	return err
}

// withinSize is a context that ends when a folder has grown too large.
func withinSize(ctx context.Context, dir string, most int64) (context.Context, func()) {
	watched, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-tick.C:
				if folderSize(dir) > most {
					cancel(unfitf("the repository is larger than %s", size(most)))
					return
				}
			}
		}
	}()
	return watched, func() { cancel(nil); <-done }
}

// folderSize is about right: files come and go meanwhile.
func folderSize(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil
	})
	return total
}

// environment is what git runs in: nobody is asked, no hook runs, no other
// repository is looked at, and no protocol is spoken but that of the source.
func (g *gitGetter) environment(home string) []string {
	environ := slices.DeleteFunc(slices.Clone(g.environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "GIT_") && !slices.Contains(gitTakes, name) || name == "SSH_ASKPASS" || name == "LC_ALL" || name == "LANGUAGE"
	})
	allowed := map[string]string{"ssh": "ssh", "https": "https:ssh", "http": "http:https:ssh"}[g.source.address.Scheme] // redirects, url.insteadOf
	environ = append(environ, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "GCM_INTERACTIVE=never",
		"GIT_ALLOW_PROTOCOL="+allowed, "GIT_DIR="+home, "GIT_CEILING_DIRECTORIES="+filepath.Dir(home), "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_LFS_SKIP_SMUDGE=1")
	if lookup(environ, "GIT_SSH_COMMAND") == "" && lookup(environ, "GIT_SSH") == "" {
		environ = append(environ, "GIT_SSH_COMMAND=ssh -o BatchMode=yes")
	}
	config := [][2]string{
		{"core.hooksPath", os.DevNull},
		{"core.fsmonitor", "false"},
		{"fetch.recurseSubmodules", "false"},
		{"http.lowSpeedLimit", "1"},
		{"http.lowSpeedTime", "60"},
		{"maintenance.auto", "false"},
	}
	if user := g.source.address.User; user != nil && g.source.address.Scheme != "ssh" {
		password, _ := user.Password()
		secret := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		at := url.URL{Scheme: g.source.address.Scheme, Host: g.source.address.Host, Path: "/"}
		config = append(config, [2]string{"http." + at.String() + ".extraHeader", "Authorization: Basic " + secret})
	}
	environ = append(environ, "GIT_CONFIG_COUNT="+strconv.Itoa(len(config)))
	for i, pair := range config {
		environ = append(environ, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, pair[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, pair[1]))
	}
	return environ
}

// gitTakes are the variables of git's that say how to reach a host.
var gitTakes = []string{
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSL_CERT", "GIT_SSL_KEY", "GIT_SSL_NO_VERIFY",
	"GIT_HTTP_PROXY_AUTHMETHOD", "GIT_EXEC_PATH",
}

// A gitCommand runs git in one repository.
type gitCommand struct {
	program, dir string
	environ      []string
}

// command is not run yet.
func (g gitCommand) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.program, args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = g.dir, g.environ, 5*time.Second
	inGroup(cmd)
	return cmd
}

// run runs git and returns what it printed, of which there is not much.
func (g gitCommand) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := g.command(ctx, args...)
	var out, said tail
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("git %s: %w%s", args[0], err, said.text())
	}
	return out.Bytes(), nil
}

// commit is that which was fetched.
func (g gitCommand) commit(ctx context.Context) (string, error) {
	out, err := g.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", "FETCH_HEAD^{commit}")
	if err != nil {
		return "", fmt.Errorf("what the ref names is no commit: %w", err)
	}
	id := string(bytes.TrimSpace(out))
	if !commit.MatchString(id) {
		return "", fmt.Errorf("git rev-parse: %.80q is no commit", id)
	}
	return id, nil
}

// A tail keeps the first of what a program says.
type tail struct{ bytes.Buffer }

// Write takes everything, and keeps 16 KiB of it.
func (t *tail) Write(p []byte) (int, error) {
	const most = 16 << 10
	if room := most - t.Len(); room > 0 {
		t.Buffer.Write(p[:min(len(p), room)])
	}
	return len(p), nil
}

func (t *tail) text() string {
	if text := strings.TrimSpace(t.String()); text != "" {
		return ": " + strings.Join(strings.Fields(text), " ")
	}
	return ""
}
