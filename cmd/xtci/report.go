package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/artifacts/report"
	"github.com/anuket-project/xtci/testcases"
)

func newReportCmd(a *app) *cobra.Command {
	var format, tag string
	cmd := &cobra.Command{
		Use:   "report ZIP|DIR",
		Short: "Print the report of a campaign",
		Long: `report judges a campaign again from its raw files and prints the report alone.
It takes an archive, a zip of the classic toolchain, or a folder laid out like
one: an index TAG.json and a folder TAG/. Whether an archive was changed is what
xtci review tells.

` + exitStatus,
		Example: `  xtci report EXAMPLE1.zip > report.html
  xtci report EXAMPLE1.zip --format junit > junit.xml
  xtci report /var/lib/xtci/artifacts --tag EXAMPLE1 --format json`,
		Args: exactArgs("ZIP|DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runReport(cmd.Context(), a, args[0], tag, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", "html", "the `FORMAT`: html, json or junit")
	cmd.Flags().StringVar(&tag, "tag", "", "the campaign's build `TAG`, where a folder holds several")
	return cmd
}

func runReport(ctx context.Context, a *app, name, tag, format string) error {
	if a.json() {
		format = "json"
	}
	write, ok := map[string]func(io.Writer, *testcases.Assessment) error{
		"html": report.HTML, "json": report.JSON, "junit": report.JUnit,
	}[format]
	if !ok {
		return usage(fmt.Errorf("--format %s: want html, json or junit", format))
	}
	release, err := a.release()
	if err != nil {
		return err
	}
	assessment, err := artifacts.AssessPath(ctx, name, tag, release)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return usage(err)
	}
	return write(a.out, assessment)
}
