package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/anuket-project/xtci/installer/testdb"
)

// maxJSON is the size of the largest document as JSON, in bytes: what a body
// of 16 MiB can come to when the server has written it in ASCII.
const maxJSON = 3 * 16 << 20

// errSize says that a document is too large.
var errSize = fmt.Errorf("the document is larger than %d MiB", maxJSON>>20)

// readJSON reads answers and documents, in any number and in lists.
func (i *importer) readJSON(in *input) error {
	for empty := true; ; empty = false {
		c, err := in.peekToken()
		switch {
		case errors.Is(err, io.EOF) && empty:
			return fmt.Errorf("%s is empty: give it answers of GET /results", in.name)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return in.failure(err)
		case c == '[':
			err = in.readList(func() error { return i.readObject(in) })
		default:
			err = i.readObject(in)
		}
		if err != nil {
			return err
		}
	}
}

// readObject reads an answer, which is an object with a list of documents
// under the name of their collection, or a document that stands alone.
func (i *importer) readObject(in *input) error {
	if err := in.expect('{', "an answer of GET /results or a document"); err != nil {
		return err
	}
	start := in.offset - 1
	alone := []member{}
	size := 0
	for first := true; ; first = false {
		m, ok, err := in.readName(first)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		next, err := in.peekToken()
		if err != nil {
			return in.failure(err)
		}
		if c := testdb.Collection(m.name); next == '[' && isCollection(c) {
			if err := i.readAnswer(in, c); err != nil {
				return err
			}
			alone = nil
			continue
		}
		if m.value, err = in.readValue(); err != nil {
			return err
		}
		if size += len(m.name) + len(m.value); size > maxJSON {
			return in.wrong(start, "%w; remove it and import again", errSize)
		}
		if alone != nil {
			alone = append(alone, m)
		}
	}
	if alone == nil {
		return nil
	}
	return i.add(in, i.options.Collection, plainNumbers(joinMembers(alone)), start)
}

// readAnswer reads the list of documents in an answer.
func (i *importer) readAnswer(in *input, c testdb.Collection) error {
	i.summary.tally(c)
	return in.readList(func() error {
		if _, err := in.peekToken(); err != nil {
			return in.failure(err)
		}
		start := in.offset
		raw, err := in.readValue()
		if err != nil {
			return err
		}
		return i.add(in, c, raw, start)
	})
}

// readList reads a list, each element with the function.
func (in *input) readList(element func() error) error {
	if err := in.expect('[', "a list"); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := in.more(']', first)
		if err != nil || !more {
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// more reads what stands before the next element, if there is one.
func (in *input) more(end byte, first bool) (bool, error) {
	c, err := in.peekToken()
	if err != nil {
		return false, in.failure(err)
	}
	if c == end {
		_, err := in.readByte()
		return false, err
	}
	if first {
		return true, nil
	}
	return true, in.expect(',', fmt.Sprintf("a comma or %c", end))
}

// readName reads the name of the next member of an object, and the colon.
func (in *input) readName(first bool) (m member, ok bool, err error) {
	if ok, err = in.more('}', first); err != nil || !ok {
		return member{}, false, err
	}
	c, err := in.peekToken()
	if err != nil {
		return member{}, false, in.failure(err)
	}
	start := in.offset
	if c != '"' {
		return member{}, false, in.wrong(start, "it is not JSON: a name should stand here, not %q", c)
	}
	raw, err := in.readValue()
	if err != nil {
		return member{}, false, err
	}
	if err := json.Unmarshal(raw, &m.name); err != nil {
		return member{}, false, in.wrong(start, "it is not JSON: %w", err)
	}
	return m, true, in.expect(':', "a colon")
}

// expect reads that character, after white space.
func (in *input) expect(want byte, what string) error {
	c, err := in.peekToken()
	if err != nil {
		return in.failure(err)
	}
	if c != want {
		return in.wrong(in.offset, "it is not the JSON that is looked for: %s should stand here, not %q", what, c)
	}
	_, err = in.readByte()
	return err
}

// peekToken skips white space and returns the character after it.
func (in *input) peekToken() (byte, error) {
	for {
		c, err := in.readByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		}
		in.unreadByte()
		return c, nil
	}
}

// readValue reads the text of a value. Whether it is JSON is for others to
// say: it counts brackets and knows strings, no more.
func (in *input) readValue() (json.RawMessage, error) {
	start := in.offset
	var value []byte
	for depth := 0; ; {
		c, err := in.readByte()
		if errors.Is(err, io.EOF) && depth == 0 && len(value) > 0 {
			return value, nil
		}
		if err != nil {
			return nil, in.failure(err)
		}
		if depth == 0 && endsValue(c) {
			in.unreadByte()
			if len(value) == 0 {
				return nil, in.wrong(start, "it is not JSON: a value should stand here, not %q", c)
			}
			return value, nil
		}
		value = append(value, c)
		switch c {
		case '"':
			if value, err = in.readString(value); err != nil {
				return nil, err
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if len(value) > maxJSON {
			return nil, in.wrong(start, "%w; remove it and import again", errSize)
		}
		if depth == 0 && (c == '"' || c == '}' || c == ']') {
			return value, nil
		}
	}
}

// readString reads to the end of a string, or to where it is too large.
func (in *input) readString(value []byte) ([]byte, error) {
	for escaped := false; len(value) <= maxJSON; {
		c, err := in.readByte()
		if err != nil {
			return nil, in.failure(err)
		}
		value = append(value, c)
		if c == '"' && !escaped {
			break
		}
		escaped = c == '\\' && !escaped
	}
	return value, nil
}

// endsValue says whether a character ends a number or a word.
func endsValue(c byte) bool {
	switch c {
	case ',', ':', ']', '}', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}
