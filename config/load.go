package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
	"go.yaml.in/yaml/v3"
)

// maxSite is the largest site file that is read.
const maxSite = 1 << 20

// delimiter parts nested keys inside viper, where a dot may be part of a key.
const delimiter = "::"

// Options say where a site comes from: the defaults, then File, then
// XTCI_* variables, then Set, each over the one before.
type Options struct {
	File    string   // "" for none
	Environ []string // as os.Environ gives it
	Set     []string // KEY=VALUE, the key's parts separated by dots
}

// Load returns the checked site. Errors name file, line and key.
func Load(o Options) (Site, error) {
	site := Default()
	known := keys(reflect.TypeFor[Site](), "")
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	if o.File != "" {
		if err := loadFile(o, v, &site, known); err != nil {
			return Site{}, err
		}
	}
	for _, variable := range o.Environ {
		name, value, _ := strings.Cut(variable, "=")
		if rest, ok := strings.CutPrefix(name, "XTCI_"); ok {
			if err := set(v, &site, known, envKey(known, rest), value); err != nil {
				return Site{}, fmt.Errorf("environment variable %s: %w", name, err)
			}
		}
	}
	for _, pair := range o.Set {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return Site{}, fmt.Errorf("--set %s: want KEY=VALUE", pair)
		}
		if err := set(v, &site, known, key, value); err != nil {
			return Site{}, fmt.Errorf("--set %s: %w", pair, err)
		}
	}
	if err := v.Unmarshal(&site, viper.DecoderConfigOption(useYAMLTags)); err != nil {
		return Site{}, fmt.Errorf("read the site: %w", err)
	}
	return site, site.validate()
}

// loadFile checks the keys and types of the file strictly, with lines, and
// hands its values to viper. Names of environment variables do not pass
// through viper, which would fold their case.
func loadFile(o Options, v *viper.Viper, site *Site, known []string) error {
	raw, err := readLimited(o.File)
	if err != nil {
		return fmt.Errorf("read the site: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(raw, &node); err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	if err := checkKeys(o.File, &node, known, ""); err != nil {
		return err
	}
	var file Site
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	for name, value := range file.Env {
		site.Env[name] = value
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return fmt.Errorf("%s: %w", o.File, err)
	}
	delete(tree, "env")
	return v.MergeConfigMap(tree)
}

// set gives one key a value, as text.
func set(v *viper.Viper, site *Site, known []string, key, value string) error {
	if name, ok := strings.CutPrefix(key, "env."); ok && name != "" {
		site.Env[name] = value
		return nil
	}
	if !slices.Contains(known, key) || key == "env" || key == "stack" {
		return unknownKey(known, key)
	}
	v.Set(strings.ReplaceAll(key, ".", delimiter), value)
	return nil
}

// envKey finds the key that XTCI_STACK_PREFIX means: stack.prefix.
func envKey(known []string, name string) string {
	for _, key := range known {
		if strings.ReplaceAll(key, ".", "_") == strings.ToLower(name) {
			return key
		}
	}
	if rest, ok := strings.CutPrefix(name, "ENV_"); ok {
		return "env." + rest
	}
	return strings.ToLower(name)
}

// checkKeys refuses keys that no site has.
func checkKeys(file string, node *yaml.Node, known []string, prefix string) error {
	if node.Kind == yaml.DocumentNode {
		for _, child := range node.Content {
			if err := checkKeys(file, child, known, prefix); err != nil {
				return err
			}
		}
		return nil
	}
	if node.Kind != yaml.MappingNode || prefix == "env" {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		if prefix != "" {
			key = prefix + "." + key
		}
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s:%d: %w", file, node.Content[i].Line, unknownKey(known, key))
		}
		if err := checkKeys(file, node.Content[i+1], known, key); err != nil {
			return err
		}
	}
	return nil
}

func unknownKey(known []string, key string) error {
	return fmt.Errorf("unknown key %q: did you mean %q?", key, Nearest(known, key))
}

// keys lists the keys of a struct by its yaml tags, parents included.
func keys(t reflect.Type, prefix string) []string {
	var all []string
	for field := range t.Fields() {
		key := prefix + field.Tag.Get("yaml")
		all = append(all, key)
		if field.Type.Kind() == reflect.Struct {
			all = append(all, keys(field.Type, key+".")...)
		}
	}
	return all
}

// useYAMLTags makes viper see the same names as the YAML decoder, and refuse
// what the site does not have.
func useYAMLTags(c *mapstructure.DecoderConfig) {
	c.TagName = "yaml"
	c.ErrorUnused = true
}

func readLimited(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSite+1))
	if err == nil && len(raw) > maxSite {
		err = fmt.Errorf("%s: larger than %d bytes: not a site", name, maxSite)
	}
	return raw, err
}
