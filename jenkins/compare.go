package jenkins

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Two documents mean the same when their normal forms are the same. What
// Jenkins adds or changes when it saves one (spec/jenkins-samples/
// multijob-config-canonical.xml) is not in the normal form: the version in the
// prolog, the attribute plugin, the classes of collections, the order of
// fields, and fields that have the value which they have when they are not
// there: false, 0, or nothing.

// maxDepth is how deep elements may be nested.
const maxDepth = 200

// A part is an element of a document in its normal form.
type part struct {
	name  string
	attrs []string
	text  string
	kids  []*part
}

// xmlProlog is the declaration, which may say version 1.1: encoding/xml
// refuses that.
var xmlProlog = regexp.MustCompile(`^\s*<\?xml[^>]*\?>`)

// normal returns the normal form of a document as lines.
func normal(document string) ([]string, error) {
	root, err := parsePart(document)
	if err != nil {
		return nil, err
	}
	root.normalise()
	return root.lines(nil, ""), nil
}

// parsePart reads a document.
func parsePart(document string) (*part, error) {
	decoder := xml.NewDecoder(strings.NewReader(xmlProlog.ReplaceAllString(document, "")))
	top := &part{}
	open := []*part{top}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		current := open[len(open)-1]
		switch token := token.(type) {
		case xml.StartElement:
			if len(open) > maxDepth {
				return nil, fmt.Errorf("elements are nested deeper than %d", maxDepth)
			}
			p := &part{name: token.Name.Local, attrs: normalAttrs(token.Attr)}
			current.kids = append(current.kids, p)
			open = append(open, p)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			current.text += string(token)
		}
	}
	if len(top.kids) != 1 {
		return nil, fmt.Errorf("%d root elements, want one", len(top.kids))
	}
	return top.kids[0], nil
}

// normalAttrs are the attributes that mean something, sorted.
func normalAttrs(attrs []xml.Attr) []string {
	var kept []string
	for _, a := range attrs {
		name := a.Name.Local
		if name == "plugin" || name == "class" && isCollection(a.Value) {
			continue
		}
		kept = append(kept, fmt.Sprintf(" %s=%q", name, a.Value))
	}
	slices.Sort(kept)
	return kept
}

// isCollection says whether a class is one of Java's collections: Jenkins
// writes the one that it happens to use.
func isCollection(class string) bool {
	switch class {
	case "vector", "list", "linked-list", "empty-list", "set", "tree-set", "sorted-set", "linked-hash-set", "hudson.util.DescribableList":
		return true
	}
	return strings.HasPrefix(class, "java.util.")
}

// normalise makes the normal form of an element.
func (p *part) normalise() {
	names := map[string]int{}
	for _, kid := range p.kids {
		kid.normalise()
		names[kid.name]++
	}
	if len(p.kids) > 0 {
		p.text = ""
	}
	p.text = strings.ReplaceAll(p.text, "\r\n", "\n")
	if strings.TrimSpace(p.text) == "" && strings.Contains(p.text, "\n") { // indentation within an empty list
		p.text = ""
	}
	p.kids = slices.DeleteFunc(p.kids, func(kid *part) bool { return names[kid.name] == 1 && kid.saysNothing() })
	// Fields come in any order. What is in a list is named by its class, and
	// keeps its order.
	slices.SortStableFunc(p.kids, func(a, b *part) int {
		switch aField, bField := a.isField(), b.isField(); {
		case aField && bField:
			return strings.Compare(a.name, b.name)
		case aField:
			return -1
		case bField:
			return 1
		}
		return 0
	})
}

// isField says whether an element is a field, and not an object in a list.
func (p *part) isField() bool { return !strings.Contains(p.name, ".") }

// saysNothing says whether a field has the value that it has when it is not
// there.
func (p *part) saysNothing() bool {
	if !p.isField() || len(p.kids) > 0 {
		return false
	}
	switch p.name {
	case "scm":
		return len(p.attrs) == 0 || p.attrs[0] == fmt.Sprintf(" class=%q", "hudson.scm.NullSCM")
	case "properties":
		return len(p.attrs) == 0 || p.attrs[0] == fmt.Sprintf(" class=%q", "hudson.model.View$PropertyList")
	case "comparator": // of a view's job names: which one is up to the version of Jenkins
		return true
	}
	return len(p.attrs) == 0 && (p.text == "" || p.text == "false" || p.text == "0")
}

// lines writes an element, one line each, for people to read and to compare.
func (p *part) lines(to []string, indent string) []string {
	start := indent + "<" + p.name + strings.Join(p.attrs, "") + ">"
	switch {
	case len(p.kids) > 0:
		to = append(to, start)
		for _, kid := range p.kids {
			to = kid.lines(to, indent+"  ")
		}
		return append(to, indent+"</"+p.name+">")
	case strings.Contains(p.text, "\n"):
		to = append(to, start)
		for line := range strings.SplitSeq(p.text, "\n") {
			to = append(to, indent+"  | "+line)
		}
		return append(to, indent+"</"+p.name+">")
	}
	return append(to, start+p.text)
}

// differences returns what has to change in one text to make it the other:
// lines that go begin with -, those that come with +, and a few around them
// with a blank. It is nil when they are equal.
func differences(have, want []string) []string {
	if slices.Equal(have, want) {
		return nil
	}
	edits := edit(have, want)
	shown := make([]bool, len(edits))
	for i, e := range edits {
		if e[0] == ' ' {
			continue
		}
		for j := max(0, i-contextLines); j <= min(len(edits)-1, i+contextLines); j++ {
			shown[j] = true
		}
	}
	var out []string
	for i, e := range edits {
		switch {
		case shown[i]:
			out = append(out, e)
		case i > 0 && shown[i-1]:
			out = append(out, "  ...")
		}
	}
	return out
}

const (
	// contextLines is how many lines around a change are shown.
	contextLines = 2
	// maxEdit is the largest product of two texts' lines that are compared
	// line by line.
	maxEdit = 4 << 20
)

// edit lists all lines of both texts, with what happens to each.
func edit(have, want []string) []string {
	var head, tail []string
	for len(have) > 0 && len(want) > 0 && have[0] == want[0] {
		head = append(head, " "+have[0])
		have, want = have[1:], want[1:]
	}
	for len(have) > 0 && len(want) > 0 && have[len(have)-1] == want[len(want)-1] {
		tail = append(tail, " "+have[len(have)-1])
		have, want = have[:len(have)-1], want[:len(want)-1]
	}
	slices.Reverse(tail)
	return slices.Concat(head, editMiddle(have, want), tail)
}

func editMiddle(have, want []string) []string {
	var out []string
	if len(have)*len(want) <= maxEdit {
		common := longest(have, want)
		i, j := 0, 0
		for i < len(have) && j < len(want) {
			switch {
			case have[i] == want[j]:
				out = append(out, " "+have[i])
				i++
				j++
			case common[i+1][j] >= common[i][j+1]:
				out = append(out, "-"+have[i])
				i++
			default:
				out = append(out, "+"+want[j])
				j++
			}
		}
		have, want = have[i:], want[j:]
	}
	for _, line := range have {
		out = append(out, "-"+line)
	}
	for _, line := range want {
		out = append(out, "+"+line)
	}
	return out
}

// longest is the length of the longest common subsequence from each pair of
// places on.
func longest(have, want []string) [][]int {
	common := make([][]int, len(have)+1)
	for i := range common {
		common[i] = make([]int, len(want)+1)
	}
	for i := len(have) - 1; i >= 0; i-- {
		for j := len(want) - 1; j >= 0; j-- {
			if have[i] == want[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}
