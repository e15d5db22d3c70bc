package installer

import (
	"fmt"
	"strings"
)

// A Plan is what is to be done to make a stack what it should be, in order as
// far as it depends on each other. It is empty when there is nothing to do.
type Plan struct {
	Ops []Op `json:"ops"`
}

// An Op is one thing to be done.
type Op struct {
	Kind OpKind `json:"kind"`
	// Service is the service it is for, or "" for the stack's network.
	Service string `json:"service,omitempty"`
	// Subject is what it is done to: a container, an image, a network.
	Subject string `json:"subject"`
	// Cause says why.
	Cause string `json:"cause"`
}

// OpKind is what an Op does.
type OpKind string

// Kinds of operations.
const (
	OpCreateNetwork OpKind = "create network"
	OpRemoveNetwork OpKind = "remove network"
	OpImage         OpKind = "make image" // xtci's own, from the running binary
	OpPull          OpKind = "pull image"
	OpCreate        OpKind = "create"
	OpRecreate      OpKind = "recreate"
	OpStart         OpKind = "start"
	OpRemove        OpKind = "remove"
)

// String is the plan as a person reads it, a line for each operation.
func (p Plan) String() string {
	var text strings.Builder
	for _, op := range p.Ops {
		fmt.Fprintf(&text, "%s %s: %s\n", op.Kind, op.Subject, op.Cause)
	}
	return text.String()
}

// Empty says whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Ops) == 0 }

// of returns the operation of a kind on a service, or nil.
func (p Plan) of(service string, kinds ...OpKind) *Op {
	for i := range p.Ops {
		for _, kind := range kinds {
			if p.Ops[i].Service == service && p.Ops[i].Kind == kind {
				return &p.Ops[i]
			}
		}
	}
	return nil
}
