package main

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
)

type logsOptions struct {
	follow, times bool
	tail          int
}

func newLogsCmd(a *app) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:     "logs SERVICE",
		Short:   "Show what a service of the toolchain says",
		Long:    "logs prints the log of a service: jenkins, minio, testdb, files or registry.\n\n" + exitStatus,
		Example: "  xtci logs jenkins -f\n  xtci logs minio --tail 50",
		Args:    exactArgs("SERVICE"),
		RunE:    func(cmd *cobra.Command, args []string) error { return runLogs(cmd.Context(), a, args[0], o) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.follow, "follow", "f", false, "go on with what comes, until Ctrl-C")
	flags.IntVar(&o.tail, "tail", 0, "the last `N` lines only")
	flags.BoolVar(&o.times, "times", false, "begin each line with its time")
	return cmd
}

func runLogs(ctx context.Context, a *app, service string, o logsOptions) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	stack, err := installer.Named(site)
	if err != nil {
		return refused(err)
	}
	out := plainWriter{a.out}
	return refused(installer.Logs(ctx, engine, stack, service, docker.LogOptions{
		Follow: o.follow, Tail: o.tail, Times: o.times, Stdout: out, Stderr: out,
	}))
}

// A plainWriter writes text without what could rewrite a screen.
type plainWriter struct{ w io.Writer }

func (p plainWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(p.w, term.PlainLines(strings.ReplaceAll(string(text), "\r\n", "\n"))); err != nil {
		return 0, err
	}
	return len(text), nil
}
