package objectstore

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7"
)

// permanentError is an error that waiting cannot mend.
type permanentError struct{ error }

func (permanentError) Permanent() bool { return true }
func (e permanentError) Unwrap() error { return e.error }

// permanent returns an error that waiting cannot mend.
func permanent(format string, a ...any) error {
	return permanentError{fmt.Errorf(format, a...)}
}

// A StatusError is a refusal of MinIO's own API.
type StatusError struct {
	Method, Path string
	Code         int    // of HTTP
	Reason       string // MinIO's, such as XMinioAdminNoSuchUser
	Message      string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s: %s %s", e.Method, e.Path, e.Code, http.StatusText(e.Code), e.Reason, e.Message)
}

// reasonOf is the code with which a store refused, such as AccessDenied, or
// empty.
func reasonOf(err error) string {
	if refused, ok := errors.AsType[*StatusError](err); ok {
		return refused.Reason
	}
	if refused, ok := errors.AsType[minio.ErrorResponse](err); ok {
		return refused.Code
	}
	return ""
}

// Reasons of stores, S3's and MinIO's.
const (
	reasonDenied       = "AccessDenied"
	reasonSignature    = "SignatureDoesNotMatch"
	reasonNoKey        = "InvalidAccessKeyId"
	reasonKeyOff       = "XMinioAccessKeyDisabled"
	reasonNoBucket     = "NoSuchBucket"
	reasonOwned        = "BucketAlreadyOwnedByYou"
	reasonTaken        = "BucketAlreadyExists"
	reasonNoUser       = "XMinioAdminNoSuchUser"
	reasonNoPolicy     = "XMinioAdminNoSuchPolicy"
	reasonFull         = "XMinioStorageFull"
	reasonSkew         = "RequestTimeTooSkewed"
	reasonPrecondition = "PreconditionFailed"
	reasonUnknownAPI   = "NotImplemented"
)

// explain says what was tried on which store, and what to do about a refusal.
// What a store refuses by a reason of these waiting cannot mend.
func explain(tried, endpoint string, err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // the URL is in the message already, without its query
	}
	remedies := map[string]string{
		reasonDenied:    "give the key the right to do it, or use another one",
		reasonSignature: "the secret key is not that of the access key: correct it, or another store has the port",
		reasonNoKey:     "the store does not know the access key: correct it, or another store has the port",
		reasonKeyOff:    "the access key is disabled: enable it, or use another one",
		reasonNoBucket:  "make the bucket, or name another one in stack.minio.bucket",
		reasonTaken:     "somebody else has a bucket of this name: name another one in stack.minio.bucket",
		reasonFull:      "its disk is full: make room there",
		reasonSkew:      "the clocks differ too much: set the clock of this host or of the store",
	}
	reason := reasonOf(err)
	if remedy := remedies[reason]; remedy != "" {
		return permanent("%s on the object store %s: %s: %w (%s)", tried, endpoint, reason, err, remedy)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s on the object store %s: %w", tried, endpoint, err)
}
