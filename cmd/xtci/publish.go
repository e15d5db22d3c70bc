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
	campaign, err := openStored(site, store, tag)
	if err != nil {
		return err
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

// openStored opens a campaign in the store, with what its journal says of
// where it comes from.
func openStored(site config.Site, store *artifacts.DirStore, tag string) (*artifacts.Campaign, error) {
	campaign, err := artifacts.OpenCampaign(store.FS(), tag)
	if err != nil {
		return nil, usage(fmt.Errorf("in the store %s: %w", site.Artifacts(), err))
	}
	journal, err := runner.OpenJournal(site.Campaigns(), tag)
	switch {
	case errors.Is(err, fs.ErrNotExist): // somebody else ran it
	case err != nil:
		return nil, err
	default:
		campaign.Declared = journal.Provenance
	}
	return campaign, nil
}
