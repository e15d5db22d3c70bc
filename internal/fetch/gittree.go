package fetch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

const (
	maxListing    = 64 << 20 // bytes of the list of a commit's files
	maxCompanions = 10_000
	maxCopy       = 256 << 20 // bytes of the file and all companions
)

// A treeFile is one line of what a commit has.
type treeFile struct {
	mode, id, name string
	size           int64
}

func (f treeFile) isLink() bool { return f.mode == "120000" }
func (f treeFile) isFile() bool { return strings.HasPrefix(f.mode, "100") }

// write writes the file and its companions. Nothing is checked out: no link
// is made, and no filter or attribute of the repository has an effect.
func (g *gitGetter) write(ctx context.Context, git gitCommand, dir string) error {
	files, err := g.choose(ctx, git)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var ids bytes.Buffer
	for _, f := range files {
		fmt.Fprintln(&ids, f.id)
	}
	cmd := git.command(ctx, "cat-file", "--batch", "--buffer")
	var said tail
	cmd.Stdin, cmd.Stderr = &ids, &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	written := writeFiles(root, files, bufio.NewReader(out))
	if written != nil {
		_ = cmd.Cancel() // it may wait for somebody to read on
	}
	ended := cmd.Wait()
	switch {
	case written != nil:
		return errors.Join(written, ctx.Err())
	case ended != nil:
		return fmt.Errorf("git cat-file: %w%s", ended, said.text())
	}
	return nil
}

// choose lists the commit's files, and takes those that are wanted.
func (g *gitGetter) choose(ctx context.Context, git gitCommand) ([]treeFile, error) {
	var files []treeFile
	var total int64
	found := false
	wanted := g.source.path
	err := git.list(ctx, func(f treeFile) error {
		switch {
		case f.isLink() && (f.name == wanted || strings.HasPrefix(wanted, f.name+"/")):
			return unfitf("%s is a link: links are not followed", f.name)
		case f.isLink() && g.want.Companion(f.name) && len(g.got.links) < maxCompanions:
			g.got.links = append(g.got.links, f.name)
			return nil
		case f.name == wanted && !f.isFile():
			return unfitf("%s is no file", f.name)
		case !f.isFile() || f.name != wanted && (!g.want.Companion(f.name) || f.size > g.want.MaxBytes):
			return nil
		case f.size > g.want.MaxBytes:
			return tooLarge(g.want.MaxBytes)
		case !fs.ValidPath(f.name) || strings.Contains(f.name, `\`) || inGitFolder(f.name):
			return nil // nobody asked for it by that name
		}
		found = found || f.name == wanted
		total += f.size
		if files = append(files, f); len(files) > maxCompanions || total > maxCopy {
			return unfitf("it has more than %d files beside it, or more than %s of them", maxCompanions, size(maxCopy))
		}
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("there is no file %s in it", wanted)
	}
	g.got.file = wanted
	return files, err
}

// list lists all files of the commit.
func (g gitCommand) list(ctx context.Context, each func(treeFile) error) error {
	cmd := g.command(ctx, "ls-tree", "-r", "-z", "-l", "--full-tree", "FETCH_HEAD^{commit}")
	var said tail
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	read := readTree(bufio.NewReader(io.LimitReader(out, maxListing)), each)
	if read != nil {
		_ = cmd.Cancel()
	}
	ended := cmd.Wait()
	switch {
	case read != nil:
		return read
	case ctx.Err() != nil:
		return ctx.Err()
	case ended != nil:
		return fmt.Errorf("git ls-tree: %w%s", ended, said.text())
	}
	return nil
}

// readTree reads MODE TYPE ID SIZE\tNAME\0 until the end.
func readTree(r *bufio.Reader, each func(treeFile) error) error {
	for {
		line, err := r.ReadString(0)
		if errors.Is(err, io.EOF) && line == "" {
			return nil
		}
		if err != nil {
			return unfitf("the list of its files is longer than %s, or broken off", size(maxListing))
		}
		head, name, ok := strings.Cut(strings.TrimSuffix(line, "\x00"), "\t")
		words := strings.Fields(head)
		if !ok || len(words) != 4 {
			return fmt.Errorf("git ls-tree: %.100q is no file of a commit", line)
		}
		f := treeFile{mode: words[0], id: words[2], name: name}
		if f.size, err = strconv.ParseInt(words[3], 10, 64); err != nil && words[3] != "-" {
			return fmt.Errorf("git ls-tree: %.100q has no size", line)
		}
		if err := each(f); err != nil {
			return err
		}
	}
}

// writeFiles writes what git cat-file --batch prints: ID TYPE SIZE\nCONTENT\n.
func writeFiles(root *os.Root, files []treeFile, r *bufio.Reader) error {
	for _, f := range files {
		head, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("git cat-file: %s: %w", f.name, err)
		}
		if head != fmt.Sprintf("%s blob %d\n", f.id, f.size) {
			return fmt.Errorf("git cat-file: %s: %.100q instead of the file", f.name, head)
		}
		if err := writeFile(root, f, r); err != nil {
			return err
		}
		if end, err := r.ReadByte(); err != nil || end != '\n' {
			return fmt.Errorf("git cat-file: %s does not end where it should", f.name)
		}
	}
	return nil
}

func writeFile(root *os.Root, f treeFile, r io.Reader) error {
	if err := root.MkdirAll(path.Dir(f.name), 0o700); err != nil {
		return err
	}
	file, err := root.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.CopyN(file, r, f.size); err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	return file.Close()
}
