package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// pretty writes JSON for people: a line for each value, and characters
// instead of their escapes. It stops after limit bytes, and says whether that
// was all: deep JSON would be a thousand times as long with its indents.
func pretty(raw json.RawMessage, limit int) (out string, whole bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var p printer
	for p.out.Len() <= limit {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && len(p.open) == 0 {
			return p.out.String(), true
		}
		if err != nil { // what is stored is JSON
			p.out.WriteString("\n(not JSON: " + err.Error() + ")")
			return p.out.String(), true
		}
		p.add(token)
	}
	return strings.ToValidUTF8(p.out.String()[:limit], ""), false
}

// A printer writes JSON token by token.
type printer struct {
	out   strings.Builder
	open  []level
	after bool // a name, whose value comes next
}

// A level is an object or list that is open.
type level struct {
	object bool
	values int
}

func (p *printer) add(token json.Token) {
	if token == json.Delim('}') || token == json.Delim(']') {
		last := p.open[len(p.open)-1]
		p.open = p.open[:len(p.open)-1]
		if last.values > 0 {
			p.line()
		}
		p.out.WriteString(token.(json.Delim).String()) //nolint:forcetypeassert // just compared
		return
	}
	name := p.place()
	switch t := token.(type) {
	case json.Delim:
		p.out.WriteString(t.String())
		p.open = append(p.open, level{object: t == '{'})
	default:
		p.out.WriteString(scalar(t))
	}
	if name {
		p.out.WriteString(": ")
		p.after = true
	}
}

// place goes to where the next token belongs, and says whether it is a name.
func (p *printer) place() (name bool) {
	if p.after || len(p.open) == 0 {
		p.after = false
		return false
	}
	in := &p.open[len(p.open)-1]
	if in.values > 0 {
		p.out.WriteByte(',')
	}
	in.values++
	p.line()
	return in.object
}

func (p *printer) line() {
	p.out.WriteByte('\n')
	for range p.open {
		p.out.WriteString("  ")
	}
}

// scalar is a value as JSON, with nothing escaped that need not be.
func scalar(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "(" + err.Error() + ")"
	}
	return strings.TrimSuffix(out.String(), "\n")
}
