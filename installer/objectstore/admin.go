package objectstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/minio/minio-go/v7/pkg/signer"
)

// maxAnswer is the largest answer read: a list of all policies.
const maxAnswer = 4 << 20

// admin makes the calls of MinIO's own API that are needed.
type admin struct {
	endpoint  *url.URL
	http      *http.Client
	accessKey string
	secretKey string
}

// user is what MinIO tells of a user.
type user struct {
	Policies string `json:"policyName"` // their names, with commas
	Status   string `json:"status"`     // enabled or disabled
}

const enabled = "enabled"

// user returns a user, or nil when there is none of the name.
func (a *admin) user(ctx context.Context, accessKey string) (*user, error) {
	var known user
	err := a.call(ctx, http.MethodGet, "user-info", url.Values{"accessKey": {accessKey}}, nil, &known)
	if reasonOf(err) == reasonNoUser {
		return nil, nil //nolint:nilnil // that there is none is no error
	}
	if err != nil {
		return nil, err
	}
	return &known, nil
}

// setUser makes a user, or gives it another secret.
func (a *admin) setUser(ctx context.Context, accessKey, secretKey string) error {
	message, err := json.Marshal(map[string]string{"secretKey": secretKey, "status": enabled})
	if err != nil {
		return fmt.Errorf("write a user: %w", err)
	}
	sealed, err := seal(a.secretKey, message)
	if err != nil {
		return err
	}
	return a.call(ctx, http.MethodPut, "add-user", url.Values{"accessKey": {accessKey}}, sealed, nil)
}

func (a *admin) removeUser(ctx context.Context, accessKey string) error {
	return a.call(ctx, http.MethodDelete, "remove-user", url.Values{"accessKey": {accessKey}}, nil, nil)
}

// setUserPolicy gives a user one policy in place of all that it had.
func (a *admin) setUserPolicy(ctx context.Context, accessKey, name string) error {
	query := url.Values{"policyName": {name}, "userOrGroup": {accessKey}, "isGroup": {"false"}}
	return a.call(ctx, http.MethodPut, "set-user-or-group-policy", query, nil, nil)
}

// policies returns all policies by name.
func (a *admin) policies(ctx context.Context) (map[string]json.RawMessage, error) {
	known := map[string]json.RawMessage{}
	err := a.call(ctx, http.MethodGet, "list-canned-policies", nil, nil, &known)
	return known, err
}

func (a *admin) setPolicy(ctx context.Context, name string, p policy) error {
	encoded, err := p.encode()
	if err != nil {
		return err
	}
	return a.call(ctx, http.MethodPut, "add-canned-policy", url.Values{"name": {name}}, encoded, nil)
}

func (a *admin) removePolicy(ctx context.Context, name string) error {
	return a.call(ctx, http.MethodDelete, "remove-canned-policy", url.Values{"name": {name}}, nil, nil)
}

// call makes a call.
func (a *admin) call(ctx context.Context, method, name string, query url.Values, body []byte, receive any) error {
	u := a.endpoint.JoinPath("minio", "admin", "v3", name)
	u.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, u.Path, err)
	}
	digest := sha256.Sum256(body)
	request.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(digest[:]))
	request = signer.SignV4(*request, a.accessKey, a.secretKey, "", "")
	answer, err := a.http.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: read the answer: %w", method, u.Path, err)
	case len(read) > maxAnswer:
		return fmt.Errorf("%s %s: the answer is larger than %d bytes", method, u.Path, maxAnswer)
	case answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent:
		return refusal(method, u.Path, answer.StatusCode, read)
	case receive == nil:
		return nil
	}
	if err := json.Unmarshal(read, receive); err != nil {
		return fmt.Errorf("%s %s: the answer %.100q is not MinIO's: %w", method, u.Path, read, err)
	}
	return nil
}

// refusal reads an answer that is an error.
func refusal(method, path string, code int, body []byte) error {
	var told struct{ Code, Message string }
	if json.Unmarshal(body, &told) != nil {
		told.Message = fmt.Sprintf("%.200q", body)
	}
	return &StatusError{Method: method, Path: path, Code: code, Reason: told.Code, Message: told.Message}
}
