package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anuket-project/xtci/installer"
	"github.com/anuket-project/xtci/internal/term"
)

type downOptions struct {
	purge, yes bool
}

func newDownCmd(a *app) *cobra.Command {
	var o downOptions
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Take the toolchain down again",
		Long: `down stops and removes the containers and the network of the stack. Its data
stays, and the next up goes on with it.

--purge removes the data under stack.prefix, too: results, archives, keys,
passwords. It asks before it does.

` + exitStatus,
		Example: "  xtci down\n  xtci down --purge --yes",
		Args:    exactArgs(),
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDown(cmd.Context(), a, cmd.InOrStdin(), o) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.purge, "purge", false, "remove the data, too, after asking")
	flags.BoolVar(&o.yes, "yes", false, "do not ask")
	return cmd
}

func runDown(ctx context.Context, a *app, in io.Reader, o downOptions) error {
	site, err := a.stackSite()
	if err != nil {
		return err
	}
	if o.yes && !o.purge {
		return usage(errors.New("--yes answers what --purge asks: give both"))
	}
	engine, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer engine.Close()
	stack, err := installer.Named(site)
	if err != nil {
		return refused(err)
	}
	if o.purge && !o.yes {
		if err := a.confirmPurge(in, stack.Prefix); err != nil {
			return err
		}
	}
	board := term.NewBoard(a.err)
	err = installer.Down(ctx, engine, stack, boardOf(board))
	board.Close()
	if err == nil && o.purge {
		err = installer.Purge(ctx, engine, stack)
	}
	if err != nil {
		return refused(err)
	}
	text := "the stack is down; its data is kept in " + stack.Prefix
	if o.purge {
		text = "the stack is down, and its data removed"
	}
	if a.json() {
		return a.printJSON(map[string]any{"stack": stack.Name, "prefix": stack.Prefix, "purged": o.purge})
	}
	_, err = fmt.Fprintln(a.out, text)
	return err
}

// confirmPurge shows what will be gone, and asks.
func (a *app) confirmPurge(in io.Reader, prefix string) error {
	names, err := installer.Data(prefix)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	fmt.Fprintf(a.err, "this removes for ever:\n  %s\nremove it? type yes: ", strings.Join(names, "\n  "))
	answer, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return usage(errors.New("nothing was removed or stopped: the answer was not yes (--yes does not ask)"))
	}
	return nil
}
