package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config/playbook"
	"github.com/anuket-project/xtci/internal/term"
)

func newSiteCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "site",
		Short: "Sites, and the Ansible playbooks that are read as such",
		Long: `site is about files that say what to test, and with what: xtci.yaml, and
playbooks that call the Ansible role collivier.xtesting (docs/playbooks.md).
Every command reads both (--site FILE).

` + exitStatus,
		Example: `  xtci site convert site.yml > xtci.yaml`,
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSiteConvertCmd(a))
	return cmd
}

func newSiteConvertCmd(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "convert PLAYBOOK",
		Short: "Write the xtci.yaml that is the same as a playbook",
		Long: `convert reads a playbook that calls the Ansible role collivier.xtesting, and
writes the site that it is: every key that is not as by default, with the
variable, file and line it is from. What has no effect here is at its head.
Nothing of the playbook is run.

A playbook with several campaigns makes several sites: name one (PLAYBOOK#2),
or a folder for all (--dir DIR), which gets a file for each project that only
its owner can read.

` + exitStatus,
		Example: `  xtci site convert site.yml > xtci.yaml
  xtci site convert site.yml#2
  xtci site convert site.yml --dir sites`,
		Args: exactArgs("PLAYBOOK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSiteConvert(cmd.Context(), a, args[0], dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "write a file for each campaign into this `DIR`")
	return cmd
}

// readPlaybook reads the playbook that a command is given.
func (a *app) readPlaybook(ctx context.Context, name string) (siteFile, *playbook.Playbook, error) {
	a.configFile = name
	if err := a.fetchSite(ctx); err != nil {
		return siteFile{}, nil, err
	}
	file, err := a.siteFile()
	if err != nil {
		return file, nil, err
	}
	read, err := a.playbook(file.name)
	if err == nil && read == nil {
		err = usage(fmt.Errorf("%s: it is no playbook: those are lists of plays", a.plainSite()))
	}
	if err == nil && file.campaign > len(read.Campaigns) {
		err = usage(fmt.Errorf("%s: it has %s%s", a.plainSite(), count(len(read.Campaigns), "campaign"), choices(read)))
	}
	return file, read, err
}

func runSiteConvert(ctx context.Context, a *app, name, dir string) error {
	file, read, err := a.readPlaybook(ctx, name)
	if err != nil {
		return err
	}
	campaigns, findings := read.Campaigns, read.Findings
	if file.campaign > 0 {
		campaigns = campaigns[file.campaign-1 : file.campaign]
	}
	if dir != "" {
		return writeSites(a, dir, campaigns, findings)
	}
	if len(campaigns) > 1 {
		return usage(fmt.Errorf("%s asks for %d campaigns: name one of them, or a folder for all (--dir DIR)%s", read.File, len(campaigns), choices(read)))
	}
	var text bytes.Buffer
	if err := playbook.Write(&text, campaigns[0], findings); err != nil {
		return err
	}
	_, err = a.out.Write(text.Bytes())
	return err
}

// writeSites writes a file for each campaign: PROJECT.yaml, PROJECT-2.yaml.
func writeSites(a *app, dir string, campaigns []playbook.Campaign, findings []playbook.Finding) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder for the sites: %w", err)
	}
	seen := map[string]int{}
	for _, c := range campaigns {
		name := c.Site.Project
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[name])
		}
		var text bytes.Buffer
		if err := playbook.Write(&text, c, findings); err != nil {
			return err
		}
		file := filepath.Join(dir, name+".yaml")
		if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil { // it can hold passwords
			return fmt.Errorf("write the site: %w", err)
		}
		if _, err := fmt.Fprintln(a.out, term.Plain(file)); err != nil {
			return err
		}
	}
	return nil
}
