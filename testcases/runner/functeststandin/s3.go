package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A bucket is an S3 bucket as boto3 speaks to it: path style, signature 4,
// region us-east-1. It is written by hand, so that xtci's own ways of speaking
// to object stores are not tested by themselves.
type bucket struct {
	endpoint *url.URL
	name     string
	prefix   string // of keys, without slashes at its ends
	access   string
	secret   string
	client   *http.Client
}

// unsetError is a variable that is not there.
type unsetError string

func (e unsetError) Error() string { return fmt.Sprintf("Please check env var: '%s'", string(e)) }

var errNoKeys = errors.New("Please fill ~/.aws/credentials, ~/.boto or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in env") //nolint:staticcheck // Xtesting's words

// publishError is what Xtesting says when it cannot publish.
func publishError(err error) string {
	if _, unset := errors.AsType[unsetError](err); unset || errors.Is(err, errNoKeys) {
		return err.Error()
	}
	return "Cannot publish the artifacts" + traceback(pythonError(err))
}

// openBucket reads where to publish to, in the order in which Xtesting does.
func (a *app) openBucket() (*bucket, error) {
	endpoint, ok := a.env["S3_ENDPOINT_URL"]
	if !ok {
		return nil, unsetError("S3_ENDPOINT_URL")
	}
	destination, ok := a.env["S3_DST_URL"]
	if !ok {
		return nil, unsetError("S3_DST_URL")
	}
	b := &bucket{access: a.env["AWS_ACCESS_KEY_ID"], secret: a.env["AWS_SECRET_ACCESS_KEY"]}
	if b.access == "" || b.secret == "" {
		return nil, errNoKeys
	}
	var err error
	if b.endpoint, err = url.Parse(endpoint); err != nil {
		return nil, err
	}
	target, err := url.Parse(destination)
	if err != nil {
		return nil, err
	}
	b.name, b.prefix = target.Host, strings.Trim(target.Path, "/")
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return nil, errors.New("http.DefaultTransport is not the standard one")
	}
	transport = transport.Clone()
	transport.ExpectContinueTimeout = time.Second
	b.client = &http.Client{Transport: transport}
	return b, nil
}

// ensure makes the bucket when it is not there.
func (b *bucket) ensure() error {
	answer, err := b.send(http.MethodHead, "", nil, nil, nil)
	if err == nil && answer.code == http.StatusNotFound {
		answer, err = b.send(http.MethodPut, "", nil, nil, nil)
		return good("CreateBucket", answer, err)
	}
	return good("HeadBucket", answer, err)
}

// Thresholds of boto3's transfers.
const (
	multipartFrom = 8 << 20
	partSize      = 8 << 20
)

// upload uploads a file, below the prefix.
func (b *bucket) upload(name, from string) error {
	return b.uploadAs(strings.TrimPrefix(b.prefix+"/"+name, "/"), from)
}

func (b *bucket) uploadAs(key, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	header := http.Header{"Content-Type": {contentType(key)}}
	first := make([]byte, multipartFrom)
	n, err := io.ReadFull(file, first)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b.put(key, nil, header, first[:n])
	}
	if err != nil {
		return err
	}
	return b.uploadParts(key, header, io.MultiReader(bytes.NewReader(first), file))
}

// put sends content, with its digest.
func (b *bucket) put(key string, query url.Values, header http.Header, content []byte) error {
	_, err := b.putPart(key, query, header, content)
	return err
}

func (b *bucket) putPart(key string, query url.Values, header http.Header, content []byte) (etag string, err error) {
	digest := md5.Sum(content)
	header = header.Clone()
	header.Set("Content-MD5", base64.StdEncoding.EncodeToString(digest[:]))
	header.Set("Expect", "100-continue")
	answer, err := b.send(http.MethodPut, key, query, header, content)
	return answer.header.Get("ETag"), good("PutObject", answer, err)
}

// uploadParts uploads in parts, one after the other.
func (b *bucket) uploadParts(key string, header http.Header, content io.Reader) error {
	answer, err := b.send(http.MethodPost, key, url.Values{"uploads": {""}}, header, nil)
	if err := good("CreateMultipartUpload", answer, err); err != nil {
		return err
	}
	var started struct{ UploadId string }
	if err := xml.Unmarshal(answer.body, &started); err != nil {
		return fmt.Errorf("answer to CreateMultipartUpload: %w", err)
	}
	var done strings.Builder
	part := make([]byte, partSize)
	for number := 1; ; number++ {
		n, err := io.ReadFull(content, part)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		etag, err := b.putPart(key, url.Values{"partNumber": {strconv.Itoa(number)}, "uploadId": {started.UploadId}}, http.Header{}, part[:n])
		if err != nil {
			return err
		}
		fmt.Fprintf(&done, "<Part><ETag>%s</ETag><PartNumber>%d</PartNumber></Part>", etag, number)
	}
	body := "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" + done.String() + "</CompleteMultipartUpload>"
	answer, err = b.send(http.MethodPost, key, url.Values{"uploadId": {started.UploadId}}, nil, []byte(body))
	return good("CompleteMultipartUpload", answer, err)
}

// list lists the keys below a folder, which ends in a slash, by the first
// version of that call.
func (b *bucket) list(folder string) (keys []string, err error) {
	query := url.Values{"prefix": {folder}, "encoding-type": {"url"}}
	for {
		answer, err := b.send(http.MethodGet, "", query, nil, nil)
		if err := good("ListObjects", answer, err); err != nil {
			return nil, err
		}
		var page struct {
			IsTruncated bool
			NextMarker  string
			Contents    []struct{ Key string }
		}
		if err := xml.Unmarshal(answer.body, &page); err != nil {
			return nil, fmt.Errorf("answer to ListObjects: %w", err)
		}
		for _, object := range page.Contents {
			key, err := url.QueryUnescape(object.Key)
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
		if !page.IsTruncated || len(keys) == 0 {
			return keys, nil
		}
		query.Set("marker", keys[len(keys)-1])
	}
}

// download asks for an object's size, and gets it.
func (b *bucket) download(key string, to io.Writer) error {
	answer, err := b.send(http.MethodHead, key, nil, nil, nil)
	if err := good("HeadObject", answer, err); err != nil {
		return err
	}
	request, err := b.request(http.MethodGet, key, nil, nil, nil)
	if err != nil {
		return err
	}
	content, err := b.client.Do(request)
	if err != nil {
		return err
	}
	defer content.Body.Close()
	if err := good("GetObject", reply{code: content.StatusCode}, nil); err != nil {
		return err
	}
	_, err = io.Copy(to, content.Body)
	return err
}

// good turns a bad answer into boto3's exception.
func good(operation string, answer reply, err error) error {
	if err != nil || answer.code < 300 {
		return err
	}
	var said struct{ Code, Message string }
	if xml.Unmarshal(answer.body, &said) != nil { // HEAD has no body
		said.Code, said.Message = strconv.Itoa(answer.code), http.StatusText(answer.code)
	}
	return fmt.Errorf("botocore.exceptions.ClientError: An error occurred (%s) when calling the %s operation: %s", said.Code, operation, said.Message)
}

// tries is how often boto3 sends a request that meets no server, or one that
// is not well.
const tries = 5

// send sends a request.
func (b *bucket) send(method, key string, query url.Values, header http.Header, content []byte) (answer reply, err error) {
	for try := range tries {
		if try > 0 {
			if err := wait(125 * time.Millisecond << try); err != nil {
				return reply{}, err
			}
		}
		if answer, err = b.sendOnce(method, key, query, header, content); err == nil && answer.code < 500 {
			break
		}
	}
	return answer, err
}

func (b *bucket) sendOnce(method, key string, query url.Values, header http.Header, content []byte) (reply, error) {
	request, err := b.request(method, key, query, header, content)
	if err != nil {
		return reply{}, err
	}
	answer, err := b.client.Do(request)
	if err != nil {
		return reply{}, fmt.Errorf("botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL: %q: %w", b.endpoint.String()+request.URL.EscapedPath(), err)
	}
	return read(answer)
}

// request makes a signed request.
func (b *bucket) request(method, key string, query url.Values, header http.Header, content []byte) (*http.Request, error) {
	u := *b.endpoint
	u.Path = "/" + b.name
	if key != "" {
		u.Path += "/" + key
	}
	u.RawPath = escape(u.Path, "/")
	u.RawQuery = canonicalQuery(query)
	request, err := http.NewRequest(method, u.String(), bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.URL.RawPath = u.RawPath
	maps.Copy(request.Header, header)
	request.Header.Set("User-Agent", userAgent)
	b.sign(request, content, time.Now().UTC())
	return request, nil
}

// sign adds a signature of version 4.
func (b *bucket) sign(request *http.Request, content []byte, now time.Time) {
	const region = "us-east-1"
	digest := sha256.Sum256(content)
	hash := hex.EncodeToString(digest[:])
	date, stamp := now.Format("20060102"), now.Format("20060102T150405Z")
	request.Header.Set("X-Amz-Content-SHA256", hash)
	request.Header.Set("X-Amz-Date", stamp)
	signed := map[string]string{"host": request.URL.Host, "x-amz-content-sha256": hash, "x-amz-date": stamp}
	for _, name := range []string{"Content-MD5", "Content-Type"} {
		if value := request.Header.Get(name); value != "" {
			signed[strings.ToLower(name)] = value
		}
	}
	names := slices.Sorted(maps.Keys(signed))
	canonical := []string{request.Method, request.URL.EscapedPath(), request.URL.RawQuery}
	for _, name := range names {
		canonical = append(canonical, name+":"+signed[name])
	}
	list := strings.Join(names, ";")
	canonical = append(canonical, "", list, hash)
	scope := date + "/" + region + "/s3/aws4_request"
	digest = sha256.Sum256([]byte(strings.Join(canonical, "\n")))
	key := []byte("AWS4" + b.secret)
	for _, part := range []string{date, region, "s3", "aws4_request", "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + hex.EncodeToString(digest[:])} {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(part)) // never fails
		key = mac.Sum(nil)
	}
	request.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", b.access, scope, list, hex.EncodeToString(key)))
}

// canonicalQuery is a query as signatures want it: sorted, %20 for a blank.
func canonicalQuery(query url.Values) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(query)) {
		parts = append(parts, escape(name, "")+"="+escape(query.Get(name), ""))
	}
	return strings.Join(parts, "&")
}

// escape escapes all but letters, digits, -._~ and what is safe besides.
func escape(s, safe string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~"+safe, c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// contentType is what Python guesses in the containers.
func contentType(name string) string {
	types := map[string]string{
		".log": "text/plain", ".txt": "text/plain", ".html": "text/html", ".csv": "text/csv", ".xml": "application/xml",
		".json": "application/json", ".zip": "application/zip", ".png": "image/png", ".svg": "image/svg+xml",
	}
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		if known, ok := types[name[dot:]]; ok {
			return known
		}
	}
	return "application/octet-stream"
}
