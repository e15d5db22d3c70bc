package objectstore

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/anuket-project/xtci/config"
)

// Options are what the stack's MinIO shall have.
type Options struct {
	// Endpoint is http://HOST:PORT.
	Endpoint string
	// AccessKey and SecretKey are MinIO's root key.
	AccessKey string
	SecretKey config.Secret
	// JobsAccessKey and JobsSecretKey are the key that campaigns get. It may
	// read and write the bucket's objects, delete none, and do nothing else.
	JobsAccessKey string
	JobsSecretKey config.Secret
	Bucket        string
	// Anonymous lets everybody read the objects whose names they know. Listing
	// the bucket needs a key even so.
	Anonymous bool
}

const (
	// provisionTime is how long it all may take.
	provisionTime = 2 * time.Minute
	// settleTime is how long a MinIO that lives may take until it also knows
	// its buckets and users.
	settleTime = 30 * time.Second
	// settlePoll is how often it is asked meanwhile.
	settlePoll = 100 * time.Millisecond
	// callTime is how long one call may take.
	callTime = 30 * time.Second
	// s3Tries is how often the library tries a request: with its own ten, it
	// would be told late that a store is down.
	s3Tries = 3
)

// policyPrefix begins the names of the policies of jobs keys. What follows is
// the key, so that one that was replaced is found again.
const policyPrefix = "xtci-jobs-of-"

// Provision makes the stack's MinIO have what the options say, and returns
// what it changed, in words. That is nothing the second time.
func Provision(ctx context.Context, o Options) (changed []string, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, provisionTime)
	defer cancel()
	p, done, err := newProvisioner(o)
	if err != nil {
		return nil, err
	}
	defer done()
	for _, step := range []struct {
		tried string
		do    func(context.Context) error
	}{
		{"make the bucket " + o.Bucket, p.bucket},
		{"say who may read the bucket " + o.Bucket, p.anonymous},
		{"make the key " + o.JobsAccessKey + " of the jobs", p.jobsKey},
		{"remove former keys of the jobs", p.formerKeys},
	} {
		if err := settled(ctx, step.do); err != nil {
			return p.changed, explain(step.tried, o.Endpoint, err)
		}
	}
	return p.changed, nil
}

// settled does something, again and again for a while when MinIO answers that
// it is still starting: it does so after it has said that it is ready (seen
// in its release of 2025-09-07).
func settled(ctx context.Context, do func(context.Context) error) error {
	wait, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	for {
		err := do(ctx)
		if !isStarting(err) {
			return err
		}
		select {
		case <-tick.C:
		case <-wait.Done():
			return err // tells more than that the time is over
		}
	}
}

// isStarting says whether an error is the answer of a MinIO that is not yet
// ready.
func isStarting(err error) bool {
	switch reasonOf(err) {
	case "XMinioServerNotInitialized", "XMinioIAMNotInitialized", "XMinioBucketMetadataNotInitialized":
		return true
	}
	return false
}

// validate refuses what MinIO would, with the names of the site's keys.
func (o Options) validate() error {
	for _, key := range []struct {
		name, value string
		least, most int
	}{
		{"stack.minio.access_key", o.AccessKey, 3, 20},
		{"stack.minio.secret_key", o.SecretKey.Reveal(), 8, 40},
		{"stack.minio.jobs_access_key", o.JobsAccessKey, 3, 20},
		{"stack.minio.jobs_secret_key", o.JobsSecretKey.Reveal(), 8, 40},
	} {
		if n := len(key.value); n < key.least || n > key.most {
			return permanent("%s has %d characters: MinIO takes %d to %d", key.name, n, key.least, key.most)
		}
	}
	for name, key := range map[string]string{"stack.minio.access_key": o.AccessKey, "stack.minio.jobs_access_key": o.JobsAccessKey} {
		if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`=,"/\`, r) }) {
			return permanent("%s is %q: use letters, digits, dots and dashes", name, key)
		}
	}
	if err := s3utils.CheckValidBucketNameStrict(o.Bucket); err != nil {
		return permanent("stack.minio.bucket is %q: %w", o.Bucket, err)
	}
	if o.AccessKey == o.JobsAccessKey {
		return permanent("stack.minio.jobs_access_key is the same as stack.minio.access_key, which may do everything: give the jobs a key of their own")
	}
	return nil
}

type provisioner struct {
	Options
	root, jobs *minio.Client
	admin      *admin
	changed    []string
}

// newProvisioner returns a provisioner, and what closes its connections.
func newProvisioner(o Options) (p *provisioner, done func(), err error) {
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, nil, err
	}
	client, done := newHTTPClient(callTime, nil)
	p = &provisioner{Options: o, admin: &admin{
		endpoint: endpoint, http: client, accessKey: o.AccessKey, secretKey: o.SecretKey.Reveal(),
	}}
	p.root, err = newS3(o.Endpoint, client.Transport, o.AccessKey, o.SecretKey)
	if err == nil {
		p.jobs, err = newS3(o.Endpoint, client.Transport, o.JobsAccessKey, o.JobsSecretKey)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return p, done, nil
}

func newS3(endpoint string, transport http.RoundTripper, accessKey string, secretKey config.Secret) (*minio.Client, error) {
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(accessKey, secretKey.Reveal(), ""),
		Secure:       u.Scheme == "https",
		Transport:    transport,
		BucketLookup: minio.BucketLookupPath, // as Xtesting does
		MaxRetries:   s3Tries,
	})
	if err != nil {
		return nil, permanent("the object store %s: %w", endpoint, err)
	}
	return client, nil
}

func (p *provisioner) did(format string, a ...any) {
	p.changed = append(p.changed, fmt.Sprintf(format, a...))
}

func (p *provisioner) bucket(ctx context.Context) error {
	there, err := p.root.BucketExists(ctx, p.Bucket)
	if err != nil || there {
		return err
	}
	err = p.root.MakeBucket(ctx, p.Bucket, minio.MakeBucketOptions{})
	if reasonOf(err) == reasonOwned { // made meanwhile
		return nil
	}
	if err == nil {
		p.did("bucket %s: made", p.Bucket)
	}
	return err
}

func (p *provisioner) anonymous(ctx context.Context) error {
	document, err := p.root.GetBucketPolicy(ctx, p.Bucket)
	want := anonymousPolicy(p.Bucket)
	switch {
	case err != nil:
		return err
	case p.Anonymous && want.equals([]byte(document)), !p.Anonymous && document == "":
		return nil
	case !p.Anonymous:
		if err := p.root.SetBucketPolicy(ctx, p.Bucket, ""); err != nil {
			return err
		}
		p.did("bucket %s: nobody reads without a key any more", p.Bucket)
		return nil
	}
	encoded, err := want.encode()
	if err != nil {
		return err
	}
	if err := p.root.SetBucketPolicy(ctx, p.Bucket, string(encoded)); err != nil {
		return err
	}
	p.did("bucket %s: everybody reads objects without a key", p.Bucket)
	return nil
}

// jobsKey makes the key, its rights, and that it has those alone. The rights
// come first, so that no key is there before its rights are.
func (p *provisioner) jobsKey(ctx context.Context) error {
	name, want := policyPrefix+p.JobsAccessKey, jobsPolicy(p.Bucket)
	policies, err := p.admin.policies(ctx)
	if err != nil {
		return err
	}
	if !want.equals(policies[name]) {
		if err := p.admin.setPolicy(ctx, name, want); err != nil {
			return err
		}
		p.did("key %s: its rights written", p.JobsAccessKey)
	}
	known, err := p.admin.user(ctx, p.JobsAccessKey)
	if err != nil {
		return err
	}
	if known == nil {
		if err := p.admin.setUser(ctx, p.JobsAccessKey, p.JobsSecretKey.Reveal()); err != nil {
			return err
		}
		p.did("key %s: made", p.JobsAccessKey)
		known = &user{Status: enabled}
	}
	if known.Policies != name {
		if err := p.admin.setUserPolicy(ctx, p.JobsAccessKey, name); err != nil {
			return err
		}
		p.did("key %s: its rights granted", p.JobsAccessKey)
	}
	return p.jobsSecret(ctx, known.Status != enabled)
}

// jobsSecret changes the key's secret if it is another one, and enables the
// key if it is disabled. MinIO tells no secrets: whether it is the right one
// shows when it is used. The request is one whose refusal has a body, where
// the reason is.
func (p *provisioner) jobsSecret(ctx context.Context, disabled bool) error {
	_, err := p.jobs.GetBucketLocation(ctx, p.Bucket)
	differs := reasonOf(err) == reasonSignature
	if err != nil && !differs && !disabled {
		return fmt.Errorf("use it: %w", err)
	}
	if !differs && !disabled {
		return nil
	}
	if err := p.admin.setUser(ctx, p.JobsAccessKey, p.JobsSecretKey.Reveal()); err != nil {
		return err
	}
	if disabled {
		p.did("key %s: enabled", p.JobsAccessKey)
	} else {
		p.did("key %s: its secret changed", p.JobsAccessKey)
	}
	return nil
}

// formerKeys removes keys that the jobs had before they got another one: who
// knows one must not keep its rights.
func (p *provisioner) formerKeys(ctx context.Context) error {
	policies, err := p.admin.policies(ctx)
	if err != nil {
		return err
	}
	var former []string
	for name := range policies {
		if key, ours := strings.CutPrefix(name, policyPrefix); ours && key != p.JobsAccessKey {
			former = append(former, key)
		}
	}
	slices.Sort(former)
	for _, key := range former {
		known, err := p.admin.user(ctx, key)
		if err != nil {
			return err
		}
		if known != nil && known.Policies == policyPrefix+key {
			if err := p.admin.removeUser(ctx, key); err != nil {
				return err
			}
		}
		if err := p.admin.removePolicy(ctx, policyPrefix+key); err != nil {
			return err
		}
		p.did("key %s: removed", key)
	}
	return nil
}
