package main

import "github.com/spf13/cobra"

// commands are all commands, one file each.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		newRunCmd(a),
		newPublishCmd(a),
		newReviewCmd(a),
		newReportCmd(a),
		newChecksCmd(a),
		newCatalogCmd(a),
		newKeysCmd(a),
		newServeCmd(a),
		newTestDBCmd(a),
		newVersionCmd(a),
	}
}
