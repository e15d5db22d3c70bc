package cluster

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// Ways to prove an account.
const (
	ByCertificate = "client certificate"
	ByToken       = "token"
	ByPlugin      = "credential plugin"
	ByPassword    = "password"
	ByNothing     = "nothing"
)

// Credentials tell how an account is proved, and for how long that can be
// done.
type Credentials struct {
	By string `json:"by"`
	// Account is the name in a certificate or token, as far as it says.
	Account string `json:"account,omitempty"`
	// Begin and Expires are zero when they do not say. With several proofs,
	// those of the one that expires first.
	Begin   time.Time `json:"begin,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// newCredentials tells what there is of credentials. Without TLS none are
// sent.
func newCredentials(config *rest.Config, certificate []byte, token string) Credentials {
	var all []Credentials
	if leaf := firstCertificate(certificate); leaf != nil {
		all = append(all, Credentials{By: ByCertificate, Account: leaf.Subject.CommonName, Begin: leaf.NotBefore, Expires: leaf.NotAfter})
	}
	if token != "" {
		all = append(all, tokenCredentials(token))
	}
	if len(all) == 2 && !all[1].Expires.IsZero() && all[1].Expires.Before(all[0].Expires) {
		return all[1]
	}
	switch {
	case len(all) > 0:
		return all[0]
	case config.ExecProvider != nil:
		return Credentials{By: ByPlugin}
	case config.Username != "":
		return Credentials{By: ByPassword, Account: config.Username}
	default:
		return Credentials{By: ByNothing}
	}
}

// tokenCredentials reads what a token says of itself, if it is a JWT (RFC
// 7519). Whether it is a good one, the server says.
func tokenCredentials(token string) Credentials {
	c := Credentials{By: ByToken}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return c
	}
	var claims struct {
		Subject   string  `json:"sub"`
		NotBefore float64 `json:"nbf"`
		Expires   float64 `json:"exp"`
	}
	if json.Unmarshal(raw, &claims) != nil {
		return c
	}
	c.Account = claims.Subject
	c.Begin, c.Expires = seconds(claims.NotBefore), seconds(claims.Expires)
	return c
}

// seconds is a time in seconds since 1970. Without any, or beyond the year
// 9999, which JSON cannot tell, it is none.
func seconds(since float64) time.Time {
	const end = 253402300800
	if since <= 0 || since >= end {
		return time.Time{}
	}
	return time.Unix(int64(since), 0).UTC()
}

// firstCertificate is the first certificate in PEM, or nil.
func firstCertificate(text []byte) *x509.Certificate {
	for len(text) > 0 {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
			return certificate
		}
	}
	return nil
}

func hasCertificate(text []byte) bool {
	return firstCertificate(bytes.TrimSpace(text)) != nil
}
