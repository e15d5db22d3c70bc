package objectstore

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"

	"github.com/anuket-project/xtci/internal/miniotest"
)

func optionsFor(s *miniotest.Server) Options {
	return Options{
		Endpoint: s.Endpoint, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
		JobsAccessKey: "xtci-jobs", JobsSecretKey: "a secret of jobs", Bucket: "xtesting",
	}
}

func isPermanent(err error) bool {
	var told interface{ Permanent() bool }
	return errors.As(err, &told) && told.Permanent()
}

func provision(t *testing.T, o Options, want ...string) {
	t.Helper()
	got, err := Provision(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("changed: -want +got\n%s", diff)
	}
}

// parts are what a provisioner has, for tests to do things behind its back.
func parts(t *testing.T, o Options) *provisioner {
	t.Helper()
	p, done, err := newProvisioner(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestProvision is the life of one store.
func TestProvision(t *testing.T) {
	t.Parallel()
	o := optionsFor(miniotest.Start(t))
	const granted, written = "key xtci-jobs: its rights granted", "key xtci-jobs: its rights written"
	provision(t, o, "bucket xtesting: made", written, "key xtci-jobs: made", granted)
	provision(t, o)

	t.Run("the secret changes", func(t *testing.T) {
		o.JobsSecretKey = `an"other $ecret é`
		provision(t, o, "key xtci-jobs: its secret changed")
		provision(t, o)
	})
	t.Run("somebody disabled the key", func(t *testing.T) {
		query := url.Values{"accessKey": {o.JobsAccessKey}, "status": {"disabled"}}
		must(t, parts(t, o).admin.call(t.Context(), http.MethodPut, "set-user-status", query, nil, nil))
		provision(t, o, "key xtci-jobs: enabled")
		provision(t, o)
	})
	t.Run("somebody gave the key more", func(t *testing.T) {
		must(t, parts(t, o).admin.setUserPolicy(t.Context(), o.JobsAccessKey, policyPrefix+o.JobsAccessKey+",readwrite"))
		provision(t, o, granted)
		provision(t, o)
	})
	t.Run("somebody gave the rights more", func(t *testing.T) {
		wide := jobsPolicy(o.Bucket)
		wide.Statement[1].Action = append(wide.Statement[1].Action, "s3:DeleteObject")
		must(t, parts(t, o).admin.setPolicy(t.Context(), policyPrefix+o.JobsAccessKey, wide))
		provision(t, o, written)
		provision(t, o)
	})
	t.Run("somebody removed the bucket", func(t *testing.T) {
		must(t, parts(t, o).root.RemoveBucket(t.Context(), o.Bucket))
		provision(t, o, "bucket xtesting: made")
	})
	t.Run("anonymous", func(t *testing.T) { anonymous(t, o) })
	t.Run("another key", func(t *testing.T) {
		old := o
		o.JobsAccessKey = "xtci-jobs-2"
		provision(t, o, "key xtci-jobs-2: its rights written", "key xtci-jobs-2: made", "key xtci-jobs-2: its rights granted", "key xtci-jobs: removed")
		provision(t, o)
		_, err := parts(t, old).jobs.GetBucketLocation(t.Context(), o.Bucket)
		if reasonOf(err) != reasonNoKey {
			t.Errorf("the former key: %v", err)
		}
	})
	t.Run("another bucket", func(t *testing.T) {
		old := o
		o.Bucket = "other"
		provision(t, o, "bucket other: made", "key xtci-jobs-2: its rights written")
		provision(t, o)
		if err := listOne(t.Context(), parts(t, o).jobs, old.Bucket); reasonOf(err) != reasonDenied {
			t.Errorf("the former bucket: %v", err)
		}
	})
	t.Run("a wrong root key", func(t *testing.T) {
		bad := o
		bad.SecretKey = "something else"
		refused(t, bad, reasonSignature)
		bad.AccessKey = "nobody"
		refused(t, bad, reasonNoKey)
		bad.AccessKey, bad.SecretKey = o.JobsAccessKey, o.JobsSecretKey
		bad.JobsAccessKey = "third"
		refused(t, bad, reasonDenied)
	})
}

func refused(t *testing.T, o Options, want string) {
	t.Helper()
	changed, err := Provision(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), want) || !isPermanent(err) || changed != nil {
		t.Errorf("%v, %v: want a permanent error with %s", changed, err, want)
	}
	if err != nil && (strings.Contains(err.Error(), o.SecretKey.Reveal()) || strings.Contains(err.Error(), o.JobsSecretKey.Reveal())) {
		t.Errorf("the error tells a secret: %v", err)
	}
}

func anonymous(t *testing.T, o Options) {
	p := parts(t, o)
	_, err := p.root.PutObject(t.Context(), o.Bucket, "dir/a.txt", strings.NewReader("abc"), 3, minio.PutObjectOptions{})
	must(t, err)
	check := func(readable bool) {
		t.Helper()
		for path, want := range map[string]bool{
			"/dir/a.txt": readable, "/": false, "?list-type=2": false, "?prefix=dir/": false, "/dir/": false, "?policy": false, "?location": false,
		} {
			if got := status(t, http.MethodGet, o.Endpoint+"/"+o.Bucket+path) == http.StatusOK; got != want {
				t.Errorf("GET %s without a key: allowed is %v, want %v", path, got, want)
			}
		}
		if got := status(t, http.MethodPut, o.Endpoint+"/"+o.Bucket+"/new"); got != http.StatusForbidden {
			t.Errorf("PUT without a key: %d", got)
		}
		if got := status(t, http.MethodDelete, o.Endpoint+"/"+o.Bucket+"/dir/a.txt"); got != http.StatusForbidden {
			t.Errorf("DELETE without a key: %d", got)
		}
	}
	check(false)
	o.Anonymous = true
	provision(t, o, "bucket xtesting: everybody reads objects without a key")
	provision(t, o)
	check(true)
	// as mc anonymous set download does
	wide := anonymousPolicy(o.Bucket)
	wide.Statement = append(wide.Statement, statement{
		Effect: "Allow", Principal: wide.Statement[0].Principal, Action: []string{"s3:ListBucket"}, Resource: []string{arn(o.Bucket)},
	})
	encoded, err := wide.encode()
	must(t, err)
	must(t, p.root.SetBucketPolicy(t.Context(), o.Bucket, string(encoded)))
	provision(t, o, "bucket xtesting: everybody reads objects without a key")
	check(true)
	o.Anonymous = false
	provision(t, o, "bucket xtesting: nobody reads without a key any more")
	provision(t, o)
	check(false)
}

func status(t *testing.T, method, address string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	must(t, err)
	answer, err := http.DefaultClient.Do(request)
	must(t, err)
	answer.Body.Close()
	return answer.StatusCode
}

// TestJobsKey is what a campaign does with its key, and what it must not.
func TestJobsKey(t *testing.T) {
	t.Parallel()
	o := optionsFor(miniotest.Start(t))
	_, err := Provision(t.Context(), o)
	must(t, err)
	p, ctx := parts(t, o), t.Context()
	must(t, p.root.MakeBucket(ctx, "private", minio.MakeBucketOptions{}))
	_, err = p.root.PutObject(ctx, "private", "a", strings.NewReader("abc"), 3, minio.PutObjectOptions{})
	must(t, err)
	jobs := minio.Core{Client: p.jobs}
	self := &admin{endpoint: p.admin.endpoint, http: p.admin.http, accessKey: o.JobsAccessKey, secretKey: o.JobsSecretKey.Reveal()}
	put := func(bucket, key string, size int) error {
		_, err := p.jobs.PutObject(ctx, bucket, key, bytes.NewReader(make([]byte, size)), int64(size), minio.PutObjectOptions{PartSize: 5 << 20})
		return err
	}
	sealed := func(key string) []byte {
		message, err := seal(key, []byte(`{"secretKey":"stolen-stolen","status":"enabled","accessKey":"stolen"}`))
		must(t, err)
		return message
	}
	steps := []struct {
		name    string
		allowed bool
		do      func() error
	}{
		// run_tests, and zip_campaign (spec/testapi-xtesting.md)
		{"HEAD of the bucket", true, func() error { _, err := p.jobs.BucketExists(ctx, o.Bucket); return err }},
		{"PUT", true, func() error { return put(o.Bucket, "TAG/job-1/case/x.log", 10) }},
		{"PUT in parts", true, func() error { return put(o.Bucket, "TAG/job-1/case/big", 11<<20) }},
		{"a PUT in parts, broken off", true, func() error {
			id, err := jobs.NewMultipartUpload(ctx, o.Bucket, "TAG/broken", minio.PutObjectOptions{})
			if err != nil {
				return err
			}
			if _, err := jobs.ListObjectParts(ctx, o.Bucket, "TAG/broken", id, 0, 10); err != nil {
				return err
			}
			return jobs.AbortMultipartUpload(ctx, o.Bucket, "TAG/broken", id)
		}},
		{"list, version 1", true, func() error {
			list, err := jobs.ListObjects(o.Bucket, "TAG/", "", "", 1000)
			if err == nil && len(list.Contents) != 2 {
				t.Errorf("%d objects listed", len(list.Contents))
			}
			return err
		}},
		{"HEAD", true, func() error {
			_, err := p.jobs.StatObject(ctx, o.Bucket, "TAG/job-1/case/x.log", minio.StatObjectOptions{})
			return err
		}},
		{"GET", true, func() error {
			object, _, _, err := jobs.GetObject(ctx, o.Bucket, "TAG/job-1/case/x.log", minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			defer object.Close()
			_, err = io.ReadAll(object)
			return err
		}},
		{"PUT of the zip", true, func() error { return put(o.Bucket, "TAG.zip", 10) }},
		{"PUT of the zip again", true, func() error { return put(o.Bucket, "TAG.zip", 11) }},

		{"delete", false, func() error {
			return p.jobs.RemoveObject(ctx, o.Bucket, "TAG.zip", minio.RemoveObjectOptions{})
		}},
		{"delete many", false, func() error {
			objects := make(chan minio.ObjectInfo, 1)
			objects <- minio.ObjectInfo{Key: "TAG.zip"}
			close(objects)
			for failed := range p.jobs.RemoveObjects(ctx, o.Bucket, objects, minio.RemoveObjectsOptions{}) {
				return failed.Err
			}
			return nil
		}},
		{"delete the bucket", false, func() error { return p.jobs.RemoveBucket(ctx, o.Bucket) }},
		{"make a bucket", false, func() error { return p.jobs.MakeBucket(ctx, "mine", minio.MakeBucketOptions{}) }},
		{"open the bucket to all", false, func() error {
			encoded, err := anonymousPolicy(o.Bucket).encode()
			must(t, err)
			return p.jobs.SetBucketPolicy(ctx, o.Bucket, string(encoded))
		}},
		{"change how the bucket is encrypted", false, func() error { return p.jobs.RemoveBucketEncryption(ctx, o.Bucket) }},
		{"list another bucket", false, func() error { return listOne(ctx, p.jobs, "private") }},
		{"read from another bucket", false, func() error {
			_, _, _, err := jobs.GetObject(ctx, "private", "a", minio.GetObjectOptions{})
			return err
		}},
		{"write to another bucket", false, func() error { return put("private", "b", 1) }},
		{"copy from another bucket", false, func() error {
			_, err := p.jobs.CopyObject(ctx, minio.CopyDestOptions{Bucket: o.Bucket, Object: "stolen"}, minio.CopySrcOptions{Bucket: "private", Object: "a"})
			return err
		}},
		{"list users' policies", false, func() error { _, err := self.policies(ctx); return err }},
		{"make a user", false, func() error { return self.setUser(ctx, "stolen", "stolen-stolen") }},
		{"change its own secret", false, func() error { return self.setUser(ctx, o.JobsAccessKey, "stolen-stolen") }},
		{"change its own rights", false, func() error { return self.setUserPolicy(ctx, o.JobsAccessKey, "readwrite") }},
		{"make itself another key", false, func() error {
			return self.call(ctx, http.MethodPut, "add-service-account", nil, sealed(self.secretKey), nil)
		}},
	}
	for _, step := range steps {
		err := step.do()
		if step.allowed && err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if !step.allowed && reasonOf(err) != reasonDenied {
			t.Errorf("%s: %v, want it denied", step.name, err)
		}
	}
	buckets, err := p.jobs.ListBuckets(ctx)
	must(t, err)
	if len(buckets) != 1 || buckets[0].Name != o.Bucket {
		t.Errorf("the key sees the buckets %v", buckets)
	}
	provision(t, o)
}

// TestProvisionAtOnce has several do it at the same time.
func TestProvisionAtOnce(t *testing.T) {
	t.Parallel()
	o := optionsFor(miniotest.Start(t))
	o.Anonymous = true
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := Provision(t.Context(), o); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	provision(t, o)
}

func TestProvisionRefusesOptions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*Options)
		want   string
	}{
		"one key for both":     {func(o *Options) { o.JobsAccessKey = o.AccessKey }, "a key of their own"},
		"a short secret":       {func(o *Options) { o.JobsSecretKey = "short" }, "stack.minio.jobs_secret_key has 5 characters"},
		"a long key":           {func(o *Options) { o.JobsAccessKey = strings.Repeat("a", 21) }, "MinIO takes 3 to 20"},
		"a key with a comma":   {func(o *Options) { o.JobsAccessKey = "a,b" }, "use letters"},
		"an endpoint's path":   {func(o *Options) { o.Endpoint += "/minio" }, "want http://HOST:PORT"},
		"no endpoint":          {func(o *Options) { o.Endpoint = "" }, "want http://HOST:PORT"},
		"a bucket's bad name":  {func(o *Options) { o.Bucket = "No" }, "stack.minio.bucket"},
		"an endpoint's secret": {func(o *Options) { o.Endpoint = "http://me:a secret of root@host" }, "the address of the object store"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := Options{
				Endpoint: "http://127.0.0.1:1", AccessKey: "root", SecretKey: "a secret of root",
				JobsAccessKey: "jobs", JobsSecretKey: "a secret of jobs", Bucket: "xtesting",
			}
			tt.change(&o)
			refused(t, o, tt.want)
		})
	}
}
