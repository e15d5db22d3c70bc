package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/jenkins"
)

func newJobsCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jobs",
		Short: "The campaign's jobs in Jenkins",
		Long: `jobs are what a campaign consists of in Jenkins: one job for each test, those that
get images and make the archive, the campaign itself, and a view.

` + exitStatus,
		Example: `  xtci jobs render --dir jobs
  xtci jobs diff
  xtci jobs apply`,
	}
	cmd.AddCommand(newJobsRenderCmd(a), newJobsDiffCmd(a), newJobsApplyCmd(a))
	return cmd
}

func newJobsRenderCmd(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "render --dir DIR",
		Short: "Write the jobs as files",
		Long: `render writes what Jenkins is told: DIR/jobs/NAME.xml for each job, and
DIR/views/NAME.xml for each view. It asks no Jenkins and no Docker. Only the
owner can read the files: they can hold the key of the object store.

Files of jobs that the site does not want any more stay.

` + exitStatus,
		Example: `  xtci jobs render --dir jobs
  xtci jobs render --dir classic --set wiring=classic --set archive.by=container --set address=192.0.2.10`,
		Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error { return runJobsRender(a, dir) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write the files into this `DIR`")
	return cmd
}

func runJobsRender(a *app, dir string) error {
	if dir == "" {
		return usage(errors.New("jobs render: name the folder to write to (--dir DIR)"))
	}
	sites, err := a.sites()
	if err != nil {
		return err
	}
	graph, err := a.graphs(sites)
	if err != nil {
		return err
	}
	if err := writeGraph(dir, graph); err != nil {
		return err
	}
	if a.json() {
		var jobs, views, plugins []string
		for _, job := range graph.Jobs {
			jobs = append(jobs, job.Name)
		}
		for _, view := range graph.Views {
			views = append(views, view.Name)
		}
		for _, requirement := range graph.Plugins() {
			plugins = append(plugins, requirement.Plugin)
		}
		return a.printJSON(map[string]any{"dir": dir, "jobs": jobs, "views": views, "plugins": plugins})
	}
	_, err = fmt.Fprintf(a.out, "%s and %s in %s\n", count(len(graph.Jobs), "job"), count(len(graph.Views), "view"), dir)
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeGraph writes the files of a graph.
func writeGraph(dir string, graph jenkins.Graph) error {
	for _, folder := range []string{"jobs", "views"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			return fmt.Errorf("make the folder for %s: %w", folder, err)
		}
	}
	for _, job := range graph.Jobs {
		text, err := job.XML()
		if err != nil {
			return usage(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "jobs", job.Name+".xml"), text, 0o600); err != nil {
			return fmt.Errorf("write job %s: %w", job.Name, err)
		}
	}
	for _, view := range graph.Views {
		text, err := view.XML()
		if err != nil {
			return usage(err)
		}
		name := strings.ReplaceAll(view.Name, "/", "_")
		if err := os.WriteFile(filepath.Join(dir, "views", name+".xml"), text, 0o600); err != nil {
			return fmt.Errorf("write view %s: %w", view.Name, err)
		}
	}
	return nil
}
