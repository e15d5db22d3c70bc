package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/anuket-project/xtci/testcases"
)

// Types of the attestation: an in-toto statement in a DSSE envelope.
const (
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://github.com/anuket-project/xtci/docs/archive.md#attestation-v1"
)

// maxAttestation is the largest attestation that is read.
const maxAttestation = 64 << 10

// A statement says of a manifest, and so of everything in an archive, which
// campaign it is and who says so.
type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// The predicate carries the signer's public key, so that an archive can be
// checked against itself; only a key that the reviewer knows says whose it is.
type predicate struct {
	BuildTag  string                    `json:"build_tag"`
	Verdict   testcases.CampaignVerdict `json:"verdict"`
	PublicKey string                    `json:"public_key"` // PKIX, base64
}

// attest signs the manifest.
func attest(ctx context.Context, key *Key, tag string, verdict testcases.CampaignVerdict, manifest []byte) ([]byte, error) {
	sum := sha256.Sum256(manifest)
	payload, err := json.Marshal(statement{
		Type:          statementType,
		Subject:       []subject{{Name: Manifest, Digest: map[string]string{"sha256": hex.EncodeToString(sum[:])}}},
		PredicateType: predicateType,
		Predicate:     predicate{BuildTag: tag, Verdict: verdict, PublicKey: base64.StdEncoding.EncodeToString(key.der())},
	})
	if err != nil {
		return nil, fmt.Errorf("attest the manifest: %w", err)
	}
	signer, err := dsse.NewEnvelopeSigner(key)
	if err != nil {
		return nil, fmt.Errorf("attest the manifest: %w", err)
	}
	envelope, err := signer.SignPayload(ctx, payloadType, payload)
	if err != nil {
		return nil, fmt.Errorf("sign the manifest: %w", err)
	}
	return encodeEnvelope(envelope)
}

func encodeEnvelope(envelope *dsse.Envelope) ([]byte, error) {
	return json.MarshalIndent(envelope, "", " ")
}

// verifyAttestation checks the envelope, its signature, and that it is of
// this manifest. The key is that which the envelope itself carries.
func verifyAttestation(ctx context.Context, attestation, manifest []byte) (statement, PublicKey, error) {
	var envelope dsse.Envelope
	if err := json.Unmarshal(attestation, &envelope); err != nil {
		return statement{}, PublicKey{}, fmt.Errorf("not a DSSE envelope: %w", err)
	}
	if again, err := encodeEnvelope(&envelope); err != nil || !bytes.Equal(again, attestation) {
		return statement{}, PublicKey{}, errors.New("not written as xtci writes it: it was changed")
	}
	payload, err := envelope.DecodeB64Payload()
	if err != nil {
		return statement{}, PublicKey{}, fmt.Errorf("payload: %w", err)
	}
	var s statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return statement{}, PublicKey{}, fmt.Errorf("payload is not an in-toto statement: %w", err)
	}
	if envelope.PayloadType != payloadType || s.Type != statementType || s.PredicateType != predicateType {
		return s, PublicKey{}, fmt.Errorf("unknown kind of statement %q in %q", s.PredicateType, envelope.PayloadType)
	}
	key, err := verifySignature(ctx, &envelope, s.Predicate.PublicKey)
	if err != nil {
		return s, key, err
	}
	sum := sha256.Sum256(manifest)
	if len(s.Subject) != 1 || s.Subject[0].Name != Manifest || s.Subject[0].Digest["sha256"] != hex.EncodeToString(sum[:]) {
		return s, key, errors.New("it signs another " + Manifest + " than the archive holds")
	}
	return s, key, nil
}

func verifySignature(ctx context.Context, envelope *dsse.Envelope, publicKey string) (PublicKey, error) {
	der, err := decodeBase64(publicKey)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	key, err := parsePublicKey(der)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	if len(envelope.Signatures) != 1 {
		return key, fmt.Errorf("it has %d signatures, xtci writes one: it was changed", len(envelope.Signatures))
	}
	if _, err := decodeBase64(envelope.Signatures[0].Sig); err != nil {
		return key, fmt.Errorf("signature: %w", err)
	}
	if envelope.Signatures[0].KeyID != key.Fingerprint() {
		return key, fmt.Errorf("the signature is by the key %q, the statement by %s", envelope.Signatures[0].KeyID, key.Fingerprint())
	}
	if _, err := decodeBase64(envelope.Payload); err != nil {
		return key, fmt.Errorf("payload: %w", err)
	}
	verifier, err := dsse.NewEnvelopeVerifier(key)
	if err != nil {
		return key, err
	}
	if _, err := verifier.Verify(ctx, envelope); err != nil {
		return key, fmt.Errorf("the signature does not verify with the key %s that it names: %w", key.Fingerprint(), err)
	}
	return key, nil
}

// decodeBase64 takes one of the several spellings that base64 has for the
// same bytes: the standard one, without line breaks.
func decodeBase64(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	if base64.StdEncoding.EncodeToString(raw) != text {
		return nil, errors.New("base64 not written as xtci writes it: it was changed")
	}
	return raw, nil
}
