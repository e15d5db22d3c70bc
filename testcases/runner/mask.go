package runner

import (
	"bytes"
	"io"
)

// masked stands for a secret in what others may read.
const masked = "[redacted]"

// A maskWriter writes on what it is given, without a secret. What may be the
// beginning of one is held back until more comes, or flush is called.
type maskWriter struct {
	to     io.Writer
	secret []byte
	held   []byte
}

// minSecret is the shortest that is masked, as long as MinIO wants it: shorter
// ones are words, too.
const minSecret = 8

// Write implements io.Writer.
func (m *maskWriter) Write(p []byte) (int, error) {
	if len(m.secret) < minSecret {
		return m.to.Write(p)
	}
	m.held = append(m.held, p...)
	for {
		before, after, found := bytes.Cut(m.held, m.secret)
		if !found {
			break
		}
		if _, err := m.to.Write(append(before[:len(before):len(before)], masked...)); err != nil {
			return 0, err
		}
		m.held = bytes.Clone(after)
	}
	if whole := len(m.held) - len(m.secret) + 1; whole > 0 {
		if _, err := m.to.Write(m.held[:whole]); err != nil {
			return 0, err
		}
		m.held = append(m.held[:0], m.held[whole:]...)
	}
	return len(p), nil
}

// flush writes what was held back.
func (m *maskWriter) flush() error {
	_, err := m.to.Write(m.held)
	m.held = nil
	return err
}
