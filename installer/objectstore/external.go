package objectstore

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/anuket-project/xtci/config"
)

// External is an object store that somebody else runs, MinIO or another S3,
// with the key that campaigns get.
type External struct {
	Endpoint  string // http://HOST:PORT
	AccessKey string
	SecretKey config.Secret
	Bucket    string
}

const (
	// checkObject is written to see whether that is allowed. It stays: the key
	// need not be allowed to delete.
	checkObject = ".xtci-check"
	checkText   = "xtci wrote this to see whether it may. Nothing needs it.\n"
	// externalTime is how long the whole check may take.
	externalTime = time.Minute
)

// VerifyExternal says whether campaigns can keep their files in a store: the
// bucket is there, and the key may list, write and read. It leaves one small
// object, which it writes once.
func VerifyExternal(ctx context.Context, e External) error {
	ctx, cancel := context.WithTimeout(ctx, externalTime)
	defer cancel()
	client, done := newHTTPClient(callTime, http.ProxyFromEnvironment)
	defer done()
	s3, err := newS3(e.Endpoint, client.Transport, e.AccessKey, e.SecretKey)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		tried string
		do    func(context.Context, *minio.Client, string) error
	}{
		{"list the bucket " + e.Bucket, listOne},
		{"write to the bucket " + e.Bucket, writeOne},
		{"read from the bucket " + e.Bucket, readOne},
	} {
		if err := step.do(ctx, s3, e.Bucket); err != nil {
			return explain(step.tried, e.Endpoint, err)
		}
	}
	return nil
}

// listOne lists as Xtesting's zip_campaign does: by the first version of the
// call.
func listOne(ctx context.Context, s3 *minio.Client, bucket string) error {
	for object := range s3.ListObjectsIter(ctx, bucket, minio.ListObjectsOptions{Prefix: checkObject, MaxKeys: 1, UseV1: true}) {
		return object.Err
	}
	return nil
}

// writeOne writes unless it did so before. A store looks at the rights first
// (seen on MinIO), so that an answer that the object is there is as good.
func writeOne(ctx context.Context, s3 *minio.Client, bucket string) error {
	put := func(o minio.PutObjectOptions) error {
		o.ContentType, o.DisableMultipart = "text/plain", true
		_, err := s3.PutObject(ctx, bucket, checkObject, strings.NewReader(checkText), int64(len(checkText)), o)
		return err
	}
	var once minio.PutObjectOptions
	once.SetMatchETagExcept("*")
	err := put(once)
	switch reasonOf(err) {
	case reasonPrecondition:
		return nil
	case reasonUnknownAPI: // a store that knows no conditions
		return put(minio.PutObjectOptions{})
	}
	return err
}

func readOne(ctx context.Context, s3 *minio.Client, bucket string) error {
	object, err := s3.GetObject(ctx, bucket, checkObject, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer object.Close()
	read, err := io.ReadAll(io.LimitReader(object, maxBody))
	if err != nil {
		return err
	}
	if string(read) != checkText {
		return fmt.Errorf("%s holds %.40q, not what was written: is another program using the name?", checkObject, read)
	}
	return nil
}
