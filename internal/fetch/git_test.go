package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A repository is a real one, served by git's own program.
type repository struct {
	t      testing.TB
	dir    string
	server *httptest.Server
	asked  chan struct{} // gets one when the first request is there
}

// newRepository has one commit on main. Of a file with "-> X" a link is made.
func newRepository(t testing.TB, files map[string]string) *repository {
	t.Helper()
	r := &repository{t: t, dir: filepath.Join(t.TempDir(), "labs.git"), asked: make(chan struct{}, 100)}
	r.git("init", "--quiet", "--initial-branch=main", r.dir)
	r.git("config", "uploadpack.allowAnySHA1InWant", "true")
	r.commit(files)
	backend := &cgi.Handler{
		Path: filepath.Join(r.git("--exec-path"), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(r.dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=somebody"},
	}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.asked <- struct{}{}
		if strings.HasPrefix(request.URL.Path, "/slow/") {
			<-request.Context().Done()
			return
		}
		if user, password, _ := request.BasicAuth(); strings.HasPrefix(request.URL.Path, "/private/") && user+password != "mehunter2" {
			w.Header().Set("WWW-Authenticate", `Basic realm="labs"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		request.URL.Path = strings.TrimPrefix(request.URL.Path, "/private")
		backend.ServeHTTP(w, request)
	}))
	t.Cleanup(r.server.Close)
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		const missing = "NOT TESTED with a real repository: no program git on PATH"
		if slices.Contains(strings.Split(os.Getenv("XTCI_TEST_DEMAND"), ","), "git") {
			r.t.Fatal(missing)
		}
		r.t.Skip(missing)
	}
	cmd := exec.Command("git", args...)
	if _, err := os.Stat(r.dir); err == nil {
		cmd.Dir = r.dir
	}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(r.dir), "GIT_CONFIG_NOSYSTEM=1"}
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		cmd.Env = append(cmd.Env, "GIT_"+who+"_NAME=lab", "GIT_"+who+"_EMAIL=lab@lab.example")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %q: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repository) commit(files map[string]string) string {
	r.t.Helper()
	for name, text := range files {
		name = filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			r.t.Fatal(err)
		}
		target, link := strings.CutPrefix(text, "-> ")
		err := os.WriteFile(name, []byte(text), 0o600)
		if link {
			err = errors.Join(os.Remove(name), os.Symlink(target, name))
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	r.git("add", "--all")
	r.git("commit", "--quiet", "--message=Labs")
	return r.git("rev-parse", "HEAD")
}

func (r *repository) at(path string) string { return "git::" + r.server.URL + "/labs.git//" + path }

// yaml wants the files that a playbook could read.
func yaml(name string) bool {
	return slices.Contains([]string{"", ".yml", ".yaml"}, filepath.Ext(name))
}

// names are the files of a copy, by their paths in it.
func names(t testing.TB, c Copy) []string {
	t.Helper()
	var all []string
	for _, name := range files(t, c.Dir) {
		name, err := filepath.Rel(c.Dir, name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	return all
}

func TestARepositoryIsGotWithCompanions(t *testing.T) {
	t.Parallel()
	r := newRepository(t, map[string]string{
		"ci/site.yml": siteText, "ci/host_vars/127.0.0.1": "a: 1", "ci/group_vars/all.yml": "b: 2", "vars/lab.yaml": "", "ci/picture.png": "no", "large.yml": strings.Repeat("x", 1<<20+1),
		"ci/other.yml": "-> /etc/passwd", "picture.svg": "-> ci", ".gitattributes": "*.yml filter=evil ident export-ignore\n",
	})
	first := r.git("rev-parse", "HEAD")
	cache := testCache(t, "GIT_DIR=/nonexistent", "GIT_TRACE=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=filter.evil.smudge", "GIT_CONFIG_VALUE_0=false")
	got, err := cache.Get(t.Context(), source(t, r.at("ci/site.yml")), Want{Companion: yaml})
	if err != nil {
		t.Fatal(err)
	}
	if read(t, got) != siteText || got.Commit != first || got.Digest != "sha256:"+digest(siteText) || got.Source != r.at("ci/site.yml") || got.File != filepath.Join("ci", "site.yml") {
		t.Errorf("got %+v", got)
	}
	if want := []string{"ci/group_vars/all.yml", "ci/site.yml", "vars/lab.yaml"}; !slices.Equal(names(t, got), want) {
		t.Errorf("got %q, want %q", names(t, got), want)
	}
	if !slices.Equal(got.Links, []string{"ci/other.yml"}) {
		t.Errorf("links are %q", got.Links)
	}
	second := r.commit(map[string]string{"ci/site.yml": "project: new"})
	r.git("tag", "--annotate", "--message=first", "v1.0", first)
	r.git("branch", "feature/a+b", first)
	for ref, want := range map[string]string{"main": second, "": second, "v1.0": first, "feature/a%2Bb": first, first: first, "refs/heads/main": second} {
		where := r.at("ci/site.yml")
		if ref != "" {
			where += "?ref=" + ref
		}
		got, err := cache.Get(t.Context(), source(t, where), Want{})
		if err != nil || got.Commit != want || len(names(t, got)) != 1 {
			t.Errorf("%s: %+v, %v, want %s", ref, got, err, want)
		}
	}
	r.server.Close()
	if kept, err := cache.Kept(source(t, r.at("ci/site.yml?ref=v1.0"))); err != nil || kept.Commit != first {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

func TestHostileRepositories(t *testing.T) {
	t.Parallel()
	r := newRepository(t, map[string]string{
		"link.yml": "-> /etc/passwd", "folder": "-> ci", "ci/site.yml": siteText, "large.yml": strings.Repeat("x", 1<<20+1), "page.yml": "<html><body>",
		"empty.yml": "", "odd name\n.yml": siteText,
	})
	r.git("update-index", "--add", "--cacheinfo", "160000,"+r.git("rev-parse", "HEAD")+",module")
	r.git("commit", "--quiet", "--message=Module")
	for name, test := range map[string]struct {
		where, want string
		unfit       bool
	}{
		"a link":                  {"link.yml", "link.yml is a link", true},
		"through a link":          {"folder/site.yml", "folder is a link", true},
		"a submodule":             {"module", "module is no file", true},
		"in a submodule":          {"module/site.yml", "no file module/site.yml", false},
		"a folder":                {"ci", "no file ci in it", false},
		"too large":               {"large.yml", "larger than 1 MiB", true},
		"a web page":              {"page.yml", "web page", true},
		"wrong checksum":          {"ci/site.yml?checksum=" + sum, "its digest is", true},
		"not there":               {"ci/other.yml", "no file ci/other.yml", false},
		"no such branch":          {"ci/site.yml?ref=nowhere", "no branch, tag or whole commit nowhere", false},
		"no such commit":          {"ci/site.yml?ref=" + strings.Repeat("a", 40), "no branch, tag or whole commit aaaa", false},
		"a commit, and not whole": {"ci/site.yml?ref=" + r.git("rev-parse", "HEAD")[:10], "whole commit", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cache := testCache(t)
			_, err := cache.Get(t.Context(), source(t, r.at(test.where)), Want{Companion: yaml})
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrUnfit) != test.unfit {
				t.Errorf("%v, want %q in it, unfit %v", err, test.want, test.unfit)
			}
			if left := files(t, cache.Dir); len(left) > 0 {
				t.Errorf("left are %q", left)
			}
		})
	}
	got, err := testCache(t).Get(t.Context(), source(t, r.at("empty.yml")), Want{})
	if err != nil || read(t, got) != "" {
		t.Errorf("an empty file: %+v, %v", got, err)
	}
}

func TestPrivateRepositories(t *testing.T) {
	t.Parallel()
	r := newRepository(t, map[string]string{"site.yml": siteText})
	private := strings.Replace(r.at("site.yml"), "/labs.git", "/private/labs.git", 1)
	with := strings.Replace(private, "://", "://me:hunter2@", 1)
	cache := testCache(t)
	got, err := cache.Get(t.Context(), source(t, with), Want{})
	if err != nil || got.Source != private {
		t.Errorf("%+v, %v", got, err)
	}
	if kept, err := cache.Kept(source(t, private)); err != nil || read(t, kept) != siteText {
		t.Errorf("%+v, %v", kept, err)
	}
	for _, name := range append(files(t, cache.Dir), filepath.Join(filepath.Dir(got.Dir), entryName)) {
		if text, err := os.ReadFile(name); err != nil || strings.Contains(string(text)+name, "hunter2") {
			t.Errorf("%s has the password, or cannot be read: %v", name, err)
		}
	}
	// Without it nobody is asked, and what was given is not repeated.
	for _, where := range []string{private, strings.Replace(with, "hunter2", "wrong-hunter2", 1)} {
		if _, err := cache.Get(t.Context(), source(t, where), Want{}); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "it wants a user and password") {
			t.Errorf("%v", err)
		}
	}
}

func TestNothingOfTheHostsGitIsRun(t *testing.T) {
	t.Parallel()
	r := newRepository(t, map[string]string{"site.yml": siteText})
	home := t.TempDir()
	mark := filepath.Join(home, "it-ran")
	hook := filepath.Join(home, "hooks", "reference-transaction")
	if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\ntouch " + mark + "\n"
	if err := os.WriteFile(hook, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	config := "[core]\n\thooksPath = " + filepath.Dir(hook) + "\n[init]\n\ttemplateDir = " + home + "\n[url \"ext::sh -c touch% " + mark + "\"]\n\tinsteadOf = https://evil.invalid/\n[protocol]\n\tallow = always\n"
	if err := os.WriteFile(filepath.Join(home, ".gitconfig"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cache := testCache(t, "HOME="+home, "GIT_ASKPASS="+hook, "SSH_ASKPASS="+hook, "GIT_ALLOW_PROTOCOL=ext")
	if _, err := cache.Get(t.Context(), source(t, r.at("site.yml")), Want{}); err != nil {
		t.Error(err)
	}
	for _, where := range []string{"git::https://evil.invalid/labs//site.yml", strings.Replace(r.at("site.yml"), "/labs.git", "/private/labs.git", 1)} {
		if _, err := cache.Get(t.Context(), source(t, where), Want{}); err == nil {
			t.Errorf("%s was got", where)
		} else if strings.Contains(where, "evil") && !strings.Contains(err.Error(), "git's own configuration leads elsewhere") {
			t.Error(err)
		}
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a hook, an askpass or another protocol ran")
	}
}

func TestWithoutGit(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := testCache(t).Get(t.Context(), source(t, "git::https://lab.invalid/labs//site.yml"), Want{})
	if err == nil || !strings.Contains(err.Error(), "git is not installed: install it") {
		t.Errorf("%v", err)
	}
}

func TestASlowRepositoryIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRepository(t, map[string]string{"site.yml": siteText})
	slow := strings.Replace(r.at("site.yml"), "/labs.git", "/slow/labs.git", 1)
	cache := testCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := cache.Get(ctx, source(t, slow), Want{})
		ended <- err
	}()
	<-r.asked
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	_, err := cache.Get(t.Context(), source(t, slow), Want{Timeout: 300 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no complete answer within 300ms") {
		t.Errorf("%v", err)
	}
	if left := files(t, cache.Dir); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

func TestALargeRepositoryIsNotFetched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pack"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	watched, stop := withinSize(t.Context(), dir, 1<<20)
	defer stop()
	<-watched.Done()
	if err := context.Cause(watched); !errors.Is(err, ErrUnfit) || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("%v", err)
	}
}
