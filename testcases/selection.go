package testcases

import (
	"fmt"
	"regexp"
	"strings"
)

// A Selection is what a case's focus and skip choose from a list of specs.
type Selection struct {
	focus   *regexp.Regexp
	skip    *regexp.Regexp // nil: skips nothing
	outside string         // why a spec that the focus does not match is left out
	skipped string         // why a spec is left out when no alternative can be named
	// excludes are the alternatives of skip. They decide nothing.
	excludes []exclude
}

// An exclude is one alternative of a skip expression, so that the one that
// matched can be named.
type exclude struct {
	expression *regexp.Regexp
	why        string
}

// NewSelection compiles a case's focus and skip expressions. Cases without a
// focus select nothing.
func NewSelection(c *Case) (*Selection, error) {
	s := &Selection{
		outside: "not in the focus of " + c.Name,
		skipped: "in the skip list of " + c.Name,
	}
	if c.Focus == "" {
		return s, nil
	}
	var err error
	if s.focus, err = regexp.Compile(c.Focus); err != nil {
		return nil, fmt.Errorf("focus of %s: %w", c.Name, err)
	}
	if c.Skip == "" {
		return s, nil
	}
	if s.skip, err = regexp.Compile(c.Skip); err != nil {
		return nil, fmt.Errorf("skip of %s: %w", c.Name, err)
	}
	for _, alternative := range splitAlternatives(c.Skip) {
		expression, err := regexp.Compile(alternative)
		if err != nil {
			continue // only in one piece: \Qa|b\E
		}
		why := fmt.Sprintf("%s is in the skip list of %s", plain(alternative), c.Name)
		s.excludes = append(s.excludes, exclude{expression, why})
	}
	return s, nil
}

// Match says whether the case selects a spec and, if not, why. The whole
// expressions decide, as they do in the container.
func (s *Selection) Match(spec string) (selected bool, why string) {
	if s.focus == nil || !s.focus.MatchString(spec) {
		return false, s.outside
	}
	if s.skip == nil || !s.skip.MatchString(spec) {
		return true, ""
	}
	for _, exclude := range s.excludes {
		if exclude.expression.MatchString(spec) {
			return false, exclude.why
		}
	}
	return false, s.skipped
}

// Select returns the specs that the case selects, in their order.
func (s *Selection) Select(specs []string) []string {
	var selected []string
	for _, spec := range specs {
		if ok, _ := s.Match(spec); ok {
			selected = append(selected, spec)
		}
	}
	return selected
}

// splitAlternatives cuts an expression at its outermost bars, so that each
// alternative can be named when it matches.
func splitAlternatives(expression string) []string {
	if expression == "" {
		return nil
	}
	var parts []string
	depth, class, start := 0, 0, 0 // class: where the content of a character class begins
	for i := 0; i < len(expression); i++ {
		switch b := expression[i]; {
		case b == '\\':
			i++
		case class > 0:
			if b == ']' && i > class { // []a] holds a bracket
				class = 0
			}
		case b == '[':
			class = i + 1
			if strings.HasPrefix(expression[class:], "^") {
				class++
			}
		case b == '(':
			depth++
		case b == ')':
			depth--
		case b == '|' && depth == 0:
			parts = append(parts, expression[start:i])
			start = i + 1
		}
	}
	return append(parts, expression[start:])
}

// plain undoes the escaping of a skip expression, as the specification
// prints it: \[Feature:SCTP\] is [Feature:SCTP].
func plain(expression string) string {
	return strings.NewReplacer(`\[`, `[`, `\]`, `]`).Replace(expression)
}
