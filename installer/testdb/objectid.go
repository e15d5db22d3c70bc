package testdb

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
	"time"
)

// objectIDs makes ids as MongoDB does: 4 bytes of seconds, 5 random ones of
// this process, 3 of a counter. Each is greater than the one before, even if
// the clock is put back.
type objectIDs struct {
	clock   func() time.Time
	process [5]byte

	mu      sync.Mutex
	seconds uint32
	counter uint32
}

// maxCounter is the greatest counter that three bytes hold.
const maxCounter = 1<<24 - 1

func newObjectIDs(clock func() time.Time) *objectIDs {
	ids := &objectIDs{clock: clock}
	_, _ = rand.Read(ids.process[:]) // it never fails
	return ids
}

// next returns a new id.
func (ids *objectIDs) next() string {
	ids.mu.Lock()
	defer ids.mu.Unlock()
	now := uint32(ids.clock().Unix()) //nolint:gosec // MongoDB's form ends in 2106 too
	switch {
	case now > ids.seconds:
		ids.seconds, ids.counter = now, 0
	case ids.counter == maxCounter:
		ids.seconds, ids.counter = ids.seconds+1, 0
	default:
		ids.counter++
	}
	var id [12]byte
	binary.BigEndian.PutUint32(id[8:], ids.counter) // its first byte is 0 and overwritten
	binary.BigEndian.PutUint32(id[:4], ids.seconds)
	copy(id[4:9], ids.process[:])
	return hex.EncodeToString(id[:])
}

// parseObjectID returns an id in its one form, and whether it is one.
func parseObjectID(s string) (string, bool) {
	if len(s) != 24 {
		return "", false
	}
	if _, err := hex.DecodeString(s); err != nil {
		return "", false
	}
	return strings.ToLower(s), true
}
