package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/anuket-project/xtci/jenkins/jenkinstest"
)

// casc is what is read of a configuration as code. The rest is let be.
type casc struct {
	Jenkins struct {
		NumExecutors  *int `yaml:"numExecutors"`
		SecurityRealm struct {
			Local struct {
				Users []struct {
					ID       string `yaml:"id"`
					Password string `yaml:"password"`
				} `yaml:"users"`
			} `yaml:"local"`
		} `yaml:"securityRealm"`
	} `yaml:"jenkins"`
	Unclassified struct {
		Location struct {
			URL string `yaml:"url"`
		} `yaml:"location"`
	} `yaml:"unclassified"`
}

// configure reads a file, or the YAML files of a folder.
func configure(o *jenkinstest.Options, path string, getenv func(string) string) error {
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		files = nil
		for _, form := range []string{"*.yaml", "*.yml"} {
			found, err := filepath.Glob(filepath.Join(path, form))
			if err != nil {
				return err
			}
			files = append(files, found...)
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var c casc
		if err := yaml.Unmarshal(text, &c); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := c.apply(o, getenv); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func (c casc) apply(o *jenkinstest.Options, getenv func(string) string) error {
	if n := c.Jenkins.NumExecutors; n != nil {
		o.Executors = *n
	}
	var failed error
	resolved := func(text string) string {
		text, err := resolve(text, getenv)
		failed = errors.Join(failed, err)
		return text
	}
	for _, u := range c.Jenkins.SecurityRealm.Local.Users {
		o.Users = append(o.Users, jenkinstest.User{Name: resolved(u.ID), Password: resolved(u.Password)})
	}
	if url := c.Unclassified.Location.URL; url != "" {
		o.RootURL = resolved(url)
	}
	return failed
}

// reference is ${NAME}, ${NAME:-default} or ${readFile:PATH}; ^${ is none.
var reference = regexp.MustCompile(`\^?\$\{[^}]*\}`)

// resolve replaces references as the plugin configuration-as-code does: from
// /run/secrets, the environment, or a file.
func resolve(text string, getenv func(string) string) (resolved string, err error) {
	resolved = reference.ReplaceAllStringFunc(text, func(match string) string {
		if escaped, ok := strings.CutPrefix(match, "^"); ok {
			return escaped
		}
		name := strings.TrimSuffix(strings.TrimPrefix(match, "${"), "}")
		for _, lookup := range []string{"readFile:", "file:"} {
			if path, ok := strings.CutPrefix(name, lookup); ok {
				content, readErr := os.ReadFile(path)
				err = errors.Join(err, readErr)
				return strings.TrimRight(string(content), "\n")
			}
		}
		name, fallback, _ := strings.Cut(name, ":-")
		if content, readErr := os.ReadFile(filepath.Join("/run/secrets", filepath.Base(name))); readErr == nil {
			return strings.TrimRight(string(content), "\n")
		}
		if value := getenv(name); value != "" {
			return value
		}
		return fallback
	})
	return resolved, err
}
