package objectstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// policy is a document of rights, in the form that S3 and MinIO share.
type policy struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

type statement struct {
	Effect    string              `json:"Effect"`
	Principal map[string][]string `json:"Principal,omitempty"`
	Action    []string            `json:"Action"`
	Resource  []string            `json:"Resource,omitempty"`
}

const policyVersion = "2012-10-17"

func arn(resource string) string { return "arn:aws:s3:::" + resource }

// jobsPolicy is what the key of the jobs may do: what Xtesting's run_tests
// and zip_campaign do (spec/testapi-xtesting.md b.5 and c), and no more. It
// may delete nothing. Without the denial it could change its own secret, and
// make further keys that outlive a change of the secret.
func jobsPolicy(bucket string) policy {
	return policy{Version: policyVersion, Statement: []statement{
		{Effect: "Allow", Action: []string{"s3:GetBucketLocation", "s3:ListBucket"}, Resource: []string{arn(bucket)}},
		{
			Effect:   "Allow",
			Action:   []string{"s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"},
			Resource: []string{arn(bucket + "/*")},
		},
		{Effect: "Deny", Action: []string{"admin:*"}},
	}}
}

// anonymousPolicy lets everybody read an object whose name they know, and
// list nothing.
func anonymousPolicy(bucket string) policy {
	return policy{Version: policyVersion, Statement: []statement{{
		Effect: "Allow", Principal: map[string][]string{"AWS": {"*"}},
		Action: []string{"s3:GetObject"}, Resource: []string{arn(bucket + "/*")},
	}}}
}

func (p policy) encode() ([]byte, error) {
	encoded, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("write the rights: %w", err)
	}
	return encoded, nil
}

// equals says whether a store's document grants the same. Stores order lists
// as they like, and write lists of one as a text.
func (p policy) equals(document []byte) bool {
	want, err := p.encode()
	if err != nil {
		return false
	}
	return reflect.DeepEqual(canonical(want), canonical(document))
}

// canonical reads a document of rights: lists sorted, a list of one as that
// one, and what is empty left out. It is nil when it is no JSON.
func canonical(document []byte) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(document))
	if err := decoder.Decode(&value); err != nil {
		return nil
	}
	return ordered(value)
}

func ordered(value any) any {
	switch value := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range value {
			if inner = ordered(inner); inner != nil && inner != "" {
				kept[key] = inner
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		items := make([]any, 0, len(value))
		for _, inner := range value {
			items = append(items, ordered(inner))
		}
		slices.SortFunc(items, func(a, b any) int { return bytes.Compare(text(a), text(b)) })
		switch len(items) {
		case 0:
			return nil
		case 1:
			return items[0]
		}
		return items
	}
	return value
}

func text(value any) []byte {
	encoded, _ := json.Marshal(value) //nolint:errchkjson // it was decoded from JSON
	return encoded
}
