package playbook

import (
	"errors"
	"fmt"
)

// A problem is a value that cannot be had, and why.
type problem struct {
	at       place
	variable string // of the playbook, if it is known yet
	kind     problemKind
	text     string
}

type problemKind int

const (
	problemPlain  problemKind = iota
	problemVault              // it is encrypted
	problemLookup             // it would have to be run
)

func (p *problem) Error() string {
	if p.variable == "" {
		return fmt.Sprintf("%s: %s", p.at, p.text)
	}
	return fmt.Sprintf("%s: variable %s: %s", p.at, p.variable, p.text)
}

// inVariable says which variable a problem is in.
func inVariable(name string, err error) error {
	if p, ok := errors.AsType[*problem](err); ok && p.variable == "" {
		named := *p
		named.variable = name
		return &named
	}
	return err
}

// isKind says whether an error is a problem of a kind.
func isKind(err error, kind problemKind) bool {
	p, ok := errors.AsType[*problem](err)
	return ok && p.kind == kind
}
