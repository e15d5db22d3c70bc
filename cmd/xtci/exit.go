package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/anuket-project/xtci/internal/term"
)

// Exit codes of every command (docs/commands.md).
const (
	exitGood        = 0
	exitNo          = 1 // it ran, and the answer is no
	exitUsage       = 2 // wrong use or bad input
	exitOutside     = 3 // something outside failed: disk, network, Docker, Jenkins
	exitInterrupted = 130
)

const exitStatus = `EXIT STATUS
  0    done, and good
  1    it ran, and the answer is no (not conformant, changed, unhealthy, failed)
  2    wrong use, or bad input
  3    something outside of xtci failed (Docker, Jenkins, disk, network)
  130  interrupted`

// errNo is the answer no: what there is to say has been printed.
var errNo = errors.New("the answer is no")

// errWrong is input that is wrong: what there is to say has been printed.
var errWrong = errors.New("the input is wrong")

// A usageError is wrong use or bad input.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// usage marks an error as wrong use or bad input.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

// exitCode prints the error, if it has not been, and maps it to an exit code.
func (a *app) exitCode(err error) int {
	switch {
	case err == nil:
		return exitGood
	case errors.Is(err, errNo):
		return exitNo
	case errors.Is(err, errWrong):
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(a.err, "xtci: interrupted%s\n", term.PlainLines(strings.ReplaceAll(": "+err.Error(), ": "+context.Canceled.Error(), "")))
		return exitInterrupted
	}
	fmt.Fprintf(a.err, "xtci: %s\n", term.PlainLines(strings.TrimSpace(err.Error()))) // it may quote what came from outside
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitOutside
}
