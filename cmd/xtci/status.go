package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
)

func newStatusCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what of the toolchain runs, and how well",
		Long: `status shows the services of the stack: their state, health, image, age, ports and
URLs. It asks each service itself, as up does.

` + exitStatus,
		Example: "  xtci status\n  xtci status -o json",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), a) },
	}
}

func runStatus(ctx context.Context, a *app) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	stack, err := a.stack(site, engine)
	if err != nil {
		return err
	}
	status, err := installer.Status(ctx, engine, stack)
	if err != nil {
		return err
	}
	healthy := installer.Healthy(status)
	if a.json() {
		err = a.printJSON(map[string]any{"stack": stack.Name, "prefix": stack.Prefix, "healthy": healthy, "services": status})
	} else {
		err = a.printStatus(status)
	}
	if err == nil && !healthy {
		err = errNo
	}
	return err
}

func (a *app) printStatus(status []installer.ServiceStatus) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSTATE\tHEALTH\tAGE\tPORTS\tURL\tIMAGE")
	for _, s := range status {
		health, age := "healthy", "-"
		if !s.Healthy {
			health = "unhealthy"
		}
		if !s.Created.IsZero() {
			age = ageOf(time.Since(s.Created))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", term.Plain(s.Service), s.State, health, age, dash(portsOf(s.Ports)), dash(s.URL), dash(term.Plain(s.Image)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(a.out, term.CutLines(a.out, text.String())); err != nil {
		return err
	}
	if !slices.ContainsFunc(status, func(s installer.ServiceStatus) bool { return s.State != installer.StateAbsent }) {
		_, err := fmt.Fprintln(a.out, "the stack is down: xtci up brings it up")
		return err
	}
	for _, s := range status {
		if s.Detail != "" {
			if _, err := fmt.Fprintf(a.out, "%s: %s\n", term.Plain(s.Service), term.Plain(s.Detail)); err != nil {
				return err
			}
		}
	}
	return nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func portsOf(ports []docker.Port) string {
	var texts []string
	for _, port := range ports {
		texts = append(texts, fmt.Sprint(port.Host))
	}
	return strings.Join(texts, ",")
}

// ageOf is a time in its largest unit.
func ageOf(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
