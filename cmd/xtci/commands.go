package main

import "github.com/spf13/cobra"

// commands are all commands, one file each.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
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
}
