// Command xtci proves that a Kubernetes platform conforms to Anuket RC2: it
// runs the campaign, makes the archive of it, and reviews archives.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(run())
}

// run is main without the exit, so that everything deferred is done.
func run() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), interrupts: interrupts{signals: signals}}
	return a.main(context.Background(), os.Args[1:])
}
