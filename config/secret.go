package config

import "log/slog"

// redacted stands for a secret wherever it could be seen by accident.
const redacted = "[redacted]"

// A Secret is a password or a key. It shows itself only to Reveal.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String says that there is one, for %v.
func (s Secret) String() string { return s.hidden() }

// GoString says that there is one, for %#v.
func (s Secret) GoString() string { return s.hidden() }

// LogValue says that there is one, in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.hidden()) }

// MarshalText says that there is one, in JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.hidden()), nil }

// MarshalYAML says that there is one, in YAML.
func (s Secret) MarshalYAML() (any, error) { return s.hidden(), nil }

func (s Secret) hidden() string {
	if s == "" {
		return ""
	}
	return redacted
}
