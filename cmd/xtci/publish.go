package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/testcases"
	"github.com/anuket-project/xtci/testcases/runner"
)

func newPublishCmd(a *app) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "publish BUILD_TAG",
		Short: "Make the archive of a campaign",
		Long: `publish judges a campaign, writes its report, and packs everything that it
produced into one archive, signed with the lab's key (xtci keys). The archive
lies beside the campaign's files: in the store under stack.prefix or, for a
campaign that pushed to the stack, in the object store, from where it is
downloaded at the link that is printed.

What test containers are given says where they push, and so does it here:
S3_ENDPOINT_URL, S3_DST_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
TEST_DB_URL and HTTP_DST_URL. Without them it is the site's stack.

Records and files that must be there, since others speak of them, may come
late: they are waited for, and what did not come is named.

The archive is made whatever the verdict: a failing lab has something to send
and to discuss.

` + exitStatus,
		Example: `  xtci publish EXAMPLE1
  xtci publish daily-v1.23-12 --wait 2m`,
		Args: exactArgs("BUILD_TAG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPublish(cmd.Context(), a, args[0], wait)
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "the `TIME` to wait for late records and files of a campaign that pushed to the stack")
	return cmd
}

func runPublish(ctx context.Context, a *app, tag string, wait time.Duration) (err error) {
	if err := artifacts.CheckTag(tag); err != nil {
		return usage(err)
	}
	site, err := a.site()
	if err != nil {
		return err
	}
	if a.getenv(envS3) != "" {
		source, err := a.sourceOfEnvironment()
		if err != nil {
			return err
		}
		return errors.Join(source.publish(ctx, a, site, tag, wait), source.Close())
	}
	_, local := publishStored(ctx, a, site, tag)
	if !errors.Is(local, artifacts.ErrNothing) {
		return local
	}
	source, err := sourceOfSite(site)
	if err != nil || source == nil {
		return errors.Join(local, err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := source.reached(ctx); err != nil {
		if context.Cause(ctx) != nil {
			return err
		}
		return usage(fmt.Errorf("%w\nand the stack is not there to be asked: %w", local, err))
	}
	return source.publish(ctx, a, site, tag, wait)
}

// publishStored makes the archive of a campaign in the directory store, and
// returns its verdict.
func publishStored(ctx context.Context, a *app, site config.Site, tag string) (testcases.CampaignVerdict, error) {
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return "", err
	}
	defer store.Close()
	campaign, journal, err := openStored(site, store, tag)
	if err != nil {
		return "", err
	}
	if journal != nil {
		defer journal.Close()
		if journal.Stopped.IsZero() {
			fmt.Fprintf(a.err, "campaign %s did not run to its end: what is missing will be called missing (xtci run --resume goes on)\n", tag)
		}
	}
	key, err := artifacts.OpenKey(site.Keys())
	if err != nil {
		return "", err
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return "", usage(err)
	}
	assessment, err := store.Publish(ctx, campaign, catalog, key)
	if err != nil {
		return "", err
	}
	archive := filepath.Join(site.Artifacts(), artifacts.ArchiveName(tag))
	if a.json() {
		return assessment.Verdict, a.printJSON(map[string]string{
			"build_tag": tag, "verdict": string(assessment.Verdict), "archive": archive, "key": key.Fingerprint(), "public_key": key.PublicFile,
		})
	}
	fmt.Fprintf(a.out, "verdict: %s\n", assessment.Verdict)
	fmt.Fprintf(a.out, "signed with key %s\n", key.Fingerprint())
	_, err = fmt.Fprintf(a.out, "archive: %s\n", archive)
	return assessment.Verdict, err
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
