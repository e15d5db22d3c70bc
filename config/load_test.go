package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	want := func(change func(*Site)) Site {
		s := Default()
		change(&s)
		return s
	}
	for _, test := range []struct {
		name    string
		file    string
		environ []string
		set     []string
		want    Site
	}{
		{name: "defaults", want: Default()},
		{name: "an empty file", file: "# nothing yet\n", want: Default()},
		{
			name: "names of environment variables keep their case",
			file: "env:\n  http_proxy: http://a\n  HTTP_PROXY: http://b\n  with.dot: 1\n",
			want: Site{}, // with.dot is refused below
		},
		{
			name:    "file, environment, flags, each over the one before",
			file:    "project: from-file\nfailure: continue\nstack:\n  prefix: /from/file\n",
			environ: []string{"PATH=/bin", "XTCI_PROJECT=from-env", "XTCI_STACK_PREFIX=/from/env", "XTCI_ENV_HTTP_PROXY=http://p"},
			set:     []string{"stack.prefix=/from/set", "env.Mixed_Case=x"},
			want: want(func(s *Site) {
				s.Project, s.Failure, s.Stack.Prefix = "from-env", FailureContinue, "/from/set"
				s.Env["HTTP_PROXY"], s.Env["Mixed_Case"] = "http://p", "x"
			}),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Environ: test.environ, Set: test.set}
			if test.file != "" {
				o.File = filepath.Join(t.TempDir(), "xtci.yaml")
				if err := os.WriteFile(o.File, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Load(o)
			if test.want.Project == "" {
				if err == nil || !strings.Contains(err.Error(), "env:") {
					t.Fatalf("got %v, want an error that names env", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("site (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		environ    []string
		set        []string
		want       []string // in the message
	}{
		{name: "a misspelt key", file: "project: x\nrelaese: v1.23\n", want: []string{"xtci.yaml:2", `"relaese"`, `"release"`}},
		{name: "a misspelt nested key", file: "stack:\n  prefx: /x\n", want: []string{"xtci.yaml:2", `"stack.prefx"`, `"stack.prefix"`}},
		{name: "a wrong type", file: "project: [a]\n", want: []string{"xtci.yaml", "line 1"}},
		{name: "no YAML", file: "\t:\n", want: []string{"xtci.yaml"}},
		{name: "a file that is not there", want: []string{"absent.yaml"}},
		{name: "a value that is not one of two", set: []string{"failure=maybe"}, want: []string{"failure", `"maybe"`, "stop or continue"}},
		{name: "a flag without a value", set: []string{"failure"}, want: []string{"--set failure", "KEY=VALUE"}},
		{name: "a flag for a key that is none", set: []string{"stack.prefx=1"}, want: []string{`"stack.prefix"`}},
		{name: "a variable for a key that is none", environ: []string{"XTCI_PROJEKT=1"}, want: []string{"XTCI_PROJEKT", `"project"`}},
		{name: "a project that is no name", set: []string{"project=../x"}, want: []string{"project", `"../x"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Environ: test.environ, Set: test.set, File: filepath.Join(t.TempDir(), "absent.yaml")}
			if test.file != "" {
				o.File = filepath.Join(t.TempDir(), "xtci.yaml")
				if err := os.WriteFile(o.File, []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if test.environ != nil || test.set != nil {
				o.File = ""
			}
			_, err := Load(o)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q does not name %s", err, part)
				}
			}
		})
	}
}

func TestDigestTellsSitesApart(t *testing.T) {
	t.Parallel()
	digest := func(s Site) string {
		t.Helper()
		d, err := s.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	other, moved := Default(), Default()
	other.Env["X"] = "1"
	moved.Stack.Prefix = "/elsewhere"
	if digest(Default()) == digest(other) {
		t.Error("another environment has the same digest")
	}
	if digest(Default()) != digest(moved) {
		t.Error("the folder for results changes what is tested")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("project: x\nenv: {A: b}\n")
	f.Add("stack: {prefix: /x}\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "xtci.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		site, err := Load(Options{File: file})
		if err == nil && site.Project == "" {
			t.Errorf("accepted a site without a project: %q", text)
		}
	})
}
