package jenkinstest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// maxDepth is how deep elements may be nested.
const maxDepth = 200

// A node is an element, or a text or a comment, whose name says so.
type node struct {
	name  string
	attrs []xml.Attr
	kids  []*node
	text  string // of a text or a comment
}

const (
	textNode    = "#text"
	commentNode = "#comment"
)

func (n *node) isElement() bool { return !strings.HasPrefix(n.name, "#") }

// elements returns the children that are elements.
func (n *node) elements() []*node {
	if n == nil {
		return nil
	}
	var found []*node
	for _, kid := range n.kids {
		if kid.isElement() {
			found = append(found, kid)
		}
	}
	return found
}

// child returns the first child element of that name, or nil.
func (n *node) child(name string) *node {
	for _, kid := range n.elements() {
		if kid.name == name {
			return kid
		}
	}
	return nil
}

// value returns the text of the child element of that name.
func (n *node) value(name string) string { return n.child(name).content() }

// content returns the text within an element.
func (n *node) content() string {
	if n == nil {
		return ""
	}
	var text strings.Builder
	for _, kid := range n.kids {
		if kid.name == textNode {
			text.WriteString(kid.text)
		}
	}
	return text.String()
}

func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func element(name string, kids ...*node) *node { return &node{name: name, kids: kids} }

func leaf(name, value string) *node {
	if value == "" {
		return element(name)
	}
	return element(name, &node{name: textNode, text: value})
}

// prolog is the XML declaration. encoding/xml refuses version 1.1, which
// Jenkins writes.
var prolog = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)

// parseXML reads a document.
func parseXML(text []byte) (*node, error) {
	decoder := xml.NewDecoder(bytes.NewReader(prolog.ReplaceAll(text, nil)))
	root := &node{}
	open := []*node{root}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			if len(open) > maxDepth {
				return nil, fmt.Errorf("elements are nested deeper than %d", maxDepth)
			}
			n := &node{name: token.Name.Local, attrs: token.Copy().Attr}
			top.kids = append(top.kids, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if top != root {
				top.kids = append(top.kids, &node{name: textNode, text: string(token)})
			}
		case xml.Comment:
			top.kids = append(top.kids, &node{name: commentNode, text: string(token)})
		}
	}
	roots := root.elements()
	if len(roots) != 1 {
		return nil, fmt.Errorf("%d root elements, want one", len(roots))
	}
	return roots[0], nil
}

var textEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xd;")

var attrEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#10;", "\t", "&#9;", "\r", "&#13;")

// asPosted writes a document as Jenkins keeps one that was posted: copied
// token by token, not yet rewritten.
func asPosted(n *node) []byte {
	var out bytes.Buffer
	out.WriteString(`<?xml version="1.0" encoding="UTF-8"?>`)
	writeNode(&out, n)
	return out.Bytes()
}

func writeNode(out *bytes.Buffer, n *node) {
	switch n.name {
	case textNode:
		out.WriteString(textEscapes.Replace(n.text))
		return
	case commentNode:
		out.WriteString("<!--" + n.text + "-->")
		return
	}
	writeStart(out, n)
	if len(n.kids) == 0 {
		out.WriteString("/>")
		return
	}
	out.WriteByte('>')
	for _, kid := range n.kids {
		writeNode(out, kid)
	}
	out.WriteString("</" + n.name + ">")
}

func writeStart(out *bytes.Buffer, n *node) {
	out.WriteString("<" + n.name)
	for _, a := range n.attrs {
		fmt.Fprintf(out, ` %s="%s"`, a.Name.Local, attrEscapes.Replace(a.Value))
	}
}

// asSaved writes a document as Jenkins's XStream does.
func asSaved(n *node) []byte {
	var out bytes.Buffer
	out.WriteString("<?xml version='1.1' encoding='UTF-8'?>\n")
	writeSaved(&out, n, "")
	return out.Bytes()
}

func writeSaved(out *bytes.Buffer, n *node, indent string) {
	out.WriteString(indent)
	writeStart(out, n)
	kids := n.elements()
	switch {
	case len(kids) > 0:
		out.WriteString(">\n")
		for _, kid := range kids {
			writeSaved(out, kid, indent+"  ")
			out.WriteByte('\n')
		}
		out.WriteString(indent + "</" + n.name + ">")
	case n.content() != "" || isText(n):
		out.WriteString(">" + textEscapes.Replace(n.content()) + "</" + n.name + ">")
	default:
		out.WriteString("/>")
	}
}

// isText says whether an empty element is an empty text, which is written with
// an end tag, and not an empty list or object.
func isText(n *node) bool {
	if n.attr("class") != "" || strings.Contains(n.name, ".") {
		return false
	}
	switch n.name {
	case "actions", "properties", "triggers", "builders", "publishers", "buildWrappers", "configs", "phaseJobs",
		"jobFilters", "columns", "jobNames", "extensions", "parameterDefinitions", "operationList":
		return false
	}
	return true
}
