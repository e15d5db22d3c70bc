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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	return a.main(ctx, os.Args[1:])
}
