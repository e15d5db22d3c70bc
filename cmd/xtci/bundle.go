package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/installer/bundle"
	"github.com/anuket-project/xtci/internal/docker"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases"
)

func newBundleCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Carry all images, and xtci itself, to a host without a network",
		Long: `bundle saves everything that a campaign needs into one file on a host that has
it, and loads it on a host that cannot go out. docs/airgap.md goes through it.

` + exitStatus,
		Example: `  xtci bundle save xtci.tar --pull
  tar xf xtci.tar xtci && ./xtci bundle load xtci.tar && ./xtci up --offline`,
	}
	cmd.AddCommand(newBundleSaveCmd(a), newBundleLoadCmd(a))
	return cmd
}

type bundleSaveOptions struct {
	file   string
	pull   bool
	images []string
}

func newBundleSaveCmd(a *app) *cobra.Command {
	var o bundleSaveOptions
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Write all images and xtci itself into one file",
		Long: `save writes the images of the stack and of the test suites, as the site names
them, and the xtci that runs into FILE. An image that is locked in xtci.lock is
saved as it is locked, though its tag may have moved.

FILE is an OCI image layout in a tar, each layer once and compressed. docker load
and skopeo read it, too. It is written whole or not at all, and needs no room
elsewhere. Passwords and results are not in it.

` + exitStatus,
		Example: `  xtci bundle save xtci.tar
  xtci bundle save xtci.tar --pull --image registry.example/lab/probe:1`,
		Args: exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			return runBundleSave(cmd.Context(), a, o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.pull, "pull", false, "pull the images that are not here")
	flags.StringArrayVar(&o.images, "image", nil, "save this image, too: its `REFERENCE` (may be repeated)")
	return cmd
}

func runBundleSave(ctx context.Context, a *app, o bundleSaveOptions) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	catalog, err := testcases.Load(site.Release)
	if err != nil {
		return usage(err)
	}
	binary, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find xtci's own binary: %w", err)
	}
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	stack, err := a.stack(site, engine)
	if err != nil {
		return err
	}
	lock, err := installer.ReadLock(stack.Prefix)
	if err != nil {
		return usage(err)
	}
	items := bundleItems(stack, lock, suiteImages(site, catalog), o.images)
	board := newBundleBoard(a)
	options := bundle.SaveOptions{Items: items, Files: []bundle.File{{Name: "xtci", Path: binary}}, Events: board.event}
	if o.pull {
		options.Pull = func(ctx context.Context, ref string) (docker.Image, error) { return board.pull(ctx, engine, ref) }
	}
	images, err := bundle.Save(ctx, engine, o.file, options)
	board.close(err)
	if _, ok := errors.AsType[*bundle.MissingError](err); ok {
		return fmt.Errorf("%w\nwhat to do: let this command pull what is missing (--pull), or load or pull it first (docker pull)", err)
	}
	if err != nil {
		return err
	}
	return a.printSaved(o.file, images)
}

func (a *app) printSaved(file string, images []bundle.Image) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]any{"file": file, "size": info.Size(), "images": images})
	}
	_, err = fmt.Fprintf(a.out, "%s has %d images and xtci (%s)\n", term.Plain(file), len(images), term.Size(info.Size()))
	fmt.Fprintf(a.err, "on the other host: tar xf FILE xtci && ./xtci bundle load FILE && ./xtci up --offline\n")
	return err
}

// suiteImages are the images of all tests that the site wants.
func suiteImages(site config.Site, catalog *testcases.Catalog) []string {
	var images []string
	for _, plan := range testcases.Plans(site, catalog, testcases.ScopeAll) {
		for _, phase := range append(slices.Clone(plan.Phases), plan.Spare...) {
			images = append(images, phase.Image)
		}
		for _, archive := range plan.Archives {
			images = append(images, archive.Container.Image)
		}
	}
	slices.Sort(images)
	return slices.Compact(images)
}

// bundleItems are the images to save: those of the stack, as they are locked,
// and the others, as they are.
func bundleItems(stack *installer.Stack, lock *installer.Lock, others ...[]string) []bundle.Item {
	var items []bundle.Item
	for i := range stack.Services {
		if service := &stack.Services[i]; !service.External && len(service.Images) > 0 {
			ref := service.Images[0]
			items = append(items, bundle.Item{Ref: ref, Mirrors: service.Images[1:], ID: lock.Images[ref].ID})
		}
	}
	for _, ref := range slices.Concat(others...) {
		items = append(items, bundle.Item{Ref: ref})
	}
	return items
}

type bundleLoadOptions struct{ file string }

func newBundleLoadCmd(a *app) *cobra.Command {
	var o bundleLoadOptions
	return &cobra.Command{
		Use:   "load FILE",
		Short: "Load what bundle save wrote, without a network",
		Long: `load gives the images in FILE to Docker, under the names that they had. First it
checks every digest in it; nothing of a file that was damaged or changed is
loaded. An image that is here already is not loaded again.

An image that was saved by its digest alone, repo@sha256:..., gets the tag
repo:sha256-..., since Docker names no loaded image by a digest.

` + exitStatus,
		Example: "  xtci bundle load xtci.tar && xtci up --offline",
		Args:    exactArgs("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			return runBundleLoad(cmd.Context(), a, o)
		},
	}
}

func runBundleLoad(ctx context.Context, a *app, o bundleLoadOptions) error {
	file, err := os.Open(o.file)
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return usage(fmt.Errorf("%s is no file: a bundle cannot be read from a pipe", o.file))
	}
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	board := newBundleBoard(a)
	loaded, err := bundle.Load(ctx, engine, file, info.Size(), bundle.LoadOptions{Events: board.event})
	board.close(err)
	if _, ok := errors.AsType[*bundle.BadBundleError](err); ok {
		return usage(fmt.Errorf("%s: %w", o.file, err))
	}
	if err != nil {
		return err
	}
	if a.json() {
		return a.printJSON(map[string]any{"file": o.file, "images": loaded})
	}
	var text strings.Builder
	present := 0
	for _, one := range loaded {
		fmt.Fprintf(&text, "%.19s  %s\n", one.EngineID, term.Plain(one.Name))
		if one.Present {
			present++
		}
	}
	fmt.Fprintf(&text, "%d images are here now, %d were before\n", len(loaded), present)
	_, err = fmt.Fprint(a.out, text.String())
	return err
}

// bundleBoard shows the steps of a bundle.
type bundleBoard struct {
	board   *term.Board
	running map[string]term.Row
}

func newBundleBoard(a *app) *bundleBoard {
	return &bundleBoard{term.NewBoard(a.err), map[string]term.Row{}}
}

func (b *bundleBoard) event(e bundle.Event) {
	row := term.Row{Name: e.Name, State: string(e.Step), Done: e.Done, Total: e.Total, Bytes: true}
	switch e.Step {
	case bundle.Saved, bundle.Checked, bundle.Loaded:
		row.End = term.Good
	case bundle.Present:
		row.End = term.Same
	}
	b.set(row)
}

func (b *bundleBoard) set(row term.Row) {
	b.running[row.Name] = row
	if row.End != term.Running {
		delete(b.running, row.Name)
	}
	b.board.Set(row)
}

// pull pulls an image.
func (b *bundleBoard) pull(ctx context.Context, engine *docker.Engine, ref string) (docker.Image, error) {
	b.set(term.Row{Name: ref, State: "pulling"})
	image, err := engine.Pull(ctx, ref, func(p docker.PullProgress) {
		b.set(term.Row{Name: ref, State: "pulling", Done: p.Done, Total: p.Total, Bytes: true})
	})
	row := term.Row{Name: ref, State: "pulled", End: term.Good}
	if err != nil {
		row.State, row.End = "not pulled", term.Bad
	}
	b.set(row)
	return image, err
}

// close ends the board. What had not ended has failed.
func (b *bundleBoard) close(err error) {
	if err != nil {
		for _, row := range b.running {
			row.State, row.End = "failed", term.Bad
			b.board.Set(row)
		}
	}
	b.board.Close()
}
