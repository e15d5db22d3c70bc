package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/anuket-project/xtci/testcases"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"xtci": main})
}

// Each script is one promise to who uses xtci. Beside testscript's own
// commands there are those below.
func TestScripts(t *testing.T) {
	t.Parallel()
	sample, err := filepath.Abs("../../testcases/testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("SAMPLE", sample)
			env.Setenv("XTCI_STACK_PREFIX", filepath.Join(env.WorkDir, "prefix"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"isjson": isJSON,
			"isxml":  isXML,
			"empty":  isEmpty,
			"flip":   flip,
			"serves": serves,
			"waived": waived,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// exits CODE COMMAND... runs a command that must end with that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s exits %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// isjson FILE KEY[=VALUE]... wants one JSON object with these keys at its top.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: isjson FILE [KEY[=VALUE]...]")
	}
	var object map[string]json.RawMessage
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &object))
	for _, pair := range args[1:] {
		key, want, compare := strings.Cut(pair, "=")
		got, ok := object[key]
		if !ok || compare && strings.Trim(string(got), `"`) != want {
			ts.Fatalf("%s: %s is %.200s, want %s", args[0], key, got, pair)
		}
	}
}

// isxml FILE ROOT wants well-formed XML with that root element.
func isXML(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: isxml FILE ROOT")
	}
	decoder := xml.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	root := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
	if root != args[1] {
		ts.Fatalf("%s: the root element is %q, want %s", args[0], root, args[1])
	}
}

// empty FILE... wants that nothing is in the files, such as stdout.
func isEmpty(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		if content := ts.ReadFile(name); (content == "") == neg {
			ts.Fatalf("%s holds %d bytes: %.200q", name, len(content), content)
		}
	}
}

// flip ZIP PART flips a bit in the middle of the bytes that hold the one file
// of the archive whose name ends like that.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip ZIP PART")
	}
	name := ts.MkAbs(args[0])
	raw, err := os.ReadFile(name)
	ts.Check(err)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	ts.Check(err)
	flipped := 0
	for _, file := range z.File {
		if strings.HasSuffix(file.Name, args[1]) {
			at, err := file.DataOffset()
			ts.Check(err)
			raw[at+int64(file.CompressedSize64/2)] ^= 1
			flipped++
		}
	}
	if flipped != 1 {
		ts.Fatalf("%d files are named ...%s", flipped, args[1])
	}
	ts.Check(os.WriteFile(name, raw, 0o600))
}

// waived COMMAND... runs a command with a waiver for each mandatory case.
func waived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: waived COMMAND [ARGUMENT...]")
	}
	catalog, err := testcases.Load("v1.23")
	ts.Check(err)
	for i := range catalog.Cases {
		if catalog.Cases[i].Mandatory {
			args = append(args, "--waive", fmt.Sprintf("%s=accepted in spite of it", catalog.Cases[i].Name))
		}
	}
	ts.Check(ts.Exec(args[0], args[1:]...))
}
