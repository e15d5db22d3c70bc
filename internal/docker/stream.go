package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/distribution/reference"
)

// A message is a line of what the engine tells while it works on an image.
type message struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Stream   string `json:"stream"`
	Progress struct {
		Current int64 `json:"current"`
		Total   int64 `json:"total"`
	} `json:"progressDetail"`
	Error string          `json:"error"`
	Aux   json.RawMessage `json:"aux"`
}

// readMessages hands out what the engine tells, to its end. A failure within
// is an error.
func readMessages(r io.Reader, each func(message)) error {
	decoder := json.NewDecoder(r)
	for {
		var m message
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var syntax *json.SyntaxError
		switch {
		case errors.As(err, &syntax):
			return fmt.Errorf("the engine's answer is not JSON at byte %d: %w", syntax.Offset, err)
		case err != nil:
			return err
		case m.Error != "":
			return errors.New(m.Error)
		}
		each(m)
	}
}

// layers adds up the progress of an image's layers.
type layers map[string]PullProgress

// add takes a message in and says how far the whole is.
func (l layers) add(m message) PullProgress {
	if m.ID != "" {
		layer := l[m.ID]
		switch {
		case m.Status == "Downloading" || m.Status == "Pushing":
			layer.Done, layer.Total = m.Progress.Current, max(m.Progress.Total, m.Progress.Current)
		case m.Progress.Total == 0 && layer.Total > 0:
			// Download complete, Verifying Checksum, Pull complete
			layer.Done = layer.Total
		}
		l[m.ID] = layer
	}
	whole := PullProgress{Status: m.Status}
	for _, layer := range l {
		whole.Done += layer.Done
		whole.Total += layer.Total
	}
	return whole
}

// parseReference reads the reference of an image; without a tag or digest it
// gets the tag latest.
func parseReference(ref string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", ref, err)
	}
	return reference.TagNameOnly(named), nil
}

// A source is a caller's reader whose error is kept: the library passes it on
// as one of the connection.
type source struct {
	from io.Reader
	mu   sync.Mutex // the library reads in a goroutine of its own
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

// or is the reader's own error, or else err.
func (s *source) or(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err != nil {
		return &failure{message: "read what is to be sent: " + s.err.Error(), cause: s.err}
	}
	return err
}

// A sink is a caller's writer, or none, whose error is kept apart from those
// of the engine.
type sink struct {
	to  io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.to == nil {
		return len(p), nil
	}
	n, err := s.to.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}
