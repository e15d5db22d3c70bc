package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set when a release is built (-ldflags "-X main.version=v1.0.0").
var version = ""

// toolVersion returns the version of this binary: the release's, or the
// commit it was built from.
func toolVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

// toolName is how this binary calls itself in what it writes.
func toolName() string { return "xtci " + toolVersion() }

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of xtci",
		Long:    "version prints the release that this is, or the commit that it was built from.\n\n" + exitStatus,
		Example: "  xtci version",
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			if a.json() {
				return a.printJSON(map[string]string{"version": toolVersion()})
			}
			_, err := fmt.Fprintln(a.out, "xtci", toolVersion())
			return err
		},
	}
}
