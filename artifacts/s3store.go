package artifacts

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/anuket-project/xtci/internal/term"
)

// What can be wrong with an object store.
var (
	// ErrNoBucket is that the bucket of a store is not there.
	ErrNoBucket = errors.New("there is no such bucket")
	// ErrAway is that a store does not answer, or says that it cannot just
	// now. Waiting may mend that.
	ErrAway = errors.New("it does not answer as it should")
	// ErrFull is that a store has no room.
	ErrFull = errors.New("its disk is full: make room there")
)

// S3Options say which bucket a store is.
type S3Options struct {
	Endpoint string // http://HOST:PORT, or https
	Bucket   string
	// Prefix is a folder of the bucket in which everything is; empty is the
	// bucket itself.
	Prefix string
	// Credentials is the key to use. Without one only what everybody may do
	// can be done.
	Credentials Credentials
	// Region is what requests are signed for; empty is us-east-1, which
	// MinIO takes, too.
	Region string
}

// An S3Store keeps files in a bucket of MinIO, or of another object store
// that speaks S3.
type S3Store struct {
	client *minio.Core
	http   *http.Transport
	bucket string
	prefix string // empty, or with a slash at its end
	host   string
}

const (
	// partSize is how much of a file is sent at once, and so held in memory.
	// S3 takes 10,000 parts, so that a file can have 80 GB.
	partSize = 8 << 20
	// partThreads is how many parts of a file are under way at once.
	partThreads = 2
	// tries is how often a request is made that did not get through.
	tries = 4

	defaultRegion = "us-east-1"
)

// OpenS3Store makes a store of a bucket. It sends nothing: whether the bucket
// is there, Ping says.
func OpenS3Store(o S3Options) (*S3Store, error) {
	endpoint, err := url.Parse(o.Endpoint)
	switch {
	case err != nil:
		return nil, errors.New("the object store's endpoint is no URL: want http://HOST:PORT") // without the text: it may hold a password
	case endpoint.User != nil:
		return nil, errors.New("the object store's endpoint holds a user or a password: give the key in a credentials file")
	case endpoint.Scheme != "http" && endpoint.Scheme != "https", endpoint.Host == "", strings.Trim(endpoint.Path, "/") != "", endpoint.RawQuery != "":
		return nil, fmt.Errorf("the object store's endpoint is %q: want http://HOST:PORT", o.Endpoint)
	}
	prefix := strings.Trim(o.Prefix, "/")
	if prefix != "" {
		if err := checkKey(prefix); err != nil {
			return nil, fmt.Errorf("the folder %q in the bucket: %w", o.Prefix, err)
		}
		prefix += "/"
	}
	signature := credentials.SignatureV4
	if o.Credentials == (Credentials{}) {
		signature = credentials.SignatureAnonymous
	}
	if o.Region == "" {
		o.Region = defaultRegion
	}
	transport := s3Transport()
	client, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds: credentials.NewStatic(o.Credentials.AccessKey, o.Credentials.SecretKey.Reveal(), "", signature),
		// a region that is named spares a request for it
		Region: o.Region, Secure: endpoint.Scheme == "https", Transport: transport,
		BucketLookup: minio.BucketLookupPath, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("the object store at %s: %w", endpoint.Host, err)
	}
	return &S3Store{client: client, http: transport, bucket: o.Bucket, prefix: prefix, host: endpoint.Host}, nil
}

// Close closes connections that nothing uses.
func (s *S3Store) Close() error {
	s.http.CloseIdleConnections()
	return nil
}

// Limits of connections to an object store.
const (
	connectTime = 10 * time.Second
	// stallTime is how long a connection may carry nothing, while an answer
	// or the rest of one is waited for.
	stallTime = 60 * time.Second
)

func s3Transport() *http.Transport {
	dialer := net.Dialer{Timeout: connectTime, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return stallConn{conn}, nil
		},
		MaxIdleConns: 64, MaxIdleConnsPerHost: 16, IdleConnTimeout: stallTime,
		TLSHandshakeTimeout: connectTime, ResponseHeaderTimeout: stallTime, ExpectContinueTimeout: connectTime,
		DisableCompression: true, // a file is to come as it was stored
	}
}

// A stallConn breaks when it carries nothing for too long. A file may take as
// long as it needs, as long as it moves.
type stallConn struct{ net.Conn }

func (c stallConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(stallTime)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c stallConn) Write(p []byte) (int, error) {
	// what is being sent puts off the answer, too
	if err := c.SetDeadline(time.Now().Add(stallTime)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Ping says whether the bucket can be reached and is there.
func (s *S3Store) Ping(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err == nil && !there {
		err = ErrNoBucket
	}
	return s.failed(ctx, "reach", "", err)
}

// CreateBucket makes the bucket, if it is not there.
func (s *S3Store) CreateBucket(ctx context.Context) error {
	err := s.client.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{})
	if answer, ok := errors.AsType[minio.ErrorResponse](err); ok && answer.Code == minio.BucketAlreadyOwnedByYou {
		err = nil
	}
	return s.failed(ctx, "make", "", err)
}

// Put stores what r holds under the key. The object appears whole or not at
// all, and the store has said that it has all of it when Put returns.
func (s *S3Store) Put(ctx context.Context, key string, r io.Reader) error {
	if err := checkKey(key); err != nil {
		return s.failed(ctx, "store", key, err)
	}
	sent := &countingReader{r: contextReader{ctx, r}}
	options := minio.PutObjectOptions{ContentType: ContentType(key), PartSize: partSize, ConcurrentStreamParts: true, NumThreads: partThreads}
	// A library that is not told the size makes a small file a large upload.
	var head bytes.Buffer
	_, err := io.CopyN(&head, sent, partSize)
	switch {
	case errors.Is(err, io.EOF):
		_, err = s.client.Client.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(head.Bytes()), int64(head.Len()), options)
	case err == nil:
		_, err = s.client.Client.PutObject(ctx, s.bucket, s.prefix+key, io.MultiReader(&head, sent), -1, options)
	}
	if sent.err != nil { // it is not the store that failed
		return fmt.Errorf("store %s: %w", strconv.QuoteToGraphic(key), sent.err)
	}
	if err != nil {
		return s.failed(ctx, "store", key, err)
	}
	stored, err := s.stat(ctx, key)
	if err == nil && stored.Size != sent.n {
		err = fmt.Errorf("it has %d bytes there, %d were sent", stored.Size, sent.n)
	}
	return s.failed(ctx, "store", key, err)
}

type countingReader struct {
	r   io.Reader
	n   int64
	err error // other than the end
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// contextReader stops a long copy when its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // a reader of one copy, which lives as long as the call
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Open finds an object. Its bytes are asked for when they are read, and are
// those of the object that was found: one that is replaced meanwhile is an
// error.
func (s *S3Store) Open(ctx context.Context, key string) (Object, error) {
	if !readableKey(key) {
		return nil, noSuch("read", key)
	}
	info, err := s.stat(ctx, key)
	if err != nil {
		return nil, s.failed(ctx, "read", key, err)
	}
	return &s3Object{ctx: ctx, store: s, key: key, entry: objectEntry(path.Base(key), info)}, nil
}

func (s *S3Store) stat(ctx context.Context, key string) (minio.ObjectInfo, error) {
	return s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
}

func objectEntry(name string, info minio.ObjectInfo) Entry {
	// a listing has fractions of a second, an object has none
	return Entry{Name: name, Size: info.Size, Modified: info.LastModified.Truncate(time.Second), ETag: strings.Trim(info.ETag, `"`)}
}

// get asks for the bytes of an object from an offset on: n of them, or, with
// n < 0, all that follow.
func (s *S3Store) get(ctx context.Context, key, etag string, offset, n int64) (io.ReadCloser, error) {
	var options minio.GetObjectOptions
	var err error
	if etag != "" {
		err = options.SetMatchETag(etag)
	}
	if offset > 0 || n >= 0 {
		last := int64(0) // to the end
		if n >= 0 {
			last = offset + n - 1
		}
		err = errors.Join(err, options.SetRange(offset, last))
	}
	if err != nil {
		return nil, err
	}
	body, info, _, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, options)
	if err == nil && etag != "" && strings.Trim(info.ETag, `"`) != etag { // a server that knows no conditions
		return nil, errors.Join(errReplaced, body.Close())
	}
	return body, err
}

var errReplaced = errors.New("it was replaced while it was read")

const (
	// keysAtOnce is how many keys an answer to a listing has at most.
	keysAtOnce = 1000
	// maxListed is how many keys one listing looks at: more than it needs,
	// unless names are there that cannot be shown.
	maxListed = 100_000
)

// List returns what lies directly in a folder. It holds no more names than
// are asked for, however large the folder is.
func (s *S3Store) List(ctx context.Context, folder, after string, limit int) (entries []Entry, more bool, err error) {
	prefix := s.prefix
	if folder != "." {
		if !readableKey(folder) {
			return nil, false, noSuch("list", folder)
		}
		prefix += folder + "/"
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	noOwner := false
	options := minio.ListObjectsOptions{Prefix: prefix, FetchOwner: &noOwner, MaxKeys: keysAtOnce}
	if after != "" {
		options.StartAfter = prefix + after
	}
	page := pageOf{after: after, limit: limit}
	seen, dropped := 0, 0
	// Folders come behind the objects of each answer. What was seen before the
	// last answer, though, comes before all that is still to come.
	for info := range s.client.ListObjectsIter(ctx, s.bucket, options) {
		if info.Err != nil {
			return nil, false, s.failed(ctx, "list", folder, info.Err)
		}
		seen++
		if !page.add(listedEntry(info, prefix)) {
			dropped++
		}
		if seen-dropped > limit+keysAtOnce || seen == maxListed {
			page.more = true
			break
		}
	}
	if err := context.Cause(ctx); err != nil { // the listing just ends then
		return nil, false, s.failed(ctx, "list", folder, err)
	}
	if seen == 0 && after == "" && folder != "." {
		return nil, false, s.failed(ctx, "list", folder, fs.ErrNotExist)
	}
	page.cut()
	return page.entries, page.more, nil
}

// each calls a function for all that lies in a folder and in those in it, but
// for what no file can be called. Folders are told only where they have a mark
// of their own.
func (s *S3Store) each(ctx context.Context, folder string, call func(key string, e Entry) error) error {
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	noOwner := false
	options := minio.ListObjectsOptions{Prefix: s.prefix + folder + "/", Recursive: true, FetchOwner: &noOwner, MaxKeys: keysAtOnce}
	for info := range s.client.ListObjectsIter(listing, s.bucket, options) {
		if info.Err != nil {
			return s.failed(ctx, "list", folder, info.Err)
		}
		key := strings.TrimSuffix(strings.TrimPrefix(info.Key, s.prefix), "/")
		if !readableKey(key) {
			continue
		}
		e := listedEntry(info, s.prefix)
		e.Name = path.Base(key)
		if err := call(key, e); err != nil {
			return s.failed(ctx, "list", folder, err)
		}
	}
	return s.failed(ctx, "list", folder, context.Cause(ctx)) // the listing just ends with it
}

// listedEntry describes what a listing has. Its name is empty if it is one
// that no file can have.
func listedEntry(info minio.ObjectInfo, prefix string) Entry {
	name, isFolder := strings.CutSuffix(strings.TrimPrefix(info.Key, prefix), "/")
	switch {
	case !readableKey(name):
		return Entry{}
	case isFolder:
		return Entry{Name: name, Folder: true}
	}
	return objectEntry(name, info)
}

// failed says what was tried, on what, and what came back.
func (s *S3Store) failed(ctx context.Context, verb, key string, err error) error {
	if err == nil {
		return nil
	}
	what := "the bucket " + s.bucket
	if key != "" {
		what = strconv.QuoteToGraphic(key) + " in " + what
	}
	return fmt.Errorf("%s %s at %s: %w", verb, what, s.host, s3Cause(ctx, err))
}

// unanswered makes an error of a request that got no answer, or not all of it.
func unanswered(err error) error {
	failed, request := errors.AsType[*url.Error](err)
	if request {
		err = failed.Err // without the address, which is long and says nothing new
	}
	if strings.HasPrefix(err.Error(), "Connection closed by foreign host") { // the library's words for it
		err = io.ErrUnexpectedEOF
	}
	_, network := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	away := request && !untrusted || network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if !away || errors.Is(err, ErrAway) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrAway, err)
}

// s3Cause makes the errors of io/fs out of those of S3.
func s3Cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return unanswered(err)
	}
	switch answer.Code {
	case minio.NoSuchKey, minio.XMinioInvalidObjectName, "KeyTooLongError":
		return fs.ErrNotExist
	case minio.NoSuchBucket:
		return ErrNoBucket
	case minio.AccessDenied, "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled", "AccountProblem":
		return fmt.Errorf("%w: %s (%s)", fs.ErrPermission, strings.TrimSuffix(answer.Message, "."), answer.Code)
	case minio.PreconditionFailed:
		return errReplaced
	}
	said := term.Plain(strings.TrimSuffix(answer.Error(), ".")) // of what is no object store, a whole page
	err = fmt.Errorf("status %d: %.300s", answer.StatusCode, said)
	switch {
	case answer.StatusCode == http.StatusInsufficientStorage:
		return fmt.Errorf("%w (%w)", ErrFull, err)
	case answer.StatusCode == http.StatusTooManyRequests, answer.StatusCode >= http.StatusInternalServerError && answer.StatusCode != http.StatusNotImplemented:
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}
