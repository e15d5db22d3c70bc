package artifacts

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/anuket-project/xtci/testcases"
)

const attestedManifest = `{"schema":1,"files":[]}`

func attested(tb testing.TB, key *Key) []byte {
	tb.Helper()
	attestation, err := attest(tb.Context(), key, "ATTESTED", testcases.NotConformant, []byte(attestedManifest))
	if err != nil {
		tb.Fatal(err)
	}
	return attestation
}

func TestAttestationIsAnInTotoStatement(t *testing.T) {
	t.Parallel()
	key := benchKey(t)
	attestation := attested(t, key)
	got, signer, err := verifyAttestation(t.Context(), attestation, []byte(attestedManifest))
	if err != nil || !signer.Equal(key.PublicKey) {
		t.Fatalf("signer %s, %v", signer.Fingerprint(), err)
	}
	if got.Predicate.BuildTag != "ATTESTED" || got.Predicate.Verdict != testcases.NotConformant {
		t.Errorf("predicate %+v", got.Predicate)
	}
	// as any reader of DSSE and in-toto sees it
	var envelope struct {
		PayloadType, Payload string
		Signatures           []struct{ KeyID, Sig string }
	}
	if err := json.Unmarshal(attestation, &envelope); err != nil {
		t.Fatal(err)
	}
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil || envelope.PayloadType != "application/vnd.in-toto+json" || len(envelope.Signatures) != 1 || envelope.Signatures[0].KeyID != key.Fingerprint() {
		t.Errorf("envelope %+v, %v", envelope, err)
	}
	var s struct {
		Type    string `json:"_type"`
		Subject []struct {
			Name   string
			Digest struct{ SHA256 string }
		}
	}
	if err := json.Unmarshal(payload, &s); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(attestedManifest))
	if s.Type != "https://in-toto.io/Statement/v1" || len(s.Subject) != 1 || s.Subject[0].Name != "manifest.json" || s.Subject[0].Digest.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("statement %+v", s)
	}
	// the signature is over DSSE's pre-authentication encoding
	signature, err := base64.StdEncoding.DecodeString(envelope.Signatures[0].Sig)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Verify(t.Context(), dsse.PAE(envelope.PayloadType, payload), signature); err != nil {
		t.Error(err)
	}
}

// forge changes an attestation, and writes it as xtci would.
func forge(tb testing.TB, attestation []byte, change func(*dsse.Envelope)) []byte {
	tb.Helper()
	var envelope dsse.Envelope
	if err := json.Unmarshal(attestation, &envelope); err != nil {
		tb.Fatal(err)
	}
	change(&envelope)
	forged, err := encodeEnvelope(&envelope)
	if err != nil {
		tb.Fatal(err)
	}
	return forged
}

// signed is an attestation of any statement, signed well.
func signed(tb testing.TB, key *Key, payloadType string, s statement) []byte {
	tb.Helper()
	payload, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return signedBytes(tb, key, payloadType, payload)
}

func signedBytes(tb testing.TB, key *Key, payloadType string, payload []byte) []byte {
	tb.Helper()
	signer, err := dsse.NewEnvelopeSigner(key)
	if err != nil {
		tb.Fatal(err)
	}
	envelope, err := signer.SignPayload(tb.Context(), payloadType, payload)
	if err != nil {
		tb.Fatal(err)
	}
	out, err := encodeEnvelope(envelope)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// withPayload changes what an envelope says, and leaves its signature.
func withPayload(tb testing.TB, change func(*statement)) func(*dsse.Envelope) {
	return func(e *dsse.Envelope) {
		payload, err := e.DecodeB64Payload()
		var s statement
		if err = errors.Join(err, json.Unmarshal(payload, &s)); err != nil {
			tb.Fatal(err)
		}
		change(&s)
		payload, err = json.Marshal(s)
		if err != nil {
			tb.Fatal(err)
		}
		e.Payload = base64.StdEncoding.EncodeToString(payload)
	}
}

func TestForgedAttestationsAreRefused(t *testing.T) {
	t.Parallel()
	key, attacker := benchKey(t), benchKey(t)
	good := attested(t, key)
	statementOf := func(change func(*statement)) statement {
		s, _, err := verifyAttestation(t.Context(), good, []byte(attestedManifest))
		if err != nil {
			t.Fatal(err)
		}
		s.Predicate.PublicKey = base64.StdEncoding.EncodeToString(key.der())
		change(&s)
		return s
	}
	nothing := func(*statement) {}
	signature := func(e *dsse.Envelope) *string { return &e.Signatures[0].Sig }
	for _, test := range []struct {
		name        string
		attestation []byte
		want        string
	}{
		{"empty", nil, "not a DSSE envelope"},
		{"garbage", []byte("hello"), "not a DSSE envelope"},
		{"cut off", good[:len(good)/2], "not a DSSE envelope"},
		{"null", []byte("null"), "not written as xtci writes it"},
		{"an empty object", []byte("{}"), "not written as xtci writes it"},
		{"a blank more", append([]byte(" "), good...), "not written as xtci writes it"},
		{"a field more", []byte(strings.Replace(string(good), "{", `{"x":1,`, 1)), "not written as xtci writes it"},
		{"a field twice", []byte(strings.Replace(string(good), "{", `{"payloadType":"x",`, 1)), "not written as xtci writes it"},
		{"another payload type, signed", signed(t, key, "application/json", statementOf(nothing)), `in "application/json"`},
		{"another payload type", forge(t, good, func(e *dsse.Envelope) { e.PayloadType = "text/plain" }), `in "text/plain"`},
		{"a payload that is no statement", signedBytes(t, key, payloadType, []byte("hello")), "not an in-toto statement"},
		{"another type of statement", signed(t, key, payloadType, statementOf(func(s *statement) { s.Type = "https://in-toto.io/Statement/v0.1" })), "unknown kind of statement"},
		{"another predicate", signed(t, key, payloadType, statementOf(func(s *statement) { s.PredicateType = "https://slsa.dev/provenance/v1" })), `unknown kind of statement "https://slsa.dev/provenance/v1"`},
		{"no subject", signed(t, key, payloadType, statementOf(func(s *statement) { s.Subject = nil })), "it signs another manifest.json"},
		{"two subjects", signed(t, key, payloadType, statementOf(func(s *statement) { s.Subject = append(s.Subject, s.Subject[0]) })), "it signs another manifest.json"},
		{"another subject", signed(t, key, payloadType, statementOf(func(s *statement) { s.Subject[0].Name = "report.json" })), "it signs another manifest.json"},
		{"no signature", forge(t, good, func(e *dsse.Envelope) { e.Signatures = nil }), "it has 0 signatures"},
		{"the signature twice", forge(t, good, func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }), "it has 2 signatures"},
		{
			"a second signature by another key", forge(t, good, func(e *dsse.Envelope) {
				var other dsse.Envelope
				if err := json.Unmarshal(attested(t, attacker), &other); err != nil {
					t.Fatal(err)
				}
				e.Signatures = append(e.Signatures, other.Signatures...)
			}), "it has 2 signatures",
		},
		{"the signature in URL base64", forge(t, good, func(e *dsse.Envelope) { *signature(e) = urlBase64(t, *signature(e)) }), "signature: illegal base64"},
		{"the signature with a line break", forge(t, good, func(e *dsse.Envelope) { *signature(e) = "\n" + *signature(e) }), "signature: base64 not written as xtci"},
		{"the payload in URL base64", forge(t, signedWithOddBytes(t, key, statementOf(nothing)), func(e *dsse.Envelope) { e.Payload = urlBase64(t, e.Payload) }), "payload"},
		{"the payload with a line break", forge(t, good, func(e *dsse.Envelope) { e.Payload += "\n" }), "payload: base64 not written as xtci"},
		{"an empty signature", forge(t, good, func(e *dsse.Envelope) { *signature(e) = "" }), "does not verify"},
		{"another key's name", forge(t, good, func(e *dsse.Envelope) { e.Signatures[0].KeyID = attacker.Fingerprint() }), "the signature is by the key"},
		{"no key's name", forge(t, good, func(e *dsse.Envelope) { e.Signatures[0].KeyID = "" }), `the signature is by the key ""`},
		{"another verdict", forge(t, good, withPayload(t, func(s *statement) { s.Predicate.Verdict = testcases.Conformant })), "does not verify"},
		{
			"another key under the lab's signature", forge(t, good, func(e *dsse.Envelope) {
				withPayload(t, func(s *statement) { s.Predicate.PublicKey = base64.StdEncoding.EncodeToString(attacker.der()) })(e)
				e.Signatures[0].KeyID = attacker.Fingerprint()
			}), "does not verify with the key " + attacker.Fingerprint(),
		},
		{"the lab's key under another's signature", signed(t, attacker, payloadType, statementOf(nothing)), "the signature is by the key"},
		{"a key that is none", signed(t, key, payloadType, statementOf(func(s *statement) { s.Predicate.PublicKey = "aGVsbG8=" })), "public key"},
		{"no key", signed(t, key, payloadType, statementOf(func(s *statement) { s.Predicate.PublicKey = "" })), "public key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := verifyAttestation(t.Context(), test.attestation, []byte(attestedManifest))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func urlBase64(tb testing.TB, text string) string {
	tb.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// signedWithOddBytes has a payload that differs in the two alphabets of base64.
func signedWithOddBytes(tb testing.TB, key *Key, s statement) []byte {
	tb.Helper()
	s.Predicate.BuildTag = "?????????~~~~~~~~~"
	return signed(tb, key, payloadType, s)
}

// An archive signed anew by somebody else is sound in itself. Only the
// reviewer's copy of the key tells whose it is.
func TestAnotherSignerIsNamed(t *testing.T) {
	t.Parallel()
	attacker := benchKey(t)
	_, signer, err := verifyAttestation(t.Context(), attested(t, attacker), []byte(attestedManifest))
	if err != nil || !signer.Equal(attacker.PublicKey) {
		t.Errorf("signer %s, %v", signer.Fingerprint(), err)
	}
	if _, _, err := verifyAttestation(t.Context(), attested(t, attacker), []byte(attestedManifest+" ")); err == nil {
		t.Error("another manifest verifies")
	}
}

// Nothing but what was signed verifies.
func FuzzAttestation(f *testing.F) {
	// every process of a fuzz run needs the same key
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key := &Key{PublicKey: PublicKey{private.Public().(ed25519.PublicKey)}, private: private}
	good := attested(f, key)
	f.Add(good)
	f.Add(forge(f, good, func(e *dsse.Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }))
	f.Add(forge(f, good, func(e *dsse.Envelope) { e.Payload += "=" }))
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, _, err := verifyAttestation(t.Context(), raw, []byte(attestedManifest))
		if err == nil && string(raw) != string(good) {
			t.Errorf("verifies, and is not what was signed:\n%s", raw)
		}
	})
}

// A signed manifest is refused, or it lists what the archive holds.
func FuzzManifest(f *testing.F) {
	key, err := OpenKey(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	small := smallArchive(f, key)
	f.Add([]byte(contents(f, small)[Manifest]))
	f.Add([]byte(`{"schema":1,"files":[]}`))
	f.Add([]byte(`{"schema":1,"files":[{"path":"../x","size":-1}]}`))
	f.Add([]byte(`{"schema":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		archive := rewrite(t, small, func(entries []entry) []entry {
			for i := range entries {
				switch entries[i].name {
				case Manifest:
					entries[i].content = string(raw)
				case Attestation:
					attestation, err := attest(t.Context(), key, smallTag, testcases.NotConformant, raw)
					if err != nil {
						t.Fatal(err)
					}
					entries[i].content = string(attestation)
				}
			}
			return entries
		})
		got, err := integrity(t, archive, nil)
		if err != nil || len(got.Problems) > 0 {
			return
		}
		var m manifest
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		files := contents(t, archive)
		for _, entry := range m.Files {
			sum := sha256.Sum256([]byte(files[entry.Path]))
			if entry.SHA256 != hex.EncodeToString(sum[:]) {
				t.Errorf("%s: listed with %s", entry.Path, entry.SHA256)
			}
			delete(files, entry.Path)
		}
		if len(files) != 2 {
			t.Errorf("%d files are not listed, want the manifest and the attestation alone", len(files))
		}
	})
}
