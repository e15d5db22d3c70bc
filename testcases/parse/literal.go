package parse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A literalReader reads one value as it streams by: JSON, or JSON and what
// Python prints. The Python client of Kubernetes turns a pod's log that is
// JSON into a Python object, so the container's log holds single quotes,
// True, False and None (spec/results.md, 2).
//
// Nothing is held but the string that is being read. Errors are *Error with
// the line and no file.
type literalReader struct {
	r      *bufio.Reader
	python bool
	line   int
	left   int // bytes that may still be read
	depth  int
}

const (
	maxLiteralDepth = 64
	maxLiteralKeys  = 10_000   // of one object
	maxLiteralText  = 64 << 10 // bytes of a string that are kept
)

var errCut = errors.New("cut off: the report ends in the middle of a value")

func newLiteralReader(r io.Reader) *literalReader {
	return &literalReader{r: bufio.NewReaderSize(r, 64<<10), line: 1, left: maxReport}
}

// object calls each for every key; each must read or skip the value. A key
// that stands twice is an error. Null is an object without keys.
func (l *literalReader) object(each func(key string) error) error {
	first, err := l.peek()
	if err != nil {
		return err
	}
	if first != '{' {
		return l.null("an object")
	}
	seen := map[string]bool{}
	return l.list('}', func() error {
		if quote, err := l.peek(); err != nil {
			return err
		} else if !l.isQuote(quote) {
			return l.unexpected("a key in quotes", quote)
		}
		key, err := l.str()
		if err != nil {
			return err
		}
		// readers differ in which of two values counts
		if seen[key] {
			return l.fail("the key %q stands twice in one object", shorten(key, 100))
		}
		if seen[key] = true; len(seen) > maxLiteralKeys {
			return l.fail("an object with more than %d keys", maxLiteralKeys)
		}
		colon, err := l.peek()
		if err != nil {
			return err
		}
		if colon != ':' {
			return l.unexpected("a colon after a key", colon)
		}
		if _, err := l.next(); err != nil {
			return err
		}
		return each(key)
	})
}

// array calls each for every element; each must read or skip it. Null is an
// array without elements.
func (l *literalReader) array(each func() error) error {
	first, err := l.peek()
	if err != nil {
		return err
	}
	if first != '[' {
		return l.null("a list")
	}
	return l.list(']', each)
}

// list reads elements between commas up to the closing bracket.
func (l *literalReader) list(closing byte, each func() error) error {
	if l.depth++; l.depth > maxLiteralDepth {
		return l.fail("more than %d nested values", maxLiteralDepth)
	}
	defer func() { l.depth-- }()
	if _, err := l.next(); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := l.peek()
		if err != nil {
			return err
		}
		if c == closing && (first || l.python) {
			_, err := l.next()
			return err
		}
		if err := each(); err != nil {
			return err
		}
		if c, err = l.peek(); err != nil {
			return err
		}
		if c != ',' && c != closing {
			return l.unexpected(fmt.Sprintf("a comma or %q", closing), c)
		}
		if _, err := l.next(); err != nil || c == closing {
			return err
		}
	}
}

// within calls each with the value that the keys lead to, if it is there.
func (l *literalReader) within(keys []string, each func() error) error {
	if len(keys) == 0 {
		return each()
	}
	return l.object(func(key string) error {
		if key == keys[0] {
			return l.within(keys[1:], each)
		}
		return l.skip()
	})
}

// text reads a string; of other scalars their spelling, and of null nothing.
func (l *literalReader) text(into *string) error {
	first, err := l.peek()
	if err != nil {
		return err
	}
	switch {
	case l.isQuote(first):
		*into, err = l.str()
		return err
	case first == '{' || first == '[':
		return l.unexpected("a text", first)
	}
	word, err := l.word()
	if err == nil && !isNull(word) {
		*into = word
	}
	return err
}

// number reads a number; anything else is skipped, and ok is false.
func (l *literalReader) number() (n float64, ok bool, err error) {
	first, err := l.peek()
	if err != nil {
		return 0, false, err
	}
	if first != '-' && (first < '0' || first > '9') {
		return 0, false, l.skip()
	}
	word, err := l.word()
	if err != nil {
		return 0, false, err
	}
	n, err = strconv.ParseFloat(word, 64)
	return n, err == nil, nil
}

// boolean reads true or false; anything else is skipped, and ok is false.
func (l *literalReader) boolean() (value, ok bool, err error) {
	first, err := l.peek()
	if err != nil {
		return false, false, err
	}
	if !isLetter(first) {
		return false, false, l.skip()
	}
	word, err := l.word()
	value = strings.EqualFold(word, "true")
	return value, value || strings.EqualFold(word, "false"), err
}

// skip reads over any value.
func (l *literalReader) skip() error {
	first, err := l.peek()
	if err != nil {
		return err
	}
	switch {
	case first == '{':
		return l.object(func(string) error { return l.skip() })
	case first == '[':
		return l.array(l.skip)
	case l.isQuote(first):
		_, err = l.str()
	default:
		_, err = l.word()
	}
	return err
}

// end makes sure that nothing but space follows.
func (l *literalReader) end() error {
	c, err := l.peek()
	if errors.Is(err, errCut) {
		return nil
	}
	if err == nil {
		err = l.unexpected("the end of the file", c)
	}
	return err
}

// peek returns the first byte of the next token.
func (l *literalReader) peek() (byte, error) {
	for {
		c, err := l.next()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			l.unread(c)
			return c, nil
		}
	}
}

func (l *literalReader) next() (byte, error) {
	if l.left--; l.left < 0 {
		return 0, l.fail("the report is longer than %d MiB", maxReport>>20)
	}
	c, err := l.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, &Error{Line: l.line, Err: errCut}
	}
	if err != nil {
		return 0, &Error{Line: l.line, Err: err}
	}
	if c == '\n' {
		l.line++
	}
	return c, nil
}

// unread puts the byte back that next returned last.
func (l *literalReader) unread(c byte) {
	if l.r.UnreadByte() != nil {
		return // cannot be: it follows a read
	}
	l.left++
	if c == '\n' {
		l.line--
	}
}

func (l *literalReader) isQuote(c byte) bool { return c == '"' || l.python && c == '\'' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isNull(word string) bool { return word == "null" || word == "None" }

// word reads a number or a name, such as true or None.
func (l *literalReader) word() (string, error) {
	var word []byte
	for len(word) < 64 {
		c, err := l.next()
		if err != nil && !errors.Is(err, errCut) {
			return "", err
		}
		if err != nil {
			break
		}
		if !isLetter(c) && (c < '0' || c > '9') && !strings.ContainsRune("+-._", rune(c)) {
			l.unread(c)
			break
		}
		word = append(word, c)
	}
	switch text := string(word); {
	case text == "":
		c, err := l.next()
		if err != nil {
			return "", err
		}
		l.unread(c)
		return "", l.unexpected("a value", c)
	case json.Valid(word),
		l.python && (text == "True" || text == "False" || text == "None"):
		return text, nil
	default:
		return "", l.fail("%q is no value", text)
	}
}

// null reads null where another value was wanted.
func (l *literalReader) null(wanted string) error {
	first, err := l.peek()
	if err != nil {
		return err
	}
	if first != 'n' && first != 'N' {
		return l.unexpected(wanted, first)
	}
	word, err := l.word()
	if err == nil && !isNull(word) {
		err = l.fail("want %s, found %s", wanted, word)
	}
	return err
}

// str reads a string in quotes. What is longer than maxLiteralText is read
// over, and cut.
func (l *literalReader) str() (string, error) {
	quote, err := l.next()
	if err != nil {
		return "", err
	}
	var text []byte
	for {
		c, err := l.next()
		if err != nil {
			return "", err
		}
		add := []byte{c}
		switch {
		case c == quote:
			return strings.ToValidUTF8(string(text), "\uFFFD"), nil
		case c == '\\':
			if add, err = l.escape(); err != nil {
				return "", err
			}
		case c < ' ':
			l.unread(c)
			return "", l.fail("a line break or control character inside of a text")
		}
		if len(text) < maxLiteralText {
			text = append(text, add...)
		}
	}
}

// simpleEscapes are those of JSON; Python has a few more.
var (
	simpleEscapes = map[byte]string{'"': `"`, '\\': `\`, '/': `/`, 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t"}
	pythonEscapes = map[byte]string{'\'': "'", 'a': "\a", 'v': "\v", '\n': ""}
)

// escape reads what follows a backslash.
func (l *literalReader) escape() ([]byte, error) {
	c, err := l.next()
	if err != nil {
		return nil, err
	}
	if l.python && c == '/' {
		return []byte(`\/`), nil
	}
	if text, ok := simpleEscapes[c]; ok {
		return []byte(text), nil
	}
	if c == 'u' {
		return l.unicode(4)
	}
	if !l.python {
		return nil, l.fail("a text holds the unknown escape \\%s", printable(c))
	}
	if text, ok := pythonEscapes[c]; ok {
		return []byte(text), nil
	}
	switch {
	case c == 'x':
		return l.unicode(2)
	case c == 'U':
		return l.unicode(8)
	case c >= '0' && c <= '7':
		return l.octal(c)
	case c == 'N' || c < ' ':
		return nil, l.fail("a text holds the unknown escape \\%s", printable(c))
	default:
		return []byte{'\\', c}, nil // Python keeps what it does not know
	}
}

// unicode reads a character of so many hexadecimal digits. Above the first
// 65,536, JSON writes two halves.
func (l *literalReader) unicode(digits int) ([]byte, error) {
	char, err := l.hex(digits)
	if err != nil {
		return nil, err
	}
	if utf16.IsSurrogate(char) {
		if half, err := l.r.Peek(2); err == nil && string(half) == `\u` {
			if err := l.discard(2); err != nil {
				return nil, err
			}
			second, err := l.hex(4)
			if err != nil {
				return nil, err
			}
			char = utf16.DecodeRune(char, second)
		}
	}
	return utf8.AppendRune(nil, char), nil
}

func (l *literalReader) discard(n int) error {
	for range n {
		if _, err := l.next(); err != nil {
			return err
		}
	}
	return nil
}

func (l *literalReader) hex(digits int) (rune, error) {
	text := make([]byte, digits)
	for i := range text {
		c, err := l.next()
		if err != nil {
			return 0, err
		}
		if c == '\n' {
			l.unread(c)
			return 0, l.fail("a line break inside of a text")
		}
		text[i] = c
	}
	n, err := strconv.ParseUint(string(text), 16, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, l.fail("a text holds an escape of the digits %q, which is no character", text)
	}
	return rune(n), nil
}

func (l *literalReader) octal(first byte) ([]byte, error) {
	char := rune(first - '0')
	for range 2 {
		c, err := l.next()
		if err != nil {
			return nil, err
		}
		if c < '0' || c > '7' {
			l.unread(c)
			break
		}
		char = char*8 + rune(c-'0')
	}
	return utf8.AppendRune(nil, char), nil
}

func (l *literalReader) unexpected(wanted string, found byte) error {
	return l.fail("want %s, found %s", wanted, printable(found))
}

func printable(c byte) string {
	if c >= utf8.RuneSelf {
		return fmt.Sprintf("the byte 0x%02X", c)
	}
	return strconv.QuoteRune(rune(c))
}

func (l *literalReader) fail(format string, args ...any) error {
	return &Error{Line: l.line, Err: fmt.Errorf(format, args...)}
}

// literalStart is a line that a report may start on: a list of objects, or
// an object, maybe behind the prefix of the log's line.
var literalStart = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ - [\w.]+ - [A-Z]+ - )?[ \t]*(\[\s*\{|\{\s*["'])`)

// eachLiteral calls each for every place in a log where a value starts on a
// line, and goes on behind what each has read.
func eachLiteral(r io.Reader, each func(*literalReader)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for line := 1; ; {
		head, err := in.Peek(256)
		if len(head) == 0 {
			return atEOF(err)
		}
		if at := literalStart.FindSubmatchIndex(head); at != nil {
			if _, err := in.Discard(at[2]); err != nil {
				return err
			}
			l := &literalReader{r: in, python: true, line: line, left: maxReport}
			each(l)
			line = l.line
		}
		n, err := endLine(in)
		if err != nil {
			return atEOF(err)
		}
		line += n
	}
}

// endLine reads up to the end of the line.
func endLine(in *bufio.Reader) (lines int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return bytes.Count(part, []byte{'\n'}), err
	}
}

// atEOF makes the end of a file no error.
func atEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
