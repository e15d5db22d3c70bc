package main

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/testcases/runner/functeststandin/layout"
)

// program is where the image has this program; its two names are links.
const program = "usr/bin/functest-standin"

// writeRootfs writes the files of a tier's image as a tar, for docker import.
func writeRootfs(args []string, to io.Writer) error {
	flags := flag.NewFlagSet("rootfs", flag.ContinueOnError)
	sample := flags.String("sample", "testcases/testdata/sample", "the recorded campaign: a folder for each case")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("rootfs: name one tier")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := static(self); err != nil {
		return err
	}
	files, err := layout.Files(*sample, flags.Arg(0))
	if err != nil {
		return err
	}
	files["/"+program] = self
	return writeTar(to, files)
}

// static says whether a program runs in an image that holds nothing else.
func static(name string) error {
	file, err := elf.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s needs shared libraries: build it with CGO_ENABLED=0", name)
	}
	return nil
}

func writeTar(to io.Writer, files map[string]string) error {
	out := tar.NewWriter(to)
	folders := map[string]bool{"tmp": true, "root": true, "home/opnfv": true, "home": true, "var/lib/xtesting/results": true}
	for _, name := range append(slices.Collect(maps.Keys(files)), "/var/lib/xtesting/results") {
		for folder := path.Dir(strings.TrimPrefix(name, "/")); folder != "."; folder = path.Dir(folder) {
			folders[folder] = true
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		mode := int64(0o755)
		if folder == "tmp" {
			mode = 0o1777
		}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: mode}); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(out, strings.TrimPrefix(name, "/"), files[name]); err != nil {
			return err
		}
	}
	for _, link := range [][2]string{
		{"usr/bin/run_tests", path.Base(program)}, {"usr/bin/zip_campaign", path.Base(program)}, {"home/opnfv/functest", "/var/lib/xtesting"},
	} {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: link[0], Linkname: link[1], Mode: 0o777}); err != nil {
			return err
		}
	}
	return out.Close()
}

func addFile(out *tar.Writer, name, from string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if name == program {
		mode = 0o755
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size()}); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}
