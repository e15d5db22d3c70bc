package main

import (
	"slices"

	"github.com/spf13/cobra"
)

// A commandGroup is what help shows together: commands for the same reader.
type commandGroup struct {
	id, title string
	commands  []string
}

func commandGroups() []commandGroup {
	return []commandGroup{
		{"lab", "In a lab", []string{"doctor", "up", "run", "publish", "keys", "status", "logs", "down"}},
		{"archive", "With an archive, or before there is one", []string{"review", "report", "checks", "catalog"}},
		{"site", "The site and its jobs", []string{"site", "lint", "jobs"}},
		{"data", "Data, services, other hosts", []string{"backup", "restore", "bundle", "serve", "testdb"}},
	}
}

func groups() []*cobra.Group {
	var all []*cobra.Group
	for _, group := range commandGroups() {
		all = append(all, &cobra.Group{ID: group.id, Title: group.title})
	}
	return append(all, &cobra.Group{ID: "other", Title: "xtci itself"})
}

// commands are all commands, one file each.
func (a *app) commands() []*cobra.Command {
	all := []*cobra.Command{
		newUpCmd(a),
		newDownCmd(a),
		newStatusCmd(a),
		newLogsCmd(a),
		newDoctorCmd(a),
		newRunCmd(a),
		newPublishCmd(a),
		newReviewCmd(a),
		newReportCmd(a),
		newChecksCmd(a),
		newCatalogCmd(a),
		newJobsCmd(a),
		newSiteCmd(a),
		newLintCmd(a),
		newKeysCmd(a),
		newServeCmd(a),
		newTestDBCmd(a),
		newBundleCmd(a),
		newStackBackupCmd(a),
		newRestoreCmd(a),
		newCompletionCmd(a),
		newManCmd(a),
		newVersionCmd(a),
	}
	for _, cmd := range all {
		cmd.GroupID = "other"
		for _, group := range commandGroups() {
			if slices.Contains(group.commands, cmd.Name()) {
				cmd.GroupID = group.id
			}
		}
	}
	return all
}
