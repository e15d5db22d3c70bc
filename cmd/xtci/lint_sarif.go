package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/anuket-project/xtci/internal/fetch"
	"github.com/anuket-project/xtci/internal/term"
	"github.com/anuket-project/xtci/testcases/lint"
)

// SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), as much of
// it as code hosts show: the names are the standard's.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string             `json:"id"`
	ShortDescription sarifText          `json:"shortDescription"`
	Help             sarifText          `json:"help"`
	Default          sarifConfiguration `json:"defaultConfiguration"`
}

type sarifConfiguration struct {
	Level lint.Level `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex int             `json:"ruleIndex"`
	Level     lint.Level      `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"` // without one it is the file
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

const (
	sarifSchema  = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
	sarifVersion = "2.1.0"
	projectURL   = "https://github.com/anuket-project/xtci"
)

// newSARIF is a report in SARIF.
func newSARIF(report lintReport, version string) sarifLog {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "xtci lint", Version: version, InformationURI: projectURL}
	rules := lint.Rules()
	for _, rule := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			rule.ID, sarifText{rule.Text}, sarifText{rule.Help}, sarifConfiguration{rule.Level},
		})
	}
	for _, f := range report.Findings {
		text := f.Text
		for _, subject := range []string{f.Key, f.Variable} {
			if subject != "" {
				text = subject + ": " + text
			}
		}
		location := sarifPhysical{Artifact: sarifArtifact{sarifURI(f.File)}}
		if f.Line > 0 {
			location.Region = &sarifRegion{f.Line}
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule, RuleIndex: slices.IndexFunc(rules, func(r lint.Rule) bool { return r.ID == f.Rule }),
			Level: f.Level, Message: sarifText{text}, Locations: []sarifLocation{{location}},
		})
	}
	return sarifLog{sarifSchema, sarifVersion, []sarifRun{run}}
}

// sarifURI is a file as a URI, relative to the working folder where it is in
// that: CI matches it with the files of the repository.
func sarifURI(file string) string {
	if fetch.Elsewhere(file) {
		return file
	}
	if filepath.IsAbs(file) {
		here, err := os.Getwd()
		if err == nil {
			if relative, err := filepath.Rel(here, file); err == nil && filepath.IsLocal(relative) {
				file = relative
			}
		}
	}
	if filepath.IsAbs(file) {
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
	}
	return (&url.URL{Path: filepath.ToSlash(filepath.Clean(file))}).String()
}

// writeSARIF writes a report into a file, or to stdout.
func (a *app) writeSARIF(report lintReport, file, version string) error {
	document := newSARIF(report, version)
	if file == "-" {
		return a.printJSON(document)
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(term.Escape(string(text))+"\n"), 0o644); err != nil { //nolint:gosec // CI reads it as somebody else
		return fmt.Errorf("write SARIF: %w", err)
	}
	return nil
}
