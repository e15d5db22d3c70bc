package fetch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSource is the longest source that is read, in bytes.
const maxSource = 4096

type kind string

const (
	kindHTTP kind = "http"
	kindGit  kind = "git"
	kindS3   kind = "s3"
)

// A Source says where a file is: https://HOST/PATH,
// git::https://HOST/REPOSITORY//PATH?ref=BRANCH or
// s3::https://HOST/BUCKET/KEY, each with ?checksum=sha256:HEX if it must have
// that digest.
type Source struct {
	kind     kind
	address  url.URL // with credentials; of git it is the repository alone
	path     string  // of git: which file of the repository
	ref      string  // of git; "" is what the repository has for HEAD
	checksum string  // sha256, in hexadecimal; "" if any will do
	region   string  // of s3
	version  string  // of s3
}

var elsewhere = regexp.MustCompile(`^[A-Za-z0-9]+::|^[A-Za-z][A-Za-z0-9+.-]*://`)

// Elsewhere says whether a name is a source, and not a path of this host.
func Elsewhere(name string) bool {
	_, local := Local(name)
	return !local && elsewhere.MatchString(name)
}

// Local is the path that file::PATH or file:///PATH mean.
func Local(name string) (file string, ok bool) {
	name, forced := strings.CutPrefix(name, "file::")
	if rest, ok := strings.CutPrefix(name, "file://"); ok && strings.HasPrefix(rest, "/") {
		return rest, true
	}
	return name, forced && !elsewhere.MatchString(name)
}

// forms is what a source looks like, for errors.
const forms = "want a path, https://HOST/PATH, git::https://HOST/REPOSITORY//PATH?ref=BRANCH or s3::https://HOST/BUCKET/KEY"

// Parse reads a source. Errors do not repeat what may be a password.
func Parse(text string) (Source, error) {
	switch {
	case len(text) > maxSource:
		return Source{}, fmt.Errorf("a source of %d bytes: more than %d are not read", len(text), maxSource)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == '\\' }):
		return Source{}, fmt.Errorf("the source has a blank, a backslash or a character that is not printed: %s", forms)
	}
	forced, rest, found := strings.Cut(text, "::")
	if !found || !elsewhere.MatchString(forced+"::") {
		forced, rest = "", text
	}
	address, err := url.Parse(rest)
	if err != nil {
		return Source{}, fmt.Errorf("the source is no address that can be read (git@HOST:PATH is ssh://git@HOST/PATH): %s", forms)
	}
	s := Source{address: *address}
	s.address.ForceQuery = false
	if s.address.Fragment != "" || strings.HasSuffix(rest, "#") {
		return Source{}, fmt.Errorf("%s: what follows # means nothing in it", s)
	}
	if s.checksum, err = takeChecksum(&s.address); err != nil {
		return Source{}, fmt.Errorf("%s: %w", s, err)
	}
	switch strings.ToLower(forced) {
	case "":
		s.kind, err = kindHTTP, s.parseHTTP()
	case "git":
		s.kind, err = kindGit, s.parseGit()
	case "s3":
		s.kind, err = kindS3, s.parseS3()
	default:
		return Source{}, fmt.Errorf("nothing is got by %s:: : %s", forced, forms)
	}
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", s, err)
	}
	return s, nil
}

// takeChecksum takes ?checksum= off an address.
func takeChecksum(u *url.URL) (string, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", fmt.Errorf("what follows ? cannot be read: want NAME=VALUE, parted by &")
	}
	given, ok := query["checksum"]
	if !ok {
		return "", nil
	}
	query.Del("checksum")
	u.RawQuery = query.Encode()
	sum := strings.ToLower(strings.TrimPrefix(given[0], "sha256:"))
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size || len(given) > 1 {
		return "", fmt.Errorf("checksum=%.80s: want one checksum=sha256:HEX, 64 digits (sha256sum FILE)", given[0])
	}
	return sum, nil
}

func (s *Source) parseHTTP() error {
	u := &s.address
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("nothing is got by %s: %s", u.Scheme, forms)
	case u.Hostname() == "" || u.Opaque != "":
		return fmt.Errorf("it names no host: %s", forms)
	case strings.Contains(u.Path, "//"):
		return fmt.Errorf("// is for files of git repositories: write git::%s for one, and / otherwise", s)
	case u.Path == "" || strings.HasSuffix(u.Path, "/"):
		return fmt.Errorf("it names no file")
	}
	query := u.Query()
	if archive := query.Get("archive"); archive != "" && archive != "false" {
		return fmt.Errorf("archive=%.20s: nothing is unpacked", archive)
	}
	if query.Has("archive") {
		query.Del("archive")
		u.RawQuery = query.Encode()
	}
	return nil
}

func (s *Source) parseGit() error {
	u := &s.address
	switch {
	case u.Scheme == "" || u.Opaque != "":
		return fmt.Errorf("want the repository as git::https://HOST/REPOSITORY or git::ssh://git@HOST/REPOSITORY")
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh":
		return fmt.Errorf("nothing is got out of git by %s: want https, http or ssh", u.Scheme)
	case u.Hostname() == "":
		return fmt.Errorf("it names no host")
	case strings.HasPrefix(u.Hostname(), "-") || strings.HasPrefix(u.User.Username(), "-"):
		return fmt.Errorf("a host or user that begins with a dash is none")
	}
	if _, has := u.User.Password(); has && u.Scheme == "ssh" {
		return fmt.Errorf("a password is of no use for ssh: it needs a key (ssh-add)")
	}
	repository, file, ok := strings.Cut(strings.TrimPrefix(u.Path, "/"), "//")
	if !ok || repository == "" || file == "" {
		return fmt.Errorf("it does not say which file: want git::%s://HOST/REPOSITORY//PATH", u.Scheme)
	}
	if !fs.ValidPath(file) || file == "." || inGitFolder(file) {
		return fmt.Errorf("//%s: want the path of a file in the repository, and neither . nor .. in it", file)
	}
	u.Path, u.RawPath, s.path = "/"+repository, "", file
	query := u.Query()
	for name := range query {
		if name != "ref" || len(query[name]) > 1 {
			return fmt.Errorf("%s= means nothing here: want one ref= or checksum=", name)
		}
	}
	if s.ref = query.Get("ref"); s.ref != "" && !validRef(s.ref) {
		return fmt.Errorf("ref=%s: want a branch, a tag or a whole commit", s.ref)
	}
	u.RawQuery = ""
	return nil
}

// inGitFolder says whether a path is in a folder that git itself uses.
func inGitFolder(file string) bool {
	return slices.ContainsFunc(strings.Split(file, "/"), func(part string) bool { return strings.EqualFold(part, ".git") })
}

var (
	refWord = regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{N}_./+@#=,-]*$`)
	commit  = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
)

// validRef takes a little less than git does: nothing that could be an option,
// or two refs at once.
func validRef(ref string) bool {
	return refWord.MatchString(ref) && !strings.Contains(ref, "..") && !strings.Contains(ref, "//") &&
		!strings.HasSuffix(ref, ".lock") && !strings.HasSuffix(ref, "/") && !strings.HasSuffix(ref, ".")
}

func (s *Source) parseS3() error {
	u := &s.address
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Opaque != "":
		return fmt.Errorf("want s3::https://HOST/BUCKET/KEY, as s3::https://s3.eu-west-1.amazonaws.com/BUCKET/KEY")
	case u.Hostname() == "":
		return fmt.Errorf("it names no host")
	case u.User != nil:
		return fmt.Errorf("its keys are taken from the environment alone: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	if bucket, key := s.object(); bucket == "" || !fs.ValidPath(key) || key == "." {
		return fmt.Errorf("it names no bucket or no object: want s3::%s://%s/BUCKET/KEY", u.Scheme, u.Host)
	}
	query := u.Query()
	for name := range query {
		if name != "region" && name != "versionId" || len(query[name]) > 1 {
			return fmt.Errorf("%s= means nothing here: want one region=, versionId= or checksum=", name)
		}
	}
	s.region, s.version = query.Get("region"), query.Get("versionId")
	return nil
}

// object is the bucket and the key in it.
func (s Source) object() (bucket, key string) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(s.address.Path, "/"), "/")
	return bucket, key
}

// String is the source without its credentials: of what follows ? the names
// alone, where they are not known to be harmless.
func (s Source) String() string {
	return s.prefix() + s.plain(func(name, value string) (string, bool) {
		if slices.Contains([]string{"ref", "region", "versionId"}, name) {
			return url.QueryEscape(value), true
		}
		return "...", true
	})
}

func (s Source) prefix() string {
	if s.kind == kindGit || s.kind == kindS3 {
		return string(s.kind) + "::"
	}
	return ""
}

// plain is the address without user, password and checksum. take says what
// becomes of each value after ?.
func (s Source) plain(take func(name, value string) (string, bool)) string {
	u := s.address
	if u.Scheme == "ssh" && u.User != nil { // no secret, and nothing without it
		u.User = url.User(u.User.Username())
	} else {
		u.User = nil
	}
	u.Fragment, u.RawFragment = "", ""
	var query []string
	values := u.Query()
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range values[name] {
			if value, ok := take(name, value); ok {
				query = append(query, url.QueryEscape(name)+"="+value)
			}
		}
	}
	u.RawQuery = ""
	text := u.String()
	if s.path != "" {
		text += "//" + (&url.URL{Path: s.path}).EscapedPath()
	}
	if s.ref != "" {
		query = append(query, "ref="+url.QueryEscape(s.ref))
	}
	if len(query) > 0 {
		text += "?" + strings.Join(query, "&")
	}
	return text
}

var secretName = regexp.MustCompile(`(?i)token|key|sig|secret|pass|cred|auth|session|^x-amz-|^x-goog-|expires`)

// key is what a copy of the source is kept under. It is the same whoever asks.
func (s Source) key() string {
	sum := sha256.Sum256([]byte(s.prefix() + s.plain(func(name, value string) (string, bool) {
		return url.QueryEscape(value), !secretName.MatchString(name)
	})))
	return hex.EncodeToString(sum[:16])
}

// base is a name for the file, such as its own.
func (s Source) base() string {
	name := path.Base(s.address.Path)
	if s.kind == kindGit {
		name = path.Base(s.path)
	}
	if plainName.MatchString(name) {
		return name
	}
	return "file"
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}$`)

// Host is the host that it is got from.
func (s Source) Host() string { return s.address.Hostname() }

// Plain says whether it comes over a connection that anybody on the way could
// change, and nothing says what it must be.
func (s Source) Plain() bool {
	return s.address.Scheme == "http" && s.checksum == "" && !commit.MatchString(s.ref)
}

// redact takes what may be a credential out of a text.
func (s Source) redact(text string) string {
	const least = 4 // shorter ones would spoil every word
	hide := func(secret string) {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if len(form) >= least {
				text = strings.ReplaceAll(text, form, "***")
			}
		}
	}
	if password, ok := s.address.User.Password(); ok {
		hide(password)
	}
	if s.address.Scheme != "ssh" {
		hide(s.address.User.Username())
	}
	for name, values := range s.address.Query() {
		if secretName.MatchString(name) {
			for _, value := range values {
				hide(value)
			}
		}
	}
	return text
}
