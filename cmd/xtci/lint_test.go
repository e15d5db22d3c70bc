package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anuket-project/xtci/testcases/lint"
)

// The golden file has a result of each kind: with a line and without, and of a
// file whose name has what a URI has not.
func TestSARIF(t *testing.T) {
	t.Parallel()
	report := lintReport{Findings: []lintFinding{
		{Level: lint.LevelError, Rule: lint.SiteUnusable, File: "a lab/xtci#1.yaml", Text: "no jobs can be made of it"},
		{Level: lint.LevelWarning, Rule: lint.TagLatest, File: "./xtci.yaml", Line: 3, Key: "docker_tags[0]", Text: "latest \u202e is run"},
		{Level: lint.LevelNote, Rule: lint.VariableNotSupported, File: "/etc/lab/site.yml", Line: 7, Variable: "sudo1", Text: "not supported"},
		{Level: lint.LevelNote, Rule: lint.ReleaseUnlisted, File: "https://lab.example/site.yml", Line: 1, Text: "not listed"},
	}}
	file := filepath.Join(t.TempDir(), "lint.sarif")
	if err := (&app{out: new(bytes.Buffer)}).writeSARIF(report, file, "v0"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "lint.sarif")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("SARIF is\n%s\nwant that of %s (-update writes it)", got, golden)
	}
	checkSARIF(t, got, len(report.Findings))
}

// checkSARIF wants what the standard demands of a log, and code hosts of what
// they show: sections 3.13, 3.14, 3.19, 3.27 and 3.28 of SARIF 2.1.0.
func checkSARIF(t *testing.T, raw []byte, results int) {
	t.Helper()
	type text struct{ Text string }
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version, InformationURI string
					Rules                         []struct {
						ID                     string
						ShortDescription, Help text
						DefaultConfiguration   struct{ Level string }
					}
				}
			}
			Results []struct {
				RuleID, Level string
				RuleIndex     *int
				Message       text
				Locations     []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine int }
					}
				}
			}
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.HasSuffix(log.Schema, "sarif-schema-2.1.0.json") || len(log.Runs) != 1 {
		t.Fatalf("it is %q of %q, with %d runs", log.Version, log.Schema, len(log.Runs))
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name == "" || len(run.Results) != results {
		t.Errorf("%q has %d results, want %d", run.Tool.Driver.Name, len(run.Results), results)
	}
	levels := []string{"error", "warning", "note"}
	for _, rule := range run.Tool.Driver.Rules {
		if rule.ID == "" || rule.ShortDescription.Text == "" || rule.Help.Text == "" || !slices.Contains(levels, rule.DefaultConfiguration.Level) {
			t.Errorf("rule %+v lacks something", rule)
		}
	}
	for _, r := range run.Results {
		switch {
		case r.RuleIndex == nil || *r.RuleIndex < 0 || run.Tool.Driver.Rules[*r.RuleIndex].ID != r.RuleID:
			t.Errorf("%s is not the rule at its index", r.RuleID)
		case r.Message.Text == "" || !slices.Contains(levels, r.Level) || len(r.Locations) != 1:
			t.Errorf("%+v lacks something", r)
		}
		place := r.Locations[0].PhysicalLocation
		if place.ArtifactLocation.URI == "" || strings.ContainsAny(place.ArtifactLocation.URI, " #\\") || place.Region != nil && place.Region.StartLine < 1 {
			t.Errorf("%+v is no place", place)
		}
	}
}

func TestUnusableSite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]lintFinding{
		`xtci.yaml:2: unknown key "x"`: {File: "xtci.yaml", Line: 2, Text: `unknown key "x"`},
		`project: "X" cannot be used`:  {File: "site", Text: `project: "X" cannot be used`},
		`https://a/b:9: no`:            {File: "site", Text: `https://a/b:9: no`},
	} {
		want.Level, want.Rule = lint.LevelError, lint.SiteUnusable
		if got := unusableSite("site", "missing", errText(text)); got != want {
			t.Errorf("%s becomes %+v", text, got)
		}
	}
}

type errText string

func (e errText) Error() string { return string(e) }

func TestGitBranch(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"stable/v1.24": {".git/HEAD": "ref: refs/heads/stable/v1.24\n"},
		"in a worktree": {
			".git": "gitdir: elsewhere/worktrees/x\n", "elsewhere/worktrees/x/HEAD": "ref: refs/heads/in a worktree\n",
		},
		"": {".git/HEAD": "0123456789012345678901234567890123456789\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range files {
				file = filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := gitBranch(filepath.Join(dir, "ci", "site.yml")); got != name {
				t.Errorf("the branch is %q, want %q", got, name)
			}
		})
	}
}
