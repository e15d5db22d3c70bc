package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

// A stackSource is where test containers push: the object store for files,
// the test DB for records.
type stackSource struct {
	store   *artifacts.S3Store
	records *testdb.Client
	files   string // URL at which what is in the store is downloaded
	what    string // for messages
}

// Variables that Xtesting's containers are given (spec/testapi-xtesting.md,
// b.2), and the job that makes the archive, too.
const (
	envS3     = "S3_ENDPOINT_URL"
	envBucket = "S3_DST_URL"
	envFiles  = "HTTP_DST_URL"
	envTestDB = "TEST_DB_URL"
	envKey    = "AWS_ACCESS_KEY_ID"
	envSecret = "AWS_SECRET_ACCESS_KEY" //nolint:gosec // the name of a variable
)

// getenv is the value of an environment variable, or empty.
func (a *app) getenv(name string) string {
	for _, setting := range slices.Backward(a.environ) {
		if key, value, _ := strings.Cut(setting, "="); key == name {
			return value
		}
	}
	return ""
}

// sourceOfEnvironment is what the environment names, as that of a container
// in a campaign does.
func (a *app) sourceOfEnvironment() (*stackSource, error) {
	bucket, err := url.Parse(a.getenv(envBucket))
	if err != nil || bucket.Scheme != "s3" || bucket.Host == "" {
		return nil, usage(fmt.Errorf("%s: want s3://BUCKET or s3://BUCKET/FOLDER, beside %s", envBucket, envS3))
	}
	if a.getenv(envTestDB) == "" {
		return nil, usage(fmt.Errorf("%s: want http://HOST:PORT/api/v1/results, beside %s", envTestDB, envS3))
	}
	return openSource(artifacts.S3Options{
		Endpoint: a.getenv(envS3), Bucket: bucket.Host, Prefix: bucket.Path,
		Credentials: artifacts.Credentials{AccessKey: a.getenv(envKey), SecretKey: config.Secret(a.getenv(envSecret))},
	}, a.getenv(envTestDB), a.getenv(envFiles), "the environment")
}

// sourceOfSite is the site's stack, or nil when the site has none.
func sourceOfSite(site config.Site) (*stackSource, error) {
	outside, err := site.Outside()
	if err != nil {
		return nil, err
	}
	if outside.S3 == "" || outside.TestDB == "" {
		return nil, nil //nolint:nilnil // that there is none is an answer
	}
	public, err := site.Public()
	if err != nil {
		return nil, err
	}
	minio := site.Stack.Minio
	return openSource(artifacts.S3Options{
		Endpoint: outside.S3, Bucket: minio.Bucket, Prefix: minio.Folder,
		Credentials: artifacts.Credentials{AccessKey: minio.JobsAccessKey, SecretKey: minio.JobsSecretKey},
	}, outside.TestDB+"/api/v1/results", public.Files, "the stack")
}

func openSource(s3 artifacts.S3Options, results, files, what string) (*stackSource, error) {
	records, err := testdb.NewClient(results, testdb.ClientOptions{})
	if err != nil {
		return nil, usage(err)
	}
	store, err := artifacts.OpenS3Store(s3)
	if err != nil {
		return nil, usage(err)
	}
	if files == "" { // nobody serves them: what there is to say is where they are
		files = "s3://" + s3.Bucket + strings.TrimRight("/"+strings.Trim(s3.Prefix, "/"), "/")
	}
	return &stackSource{store: store, records: records, files: strings.TrimRight(files, "/"), what: what}, nil
}

func (s *stackSource) Close() error { return s.store.Close() }

// reachTime is how long the stack has to answer when it is only looked
// whether there is one.
const reachTime = 5 * time.Second

// reached says whether the object store is there.
func (s *stackSource) reached(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	return s.store.Ping(ctx)
}

// publishMemory is how much memory the garbage of reading and packing may
// fill, so that the job that makes the archive stays below 128 MB however
// large the campaign is (make bench).
const publishMemory = 80 << 20

// publish makes the archive of a campaign out of what was pushed.
func (s *stackSource) publish(ctx context.Context, a *app, site config.Site, tag string, o artifacts.CollectOptions) (archived, error) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(publishMemory))
	declared, err := declaredOf(site, tag, a.siteSource())
	if err != nil {
		return archived{}, err
	}
	catalog, err := testcases.Load(declared.Release)
	if err != nil {
		return archived{}, usage(err)
	}
	key, err := artifacts.OpenKey(site.Keys())
	if err != nil {
		return archived{}, err
	}
	o.Waiting = func(missing []string) {
		fmt.Fprintf(a.err, "waiting up to %s for %s\n", o.Wait, few(missing))
	}
	campaign, missing, err := artifacts.Collect(ctx, s.store, s.records, tag, catalog, o)
	if errors.Is(err, artifacts.ErrNothing) {
		return archived{}, usage(err)
	}
	if err != nil {
		return archived{}, err
	}
	for _, name := range missing {
		fmt.Fprintf(a.err, "missing: %s\n", term.Plain(name))
	}
	if images := campaign.Declared.Images; declared.Images == nil {
		declared.Images = images
	}
	campaign.Declared = declared
	assessment, err := artifacts.Publish(ctx, s.store, campaign, catalog, key)
	if err != nil {
		return archived{}, err
	}
	made := newArchived(assessment, key)
	made.Archive, made.download = s.files+"/"+url.PathEscape(artifacts.ArchiveName(tag)), true
	made.Missing = append(made.Missing, missing...)
	return made, nil
}

// declaredOf says where a campaign that pushed to a stack comes from, and of
// which release it is, whatever the site names now: the journal knows that of
// one which xtci ran. Another ran in Jenkins.
func declaredOf(site config.Site, tag string, source *testcases.SiteSource) (testcases.Provenance, error) {
	journal, err := runner.OpenJournal(site.Campaigns(), tag)
	if err == nil {
		return journal.Declared(), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return testcases.Provenance{}, err
	}
	digest, err := site.Digest()
	return testcases.Provenance{Tool: toolName(), Engine: "Jenkins", Release: site.Release, SiteDigest: digest, SiteSource: source}, err
}

// few names at most three of many.
func few(names []string) string {
	const most = 3
	text := term.Plain(strings.Join(names[:min(len(names), most)], ", "))
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
