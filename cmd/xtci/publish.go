package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/internal/term"
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
		made, err := source.publish(ctx, a, site, tag, artifacts.CollectOptions{Wait: wait})
		if err = errors.Join(err, source.Close()); err != nil {
			return err
		}
		return a.printArchived(made)
	}
	made, local := publishStored(ctx, a, site, tag)
	if local == nil {
		return a.printArchived(made)
	}
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
	made, err = source.publish(ctx, a, site, tag, artifacts.CollectOptions{Wait: wait})
	if err != nil {
		return err
	}
	return a.printArchived(made)
}

// An archived campaign is one of which the archive has been made.
type archived struct {
	BuildTag string                    `json:"build_tag"`
	Verdict  testcases.CampaignVerdict `json:"verdict"`
	Reasons  []string                  `json:"reasons"`
	Archive  string                    `json:"archive"` // a file, or a link
	Missing  []string                  `json:"missing"` // what should have been there
	// Key is the fingerprint of the key that signed it, PublicKey the file of
	// its public half.
	Key       string `json:"key"`
	PublicKey string `json:"public_key"`

	download bool // Archive is a link
}

func newArchived(assessment *testcases.Assessment, key *artifacts.Key) archived {
	return archived{
		BuildTag: assessment.BuildTag, Verdict: assessment.Verdict, Reasons: assessment.Reasons, Missing: []string{},
		Key: key.Fingerprint(), PublicKey: key.PublicFile,
	}
}

// printArchived says where the archive is, and what it says.
func (a *app) printArchived(made archived) error {
	if a.json() {
		return a.printJSON(made)
	}
	fmt.Fprintf(a.out, "verdict: %s\n", made.Verdict)
	for _, reason := range made.Reasons {
		fmt.Fprintf(a.out, "  %s\n", term.Plain(reason))
	}
	fmt.Fprintf(a.out, "signed with key %s\n", made.Key)
	if !made.download {
		_, err := fmt.Fprintf(a.out, "archive: %s\n", made.Archive)
		return err
	}
	// The last lines are those of Xtesting's zip_campaign, which tools look for.
	_, err := fmt.Fprintf(a.out, "All data were successfully published:\n\n%s\n", made.Archive)
	return err
}

// publishStored makes the archive of a campaign in the directory store.
func publishStored(ctx context.Context, a *app, site config.Site, tag string) (archived, error) {
	store, err := artifacts.OpenDirStore(site.Artifacts())
	if err != nil {
		return archived{}, err
	}
	defer store.Close()
	campaign, journal, err := openStored(site, store, tag)
	if err != nil {
		return archived{}, err
	}
	if journal != nil {
		defer journal.Close()
		if journal.Stopped.IsZero() {
			fmt.Fprintf(a.err, "campaign %s did not run to its end: what is missing will be called missing (xtci run --resume goes on)\n", tag)
		}
	}
	key, err := artifacts.OpenKey(site.Keys())
	if err != nil {
		return archived{}, err
	}
	// a campaign is of the release that it was run as, whatever the site names now
	catalog, err := testcases.Load(cmp.Or(campaign.Declared.Release, site.Release))
	if err != nil {
		return archived{}, usage(err)
	}
	assessment, err := store.Publish(ctx, campaign, catalog, key)
	if err != nil {
		return archived{}, err
	}
	made := newArchived(assessment, key)
	made.Archive = filepath.Join(site.Artifacts(), artifacts.ArchiveName(tag))
	return made, nil
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
	campaign.Declared = journal.Declared()
	return campaign, journal, nil
}
