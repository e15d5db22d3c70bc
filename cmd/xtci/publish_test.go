package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/internal/miniotest"
)

// A pushedCampaign is one whose files are in a real MinIO, and whose records
// in a test DB, as containers have pushed them.
type pushedCampaign struct {
	tag, prefix, bucket string
	minio               *miniotest.Server
	store               *artifacts.S3Store
	testDB              string // URL, with a slash at its end
}

// pushSample replays the sample campaign, and pushes what came out.
func pushSample(t *testing.T) *pushedCampaign {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: replays and judges the whole sample")
	}
	p := &pushedCampaign{tag: "PUSHED000001", prefix: t.TempDir(), bucket: "xtesting", minio: miniotest.Start(t)}
	var out bytes.Buffer
	a := &app{out: &out, err: &out}
	args := []string{"run", "--replay", "../../testcases/testdata/sample", "--tag", p.tag, "--set", "stack.prefix=" + p.prefix, "--set", "failure=continue"}
	if code := a.main(t.Context(), args); code != exitGood && code != exitNo {
		t.Fatalf("run: exit %d, %s", code, out.String())
	}
	store, err := artifacts.OpenS3Store(artifacts.S3Options{Endpoint: p.minio.Endpoint, Bucket: p.bucket, Credentials: artifacts.Credentials{AccessKey: p.minio.AccessKey, SecretKey: p.minio.SecretKey}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	p.store = store
	if err := store.CreateBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(p.prefix, "artifacts")
	err = filepath.WalkDir(filepath.Join(folder, p.tag), func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		key, err := filepath.Rel(folder, name)
		if err != nil {
			return err
		}
		return store.Put(t.Context(), filepath.ToSlash(key), file)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.testDB, _ = serveTestDB(t, "--db", filepath.Join(p.prefix, "testdb", "results.db"))
	return p
}

// environ is what the job that makes the archive is given.
func (p *pushedCampaign) environ() []string {
	return []string{
		"S3_ENDPOINT_URL=" + p.minio.Endpoint, "S3_DST_URL=s3://" + p.bucket, "HTTP_DST_URL=http://files.example:8181",
		"AWS_ACCESS_KEY_ID=" + p.minio.AccessKey, "AWS_SECRET_ACCESS_KEY=" + p.minio.SecretKey.Reveal(),
		"TEST_DB_URL=" + p.testDB + "api/v1/results", "BUILD_TAG=" + p.tag,
	}
}

// publish runs xtci publish as in the container of that job.
func (p *pushedCampaign) publish(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	a := &app{out: &out, err: &err, environ: environ}
	code = a.main(t.Context(), append([]string{"publish"}, args...))
	if text := out.String() + err.String(); strings.Contains(text, p.minio.SecretKey.Reveal()) {
		t.Errorf("the secret key is shown:\n%s", text)
	}
	return code, out.String(), err.String()
}

func TestPublishFromTheStack(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	lab := t.TempDir()
	code, stdout, stderr := p.publish(t, p.environ(), p.tag, "--set", "stack.prefix="+lab, "--wait", "1s")
	if code != exitGood {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	want := regexp.MustCompile(`^verdict: not conformant\n(  [a-z0-9_]+: .+\n){8}signed with key SHA256:\S+\nAll data were successfully published:\n\nhttp://files\.example:8181/` + p.tag + `\.zip\n$`)
	if !want.MatchString(stdout) {
		t.Errorf("stdout %q", stdout)
	}

	// the archive is where the link leads, and as good as one made of the folder
	object, err := p.store.Open(t.Context(), p.tag+".zip")
	if err != nil {
		t.Fatal(err)
	}
	defer object.Close()
	zip := filepath.Join(t.TempDir(), p.tag+".zip")
	content := new(bytes.Buffer)
	if _, err := content.ReadFrom(object); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(zip, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, text := runOnce(t, "publish", p.tag, "--set", "stack.prefix="+p.prefix); code != exitGood {
		t.Fatalf("publish of the folder: exit %d, %s", code, text)
	}
	fromBucket, fromFolder := verdicts(t, zip, filepath.Join(lab, "keys", "signing.pub")), verdicts(t, filepath.Join(p.prefix, "artifacts", p.tag+".zip"), filepath.Join(p.prefix, "keys", "signing.pub"))
	if fromBucket != fromFolder {
		t.Errorf("of the bucket:\n%s\nof the folder:\n%s", fromBucket, fromFolder)
	}
}

// verdicts are the cases of an archive with their verdicts, as a review that
// finds it untouched derives them.
func verdicts(t *testing.T, zip, key string) string {
	t.Helper()
	code, text := runOnce(t, "review", zip, "--key", key, "-o", "json")
	var review struct {
		Integrity struct {
			Untouched bool `json:"untouched"`
			KnownKey  bool `json:"known_key"`
			Problems  []any
		}
		Report json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &review); err != nil || code != exitNo {
		t.Fatalf("review: exit %d, %v, %.500s", code, err, text)
	}
	if !review.Integrity.Untouched || !review.Integrity.KnownKey || len(review.Integrity.Problems) > 0 {
		t.Errorf("%s: %+v", zip, review.Integrity)
	}
	var out strings.Builder
	for _, m := range regexp.MustCompile(`"name": "(\w+)",\s+"verdict": "([\w ]+)"`).FindAllStringSubmatch(text, -1) {
		fmt.Fprintln(&out, m[1], m[2])
	}
	return out.String()
}

func TestPublishFromTheStackAsJSON(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	code, stdout, stderr := p.publish(t, p.environ(), p.tag, "--set", "stack.prefix="+t.TempDir(), "--wait", "0s", "-o", "json")
	var told struct {
		BuildTag string `json:"build_tag"`
		Archive  string `json:"archive"`
		Missing  []string
	}
	if err := json.Unmarshal([]byte(stdout), &told); err != nil || code != exitGood || told.BuildTag != p.tag || told.Archive != "http://files.example:8181/"+p.tag+".zip" || told.Missing == nil {
		t.Errorf("exit %d, %v, %s%s", code, err, stdout, stderr)
	}
}

// A campaign that pushed to the stack is found there by the site alone.
func TestPublishFindsTheStackOfTheSite(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	code, stdout, stderr := p.publish(t, nil, p.tag, "--wait", "0s", "--set", "stack.prefix="+t.TempDir(),
		"--set", "stack.minio.external.endpoint="+p.minio.Endpoint, "--set", "stack.minio.jobs_access_key="+p.minio.AccessKey,
		"--set", "stack.minio.jobs_secret_key="+p.minio.SecretKey.Reveal(), "--set", "stack.testdb.external.url="+p.testDB+"api/v1")
	if code != exitGood || !strings.Contains(stdout, "All data were successfully published:\n\nhttp://127.0.0.1:8181/"+p.tag+".zip\n") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

func TestPublishFromTheStackThatCannot(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	change := func(name, value string) []string {
		var changed []string
		for _, setting := range p.environ() {
			if key, _, _ := strings.Cut(setting, "="); key != name {
				changed = append(changed, setting)
			}
		}
		return append(changed, name+"="+value)
	}
	for _, test := range []struct {
		name    string
		environ []string
		tag     string
		code    int
		want    string
	}{
		{"no such campaign", p.environ(), "NOSUCH000001", exitUsage, "no campaign with build tag NOSUCH000001"},
		{"no tag", p.environ(), "../etc", exitUsage, "build tag"},
		{"a bucket that is none", change("S3_DST_URL", "xtesting"), p.tag, exitUsage, "S3_DST_URL"},
		{"no such bucket", change("S3_DST_URL", "s3://no-such-bucket"), p.tag, exitOutside, "no such bucket"},
		{"an endpoint that is none", change("S3_ENDPOINT_URL", "minio"), p.tag, exitUsage, "http://HOST:PORT"},
		{"a wrong key", change("AWS_SECRET_ACCESS_KEY", "sesame-sesame"), p.tag, exitOutside, "permission denied"},
		{"no test DB", change("TEST_DB_URL", ""), p.tag, exitUsage, "TEST_DB_URL"},
		{"a test DB that is none", change("TEST_DB_URL", "http://127.0.0.1:1/"), p.tag, exitUsage, "api/v1/results"},
		{"a test DB that is down", change("TEST_DB_URL", "http://127.0.0.1:1/api/v1/results"), p.tag, exitOutside, "connection refused"},
	} {
		code, stdout, stderr := p.publish(t, test.environ, test.tag, "--set", "stack.prefix="+t.TempDir(), "--wait", "100ms")
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "sesame") {
			t.Errorf("%s: exit %d, %s%s", test.name, code, stdout, stderr)
		}
	}
}

// What does not come in time is named, and the archive is made without it.
func TestPublishNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	p := pushSample(t)
	if err := p.store.Put(t.Context(), p.tag+"/functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_node-99/functest-kubernetes.log", strings.NewReader("killed")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	code, stdout, stderr := p.publish(t, p.environ(), p.tag, "--set", "stack.prefix="+t.TempDir(), "--wait", "2s")
	if code != exitGood || !strings.Contains(stdout, "All data were successfully published:") || time.Since(began) < 2*time.Second {
		t.Errorf("exit %d, %s", code, stdout)
	}
	for _, want := range []string{"waiting up to 2s for the record of functest", "missing: the record of functest-kubernetes-opnfv-functest-kubernetes-smoke-v1.23-sig_node-99\n"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr %q, want %q", stderr, want)
		}
	}
}
