package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/installer/backup"
	"github.com/anuket-project/xtci/internal/term"
)

func newStackBackupCmd(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all data of the toolchain into one file",
		Long: `backup writes what is kept under stack.prefix into FILE, a compressed tar: Jenkins'
home, MinIO's objects, the test DB, archives, campaigns, the registry, the signing
key, generated passwords and the lock of images. Workspaces, caches, unfinished
uploads and configuration that xtci up writes are left out (docs/backup.md).

FILE holds secrets: it is readable for its owner alone. Keep it so.

The stack may run: the test DB is copied as of one moment; of what Jenkins and
MinIO write just then, it has what was before or after. For an exact copy, take
the stack down first. Services write as other users: run xtci as root.

` + exitStatus,
		Example: "  xtci backup lab-2026-11.tar.gz",
		Args:    exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runStackBackup(cmd.Context(), a, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE, if it is there")
	return cmd
}

func runStackBackup(ctx context.Context, a *app, file string, force bool) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	stack, err := installer.Named(site)
	if err != nil {
		return refused(err)
	}
	if err := a.checkMongo(ctx, site, stack); err != nil {
		return err
	}
	board := term.NewBoard(a.err)
	summary, err := backup.Backup(ctx, file, backup.Options{
		Prefix: stack.Prefix, Names: installer.DataNames(), Stack: stack.Name, Tool: toolVersion(), Replace: force,
		Events: func(e backup.Event) {
			row := term.Row{Name: e.Name, State: "packing", Done: e.Done, Total: e.Total, Bytes: true}
			if e.Ended {
				row.State, row.End, row.Detail = "packed", term.Good, fmt.Sprintf("%s in %d entries", term.Size(e.Done), e.Entries)
			}
			board.Set(row)
		},
	})
	board.Close()
	if errors.Is(err, fs.ErrExist) {
		return usage(fmt.Errorf("%w (--force replaces it)", err))
	}
	if err != nil {
		return backupError(err)
	}
	a.noteNames("changed while they were read, and may be half old and half new", summary.Changed)
	a.noteNames("are sockets or the like, and were left out", summary.Skipped)
	for _, note := range elsewhere(site) {
		fmt.Fprintln(a.err, note)
	}
	return a.printBackup(file, summary)
}

func (a *app) printBackup(file string, summary backup.Summary) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(struct {
			File string `json:"file"`
			Size int64  `json:"size"`
			backup.Summary
		}{file, info.Size(), summary})
	}
	_, err = fmt.Fprintf(a.out, "%s has %d files, folders and links (%s, of %s): it holds secrets\n",
		term.Plain(file), summary.Entries, term.Size(info.Size()), term.Size(summary.Bytes))
	return err
}

// noteNames says which files something is to be known of.
func (a *app) noteNames(what string, names backup.Names) {
	if names.Count == 0 {
		return
	}
	list := strings.Join(names.First, ", ")
	if more := names.Count - len(names.First); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	fmt.Fprintf(a.err, "%d files %s: %s\n", names.Count, what, term.Plain(list))
}

// elsewhere says which data of a site is not under its prefix.
func elsewhere(site config.Site) []string {
	var notes []string
	if site.Stack.TestDB.DB != "" {
		notes = append(notes, "not in the backup: the test DB is in PostgreSQL; back it up with pg_dump")
	}
	for what, where := range map[string]string{
		"Jenkins": site.Stack.Jenkins.External.URL, "MinIO": site.Stack.Minio.External.Endpoint, "the test DB": site.Stack.TestDB.External.URL,
	} {
		if where != "" {
			notes = append(notes, fmt.Sprintf("not in the backup: %s is at %s", what, where))
		}
	}
	slices.Sort(notes)
	return notes
}

// checkMongo refuses to copy the files of a MongoDB that runs, which would be
// of no use.
func (a *app) checkMongo(ctx context.Context, site config.Site, stack *installer.Stack) error {
	if site.Stack.TestDB.Engine != config.EngineOPNFV {
		return nil
	}
	running, err := a.runningServices(ctx, stack)
	if err != nil {
		return fmt.Errorf("look whether MongoDB is running: %w", err)
	}
	if slices.Contains(running, "mongo") {
		return usage(errors.New("MongoDB is running, and its files can only be copied when it is not: take the stack down first (xtci down)"))
	}
	return nil
}

func (a *app) runningServices(ctx context.Context, stack *installer.Stack) ([]string, error) {
	engine, err := a.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	return installer.Running(ctx, engine, stack)
}

func newRestoreCmd(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put the data of a backup back",
		Long: `restore puts what xtci backup wrote back under stack.prefix. The stack must be
down. Everything is unpacked beside the data and compared with its checksums
before anything is put in its place: a file that was damaged, cut off or changed
restores nothing.

Data that is there is not touched without --force, and with it moved aside into
a folder under stack.prefix, which can be removed when all is well.

Whoever made FILE decides what Jenkins runs: restore only files that you trust.
Files go to the users that they belonged to: run xtci as root.

` + exitStatus,
		Example: "  xtci down && xtci restore lab-2026-11.tar.gz --force && xtci up",
		Args:    exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRestore(cmd.Context(), a, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "move data that is there aside")
	return cmd
}

func runRestore(ctx context.Context, a *app, name string, force bool) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	stack, err := installer.Named(site)
	if err != nil {
		return refused(err)
	}
	file, err := os.Open(name)
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return usage(fmt.Errorf("%s is a folder: name the file that xtci backup wrote", name))
	}
	board := term.NewBoard(a.err)
	row := term.Row{Name: "backup", State: "restoring", Bytes: true}
	summary, err := backup.Restore(ctx, file, info.Size(), backup.RestoreOptions{
		Prefix: stack.Prefix, Names: installer.DataNames(), Force: force,
		Running: func(ctx context.Context) ([]string, error) { return a.runningServices(ctx, stack) },
		Lock:    func() (func(), error) { return installer.LockPrefix(stack.Prefix) },
		Events: func(e backup.Event) {
			row.Done, row.Total = e.Done, e.Total
			board.Set(row)
		},
	})
	row.State, row.End = "restored", term.Good
	if err != nil {
		row.State, row.End = "not restored", term.Bad
	}
	board.Set(row)
	board.Close()
	if err != nil {
		return backupError(fmt.Errorf("%s: %w", name, err))
	}
	a.noteNames("could not be given to their owners: run xtci as root", summary.Foreign)
	if a.json() {
		return a.printJSON(struct {
			Prefix string `json:"prefix"`
			backup.Summary
		}{stack.Prefix, summary})
	}
	text := fmt.Sprintf("%d files, folders and links (%s) of %s are restored in %s\n",
		summary.Entries, term.Size(summary.Bytes), summary.Created.Format("2006-01-02 15:04 MST"), stack.Prefix)
	if summary.Before != "" {
		text += fmt.Sprintf("what was there before is in %s: remove it when all is well\n", summary.Before)
	}
	_, err = fmt.Fprint(a.out, text)
	return err
}

// backupError tells what is wrong with the file, or with the use, from what
// failed outside.
func backupError(err error) error {
	if _, ok := errors.AsType[*backup.BadBackupError](err); ok {
		return usage(err)
	}
	if _, ok := errors.AsType[*backup.RefusedError](err); ok {
		return usage(err)
	}
	return refused(err)
}
