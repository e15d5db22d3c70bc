package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/installer/doctor"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/testcases"
)

func newDoctorCmd(a *app) *cobra.Command {
	var only []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for everything that can go wrong, before a campaign does",
		Long: `doctor looks at Docker, this host, the stack's ports, all images, and the cluster:
also from inside a container, where the tests will be. Each check passes, warns
(it may go wrong) or fails (it will), with what was seen and what to do. What
cannot be checked is skipped, and says why.

Nothing is changed but this: xtci's own image is made, as xtci up would, and a
container that asks the cluster for its version is started and removed.

EXIT STATUS
  0    nothing failed; there may be warnings
  1    something failed
  2    wrong use, or bad input
  130  interrupted`,
		Example: `  xtci doctor
  xtci doctor --only cluster --set kubeconfig=lab.conf
  xtci doctor --only 'port-*,disk'
  xtci doctor -o json`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), a, only) },
	}
	cmd.Flags().StringSliceVar(&only, "only", nil, "do these checks alone: `NAMES` of checks, of groups (docker, host, ports, images, cluster), or patterns such as image-*")
	cmd.AddCommand(newDoctorInsideCmd(a))
	return cmd
}

// newDoctorInsideCmd is what runs in the container of a check.
func newDoctorInsideCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "inside KUBECONFIG",
		Short:   "Ask the cluster for its version, from inside a container",
		Long:    "inside asks the cluster for its version and prints JSON. xtci doctor runs it in a\ncontainer.\n\n" + exitStatus,
		Example: "  xtci doctor inside /kubeconfig",
		Hidden:  true,
		Args:    exactArgs("KUBECONFIG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.printJSON(doctor.LookInside(cmd.Context(), args[0], toolName()))
		},
	}
}

func runDoctor(ctx context.Context, a *app, only []string) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	var engine atomic.Pointer[docker.Engine]
	o := doctor.Options{
		Site: site, Environ: a.environ, Suites: suiteImages(site, catalog), UserAgent: toolName(), Only: only,
		Connect: func(ctx context.Context) (doctor.Engine, error) {
			connected, err := a.dial(ctx)
			if err != nil {
				return nil, err
			}
			engine.Store(connected)
			return connected, nil
		},
		Stack: func(_ context.Context, e doctor.Engine) error {
			socket := ""
			if e != nil {
				socket = e.SocketPath()
			}
			return checkStack(a, site, socket)
		},
		OwnImage: func(ctx context.Context, _ doctor.Engine) (string, error) {
			own, err := a.ownImage()
			if err != nil {
				return "", err
			}
			return own.Ensure(ctx, engine.Load())
		},
	}
	checks, err := doctor.Select(o)
	if err != nil {
		return usage(fmt.Errorf("--only: %w", err))
	}
	printer := newDoctorPrinter(a, checks)
	err = doctor.Run(ctx, o, printer.print)
	if connected := engine.Load(); connected != nil {
		defer connected.Close()
	}
	if err != nil {
		return err
	}
	return printer.finish()
}

// checkStack says why xtci up would refuse the site.
func checkStack(a *app, site config.Site, socket string) error {
	own, err := a.ownImage()
	if err != nil {
		return err
	}
	_, err = installer.NewStack(site, installer.Host{
		Version: toolVersion(), Own: own, Socket: socket, Environ: a.environ, UID: os.Getuid(), GID: os.Getgid(),
	}, nil)
	return err
}
