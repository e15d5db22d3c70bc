package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	getter "github.com/hashicorp/go-getter/v2"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// An s3Getter gets one object. go-getter's own would link the AWS SDK.
type s3Getter struct {
	source  Source
	client  *http.Client
	most    int64
	environ []string
}

// Mode is that of files alone.
func (g *s3Getter) Mode(context.Context, *url.URL) (getter.Mode, error) { return getter.ModeFile, nil }

// Detect takes what was parsed: there is no other getter to choose.
func (g *s3Getter) Detect(*getter.Request) (bool, error) { return true, nil }

// Get refuses folders.
func (g *s3Getter) Get(context.Context, *getter.Request) error {
	return errors.New("an object store has no folders")
}

// GetFile gets the object.
func (g *s3Getter) GetFile(ctx context.Context, request *getter.Request) error {
	store, err := g.open()
	if err != nil {
		return err
	}
	bucket, key := g.source.object()
	object, _, _, err := store.GetObject(ctx, bucket, key, minio.GetObjectOptions{VersionID: g.source.version})
	if err != nil {
		return g.explain(err)
	}
	defer object.Close()
	return writeLimited(request.Dst, object, g.most)
}

func (g *s3Getter) open() (*minio.Core, error) {
	address := g.source.address
	options := &minio.Options{
		Creds:        credentials.NewStatic(lookup(g.environ, "AWS_ACCESS_KEY_ID"), lookup(g.environ, "AWS_SECRET_ACCESS_KEY"), lookup(g.environ, "AWS_SESSION_TOKEN"), g.signature()),
		Secure:       address.Scheme == "https",
		Transport:    g.client.Transport,
		Region:       g.source.region,
		BucketLookup: minio.BucketLookupPath,
		MaxRetries:   3,
	}
	if options.Region == "" && strings.HasSuffix(address.Hostname(), ".amazonaws.com") {
		options.Region = lookup(g.environ, "AWS_REGION")
	}
	return minio.NewCore(address.Host, options)
}

// signature signs requests if there is something to do it with.
func (g *s3Getter) signature() credentials.SignatureType {
	if lookup(g.environ, "AWS_ACCESS_KEY_ID") == "" {
		return credentials.SignatureAnonymous
	}
	return credentials.SignatureV4
}

func (g *s3Getter) explain(err error) error {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return err
	}
	hint := ""
	switch {
	case answer.StatusCode == http.StatusForbidden && g.signature() == credentials.SignatureAnonymous:
		hint = ": set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
	case answer.StatusCode == http.StatusForbidden:
		hint = ": AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not those of somebody who may read it"
	}
	return fmt.Errorf("%d %s: %s%s", answer.StatusCode, answer.Code, answer.Message, hint)
}
