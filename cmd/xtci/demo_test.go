package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var demoFolder = flag.String("demo", "", "run the demonstration, and leave what came out in this folder")

// TestDemo is the demonstration: a lab from nothing to a reviewed archive, with
// the real toolchain on Docker. The containers of the campaign and the cluster
// under test are the stand-ins that the other tests have.
func TestDemo(t *testing.T) {
	if *demoFolder == "" {
		t.Skip("NOT RUN: this is for people: make demo")
	}
	h := newCampaignHost(t)
	h.prefix = filepath.Join(*demoFolder, "lab")
	h.environ = append(h.environ, "XTCI_STACK_PREFIX="+h.prefix)
	const tag = "DEMO0001"
	fmt.Fprintln(os.Stdout, "\nThe whole toolchain on Docker. In place of opnfv/functest-kubernetes-*, containers that keep its contract and")
	fmt.Fprintln(os.Stdout, "give recorded results; in place of a cluster, an API server that knows its name. The campaign fails, to be seen.")

	h.demonstrate(exitGood, os.Stdout, "up")
	var printed strings.Builder
	h.demonstrate(exitNo, io.MultiWriter(os.Stdout, &printed), "run", "--tag", tag)
	lines := strings.Fields(printed.String())
	archive := filepath.Join(*demoFolder, tag+".zip")
	if err := os.Rename(h.download(lines[len(lines)-1]), archive); err != nil {
		t.Fatal(err)
	}
	h.demonstrate(exitNo, h.into("review.txt"), "review", archive, "--key", h.key())
	h.demonstrate(exitGood, h.into("report.html"), "report", archive)
	h.demonstrate(exitGood, os.Stdout, "down")
}

// into is a file of what comes out.
func (h *host) into(name string) *os.File {
	h.t.Helper()
	file, err := os.Create(filepath.Join(*demoFolder, name))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = file.Close() }) // its writer has closed its own
	return file
}

// demonstrate runs a command where it can be seen.
func (h *host) demonstrate(code int, out io.Writer, args ...string) {
	h.t.Helper()
	fmt.Fprintf(os.Stdout, "\n$ xtci %s\n", strings.Join(args, " "))
	ctx, cancel := context.WithTimeout(h.t.Context(), 5*time.Minute)
	defer cancel()
	cmd, _, _ := h.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	_ = cmd.Run() // its exit code tells
	if got := cmd.ProcessState.ExitCode(); got != code {
		h.t.Fatalf("xtci %s exits %d, want %d", args[0], got, code)
	}
}
