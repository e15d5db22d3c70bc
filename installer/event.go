package installer

import "time"

// An Event is one step of one service.
type Event struct {
	Service string
	State   EventState
	// Detail is what more there is to say: an image, a cause, a URL.
	Detail string
	// Done and Total are bytes of an image being pulled.
	Done, Total int64
	Elapsed     time.Duration
	Err         error // with StateFailed
}

// EventState is how far a service is.
type EventState string

// States of a service on its way up or down.
const (
	StateMaking    EventState = "making its image"
	StatePulling   EventState = "pulling"
	StateUnpacking EventState = "unpacking" // what was pulled
	StateWaiting   EventState = "waiting for"
	StateCreating  EventState = "creating"
	StateStarting  EventState = "starting"
	StateChecking  EventState = "checking"
	StateSettingUp EventState = "setting up"
	StateHealthy   EventState = "healthy"
	StateUnchanged EventState = "unchanged" // and healthy
	StateRemoved   EventState = "removed"
	StateStopping  EventState = "stopping"
	StateFailed    EventState = "failed"
	// StateInterrupted is that nobody wants it any more.
	StateInterrupted EventState = "interrupted"
)

// Ended says whether nothing more comes.
func (s EventState) Ended() bool {
	return s == StateHealthy || s == StateUnchanged || s == StateRemoved || s == StateFailed || s == StateInterrupted
}
