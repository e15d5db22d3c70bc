package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/artifacts"
)

func newKeysCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "keys",
		Short: "Show the lab's signing key",
		Long: `keys shows the fingerprint of the key with which the lab signs its archives, and
where its public half is. Give that file to reviewers, by another way than the
archive. The key is made on first use.

` + exitStatus,
		Example: `  xtci keys`,
		Args:    exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			site, err := a.site()
			if err != nil {
				return err
			}
			key, err := artifacts.OpenKey(site.Keys())
			if err != nil {
				return err
			}
			if a.json() {
				return a.printJSON(map[string]string{"fingerprint": key.Fingerprint(), "public_key": key.PublicFile})
			}
			_, err = fmt.Fprintf(a.out, "fingerprint: %s\npublic key:  %s\n", key.Fingerprint(), key.PublicFile)
			return err
		},
	}
}
