package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

func newPublishCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "publish BUILD_TAG",
		Short: "Make the archive of a campaign",
		Long: `publish judges a campaign, writes its report, and packs everything that it
produced into one archive, signed with the lab's key (xtci keys). The archive
lies in the store under stack.prefix, beside the campaign's files.

The archive is made whatever the verdict: a failing lab has something to send
and to discuss.

` + exitStatus,
		Example: `  xtci publish EXAMPLE1`,
		Args:    exactArgs("BUILD_TAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPublish(cmd.Context(), a, args[0])
		},
	}
}

func runPublish(ctx context.Context, a *app, tag string) error {
	site, err := a.site()
	if err != nil {
		return err
	}
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return err
	}
	defer store.Close()
	campaign, journal, err := openStored(site, store, tag)
	if err != nil {
		return err
	}
	if journal != nil {
		defer journal.Close()
		if journal.Stopped.IsZero() {
			fmt.Fprintf(a.err, "campaign %s did not run to its end: what is missing will be called missing (xtci run --resume goes on)\n", tag)
		}
	}
	key, err := artifacts.OpenKey(site.Keys())
	if err != nil {
		return err
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	assessment, err := store.Publish(ctx, campaign, catalog, key)
	if err != nil {
		return err
	}
	archive := filepath.Join(site.Artifacts(), artifacts.ArchiveName(tag))
	if a.json() {
		return a.printJSON(map[string]string{
			"build_tag": tag, "verdict": string(assessment.Verdict), "archive": archive, "key": key.Fingerprint(), "public_key": key.PublicFile,
		})
	}
	fmt.Fprintf(a.out, "verdict: %s\n", assessment.Verdict)
	fmt.Fprintf(a.out, "signed with key %s\n", key.Fingerprint())
	_, err = fmt.Fprintf(a.out, "archive: %s\n", archive)
	return err
}

// openStored opens a campaign in the store, with the journal of its run, which
// says where it comes from. While the caller has the journal nobody runs the
// campaign, and its files stay as they are. It is nil for a campaign that
// something else ran.
func openStored(site config.Site, store *artifacts.DirStore, tag string) (*artifacts.Campaign, *runner.Journal, error) {
	campaign, err := artifacts.OpenCampaign(store.FS(), tag)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("in the store %s: %w", site.Artifacts(), err))
	}
	journal, err := runner.ResumeJournal(site.Campaigns(), tag)
	if errors.Is(err, fs.ErrNotExist) {
		return campaign, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	campaign.Declared = journal.Provenance
	return campaign, journal, nil
}
