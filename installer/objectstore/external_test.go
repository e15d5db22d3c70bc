package objectstore

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/miniotest"
)

func TestVerifyExternal(t *testing.T) {
	t.Parallel()
	o := optionsFor(miniotest.Start(t))
	_, err := Provision(t.Context(), o)
	must(t, err)
	p := parts(t, o)
	// Keys that may do one thing less than the jobs' own.
	for _, lacks := range []string{"s3:ListBucket", "s3:PutObject", "s3:GetObject"} {
		less := jobsPolicy(o.Bucket)
		for i, s := range less.Statement {
			var kept []string
			for _, action := range s.Action {
				if action != lacks {
					kept = append(kept, action)
				}
			}
			less.Statement[i].Action = kept
		}
		name := strings.ToLower(strings.ReplaceAll(lacks, ":", "-"))
		must(t, p.admin.setPolicy(t.Context(), name, less))
		must(t, p.admin.setUser(t.Context(), name, "a secret of "+name))
		must(t, p.admin.setUserPolicy(t.Context(), name, name))
	}
	jobs := External{o.Endpoint, o.JobsAccessKey, o.JobsSecretKey, o.Bucket}
	tests := []struct {
		name   string
		change func(*External)
		want   []string // in the error; none for no error
	}{
		{"may not write at first", func(e *External) { e.AccessKey, e.SecretKey = "s3-putobject", "a secret of s3-putobject" }, []string{"write to the bucket", reasonDenied}},
		{"may do all", func(*External) {}, nil},
		{"again", func(*External) {}, nil},
		{"may not write what is there", func(e *External) { e.AccessKey, e.SecretKey = "s3-putobject", "a secret of s3-putobject" }, []string{"write to the bucket", reasonDenied}},
		{"may not list", func(e *External) { e.AccessKey, e.SecretKey = "s3-listbucket", "a secret of s3-listbucket" }, []string{"list the bucket", reasonDenied}},
		{"may not read", func(e *External) { e.AccessKey, e.SecretKey = "s3-getobject", "a secret of s3-getobject" }, []string{"read from the bucket", reasonDenied}},
		{"the root key", func(e *External) { e.AccessKey, e.SecretKey = o.AccessKey, o.SecretKey }, nil},
		{"no bucket", func(e *External) { e.AccessKey, e.SecretKey, e.Bucket = o.AccessKey, o.SecretKey, "other" }, []string{reasonNoBucket, "make the bucket"}},
		{"no bucket, and no right to know", func(e *External) { e.Bucket = "other" }, []string{"list the bucket other", reasonDenied}},
		{"a wrong secret", func(e *External) { e.SecretKey = "something else" }, []string{reasonSignature}},
		{"an unknown key", func(e *External) { e.AccessKey = "nobody" }, []string{reasonNoKey}},
	}
	for _, tt := range tests { // in this order
		e := jobs
		tt.change(&e)
		err := VerifyExternal(t.Context(), e)
		if len(tt.want) == 0 {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		for _, want := range tt.want {
			if err == nil || !isPermanent(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: want a permanent error with %q", tt.name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), e.SecretKey.Reveal()) {
			t.Errorf("%s: the error tells a secret: %v", tt.name, err)
		}
	}
	var versions int
	for range p.root.ListObjectsIter(t.Context(), o.Bucket, minio.ListObjectsOptions{Recursive: true}) {
		versions++
	}
	if versions != 1 {
		t.Errorf("it left %d objects, want 1", versions)
	}
}

// TestVerifyExternalOldStore is a store that knows no conditions.
func TestVerifyExternalOldStore(t *testing.T) {
	t.Parallel()
	var puts atomic.Int32
	var kept atomic.Value
	kept.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "":
			w.WriteHeader(http.StatusNotImplemented)
			fmt.Fprint(w, `<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented.</Message></Error>`)
		case r.Method == http.MethodPut:
			puts.Add(1)
			kept.Store(checkText)
			w.Header().Set("ETag", `"x"`)
		case r.URL.Query().Has("location"):
			fmt.Fprint(w, `<LocationConstraint/>`)
		case r.URL.Path == "/xtesting/":
			fmt.Fprint(w, `<ListBucketResult><Name>xtesting</Name><IsTruncated>false</IsTruncated></ListBucketResult>`)
		default:
			w.Header().Set("ETag", `"x"`)
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			fmt.Fprint(w, kept.Load())
		}
	}))
	defer server.Close()
	if err := VerifyExternal(t.Context(), standInExternal(server.URL)); err != nil || puts.Load() != 1 {
		t.Errorf("%v, after %d puts", err, puts.Load())
	}
}

// Of what another program keeps under the name nothing is said to be ours.
func TestVerifyExternalForeignObject(t *testing.T) {
	t.Parallel()
	o := optionsFor(miniotest.Start(t))
	_, err := Provision(t.Context(), o)
	must(t, err)
	_, err = parts(t, o).root.PutObject(t.Context(), o.Bucket, checkObject, strings.NewReader("abc"), 3, minio.PutObjectOptions{})
	must(t, err)
	err = VerifyExternal(t.Context(), External{o.Endpoint, o.JobsAccessKey, config.Secret(o.JobsSecretKey.Reveal()), o.Bucket})
	if err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("%v: want that another program uses the name", err)
	}
}
