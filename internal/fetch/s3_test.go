package fetch

import (
	"errors"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/anuket-project/xtci/internal/miniotest"
)

func TestAnObjectIsGot(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t)
	client, err := minio.New(strings.TrimPrefix(server.Endpoint, "http://"), &minio.Options{Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey.Reveal(), "")})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(t.Context(), "labs", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	put := func(key, text string) {
		if _, err := client.PutObject(t.Context(), "labs", key, strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put("ci/xtci.yaml", siteText)
	put("large.yaml", strings.Repeat("x", 1<<20+1))
	keys := []string{"AWS_ACCESS_KEY_ID=" + server.AccessKey, "AWS_SECRET_ACCESS_KEY=" + server.SecretKey.Reveal(), "AWS_REGION=eu-west-1"}
	cache := testCache(t, keys...)
	where := "s3::" + server.Endpoint + "/labs/"
	got, err := cache.Get(t.Context(), source(t, where+"ci/xtci.yaml?checksum="+digest(siteText)), Want{})
	if err != nil || read(t, got) != siteText || got.Source != where+"ci/xtci.yaml" {
		t.Fatalf("%+v, %v", got, err)
	}
	if kept, err := cache.Kept(source(t, where+"ci/xtci.yaml")); err != nil || read(t, kept) != siteText {
		t.Errorf("%+v, %v", kept, err)
	}
	for name, test := range map[string]struct {
		cache *Cache
		where string
		unfit bool
		want  string
	}{
		"not there":   {cache, where + "ci/other.yaml", false, "404 NoSuchKey"},
		"no bucket":   {cache, "s3::" + server.Endpoint + "/nowhere/x.yaml", false, "NoSuchBucket"},
		"no keys":     {testCache(t), where + "ci/xtci.yaml", false, "set AWS_ACCESS_KEY_ID"},
		"wrong keys":  {testCache(t, "AWS_ACCESS_KEY_ID=nobody", "AWS_SECRET_ACCESS_KEY=hunter2hunter2"), where + "ci/xtci.yaml", false, "are not those of"},
		"too large":   {cache, where + "large.yaml", true, "larger than 1 MiB"},
		"another sum": {cache, where + "ci/xtci.yaml?checksum=" + sum, true, "its digest is"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.cache.Get(t.Context(), source(t, test.where), Want{})
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrUnfit) != test.unfit {
				t.Errorf("%v, want %q in it", err, test.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), server.SecretKey.Reveal())) {
				t.Errorf("the error has a key: %v", err)
			}
		})
	}
}
