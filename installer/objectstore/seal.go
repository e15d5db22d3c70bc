package objectstore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// MinIO wants what holds a secret encrypted with the secret key of who sends
// it. The form: a salt, the number of a method, a nonce, and then segments,
// each sealed with the nonce and its number, and with the seal of nothing as
// additional data, whose first byte marks the last segment. This is the
// method that needs the standard library alone. Here is always one segment.
const (
	sealMethod = 2    // PBKDF2 and AES-256-GCM
	sealRounds = 8192 // of PBKDF2
	sealSalt   = 32
	sealNonce  = 8       // the other 4 bytes of GCM's are the segment's number
	sealLast   = 0x80    // marks the last segment
	sealMost   = 1 << 14 // the largest segment
)

// seal encrypts a message to MinIO.
func seal(secretKey string, message []byte) ([]byte, error) {
	if len(message) > sealMost {
		return nil, fmt.Errorf("a message to MinIO has %d bytes, more than %d", len(message), sealMost)
	}
	header := make([]byte, sealSalt+1+sealNonce)
	if _, err := rand.Read(header); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	header[sealSalt] = sealMethod
	key, err := pbkdf2.Key(sha256.New, secretKey, header[:sealSalt], sealRounds, 32)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	segment := func(number uint32) []byte {
		return binary.LittleEndian.AppendUint32(header[sealSalt+1:len(header):len(header)], number)
	}
	additional := aead.Seal([]byte{sealLast}, segment(0), nil, nil)
	return aead.Seal(header, segment(1), message, additional), nil
}
