package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
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

// notOfSite begin, after XTCI_, variables that are no part of a site: those
// that tests are told by (XTCI_TEST_JENKINS_URL), and those that tell the
// completion of shells what to show.
var notOfSite = [...]string{"TEST_", "ACTIVE_HELP", "COMPLETION_DESCRIPTIONS"}

// delimiter parts nested keys inside viper, where a dot may be part of a key.
const delimiter = "::"

// Options say where a site comes from: the defaults, then File, then
// XTCI_* variables, then Set, each over the one before.
type Options struct {
	File string // "" for none
	// Base, if there is one, is in place of the defaults: a site that came
	// otherwise than by a file.
	Base    *Site
	Environ []string // as os.Environ gives it
	Set     []string // KEY=VALUE, the key's parts separated by dots
}

// Load returns the checked site. Errors name file, line and key.
func Load(o Options) (Site, error) {
	site := Default()
	if o.Base != nil {
		site = o.Base.clone()
	}
	known := keys(reflect.TypeFor[Site](), "")
	v := viper.NewWithOptions(viper.KeyDelimiter(delimiter))
	var file Site
	if o.File != "" {
		if err := loadFile(o, v, &file, known); err != nil {
			return Site{}, err
		}
		site.addEnv(file)
	}
	var over []string
	for _, variable := range o.Environ {
		name, value, _ := strings.Cut(variable, "=")
		if rest, ok := strings.CutPrefix(name, "XTCI_"); ok && ofSite(rest) {
			key := envKey(known, rest)
			if err := set(v, &site, known, key, value); err != nil {
				return Site{}, fmt.Errorf("environment variable %s: %w", name, err)
			}
			over = append(over, key)
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
		over = append(over, key)
	}
	if err := v.Unmarshal(&site, viper.DecoderConfigOption(useYAMLTags)); err != nil {
		return Site{}, fmt.Errorf("read the site: %w", err)
	}
	overlay(reflect.ValueOf(&site).Elem(), reflect.ValueOf(file), over, "")
	if err := site.Validate(); err != nil {
		return Site{}, err
	}
	return site, site.readSecrets()
}

// ofSite says whether a variable, without XTCI_, is meant for the site.
func ofSite(name string) bool {
	return !slices.ContainsFunc(notOfSite[:], func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// clone is a copy whose variables can be changed.
func (s Site) clone() Site {
	s.Env, s.EnvOrder = maps.Clone(s.Env), slices.Clone(s.EnvOrder)
	if s.Env == nil {
		s.Env = map[string]string{}
	}
	return s
}

// notForViper are the keys whose values do not pass through viper: it folds
// the case of names, and knows no type with a form of its own.
var notForViper = [...]string{"env", "suites", "docker_tags"}

// loadFile checks the keys and types of the file strictly, with lines, and
// hands its values to viper. What viper would spoil is in file alone.
func loadFile(o Options, v *viper.Viper, file *Site, known []string) error {
	raw, err := readLimited(o.File)
	if err != nil {
		return fmt.Errorf("read the site: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(raw, &node); err != nil {
		return inFile(o.File, err)
	}
	if err := checkKeys(o.File, &node, reflect.TypeFor[Site](), known, ""); err != nil {
		return err
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(file); err != nil && !errors.Is(err, io.EOF) {
		return inFile(o.File, err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return inFile(o.File, err)
	}
	var names struct {
		Env Env `yaml:"env"`
	}
	if tree["env"] != nil {
		if err := yaml.Unmarshal(raw, &names); err != nil {
			return inFile(o.File, err)
		}
	}
	for _, variable := range names.Env {
		file.EnvOrder = append(file.EnvOrder, variable.Name)
	}
	// null is that a variable which the site has by default is not set at all.
	var nulls struct {
		Env map[string]*string `yaml:"env"`
	}
	if err := yaml.Unmarshal(raw, &nulls); err != nil {
		return inFile(o.File, err)
	}
	for name, value := range nulls.Env {
		if value == nil {
			delete(file.Env, name)
		}
	}
	for _, key := range notForViper {
		delete(tree, key)
	}
	return v.MergeConfigMap(tree)
}

// addEnv adds the variables of the file, which says their order.
func (s *Site) addEnv(file Site) {
	s.EnvOrder = slices.DeleteFunc(s.EnvOrder, func(name string) bool { return slices.Contains(file.EnvOrder, name) })
	for _, name := range file.EnvOrder {
		if value, ok := file.Env[name]; ok {
			s.EnvOrder = append(s.EnvOrder, name)
			s.Env[name] = value
		} else {
			delete(s.Env, name)
		}
	}
}

// setEnv sets one variable.
func (s *Site) setEnv(name, value string) {
	if _, ok := s.Env[name]; !ok {
		s.EnvOrder = append(s.EnvOrder, name)
	}
	s.Env[name] = value
}

// set gives one key a value, as text.
func set(v *viper.Viper, site *Site, known []string, key, value string) error {
	if name, ok := strings.CutPrefix(key, "env."); ok && name != "" {
		site.setEnv(name, value)
		return nil
	}
	if !slices.Contains(known, key) || key == "env" {
		return unknownKey(known, key)
	}
	field, ok := typeOf(reflect.TypeFor[Site](), key)
	if !ok || field.Kind() == reflect.Slice && field.Elem().Kind() != reflect.String {
		return fmt.Errorf("key %q is a list, or in one: give it in the site's file", key)
	}
	if slices.ContainsFunc(known, func(other string) bool { return strings.HasPrefix(other, key+".") }) {
		return fmt.Errorf("key %q has keys of its own: set one of them", key)
	}
	if err := checkText(field, value); err != nil {
		return err
	}
	v.Set(strings.ReplaceAll(key, ".", delimiter), value)
	return nil
}

// typeOf returns the type of a key that is in no list.
func typeOf(t reflect.Type, key string) (reflect.Type, bool) {
	for part := range strings.SplitSeq(key, ".") {
		if t.Kind() != reflect.Struct {
			return nil, false
		}
		var ok bool
		if t, ok = fieldOf(t, part); !ok {
			return nil, false
		}
	}
	return t, true
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

// checkKeys refuses keys that no site has: t is the type that a node is read
// into, prefix the key under which it stands, with a dot at its end.
func checkKeys(file string, node *yaml.Node, t reflect.Type, known []string, prefix string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Kind == yaml.DocumentNode && len(node.Content) > 0:
		return checkKeys(file, node.Content[0], t, known, prefix)
	case reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()):
		return nil // it refuses what it does not know itself
	case node.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		for _, element := range node.Content {
			if err := checkKeys(file, element, t.Elem(), known, prefix); err != nil {
				return err
			}
		}
	case node.Kind == yaml.MappingNode && t.Kind() == reflect.Struct:
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i]
			field, ok := fieldOf(t, name.Value)
			if !ok {
				return fmt.Errorf("%s:%d: %w", file, name.Line, unknownKey(known, prefix+name.Value))
			}
			if err := checkKeys(file, node.Content[i+1], field, known, prefix+name.Value+"."); err != nil {
				return err
			}
		}
	}
	return nil // another shape than wanted is refused by the decoder, with its line
}

// fieldOf returns the type of a struct's field by its yaml tag.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if options == "inline" {
			if found, ok := fieldOf(field.Type, key); ok {
				return found, true
			}
		}
		if name == key && name != "" && name != "-" {
			return field.Type, true
		}
	}
	return nil, false
}

func unknownKey(known []string, key string) error {
	return fmt.Errorf("unknown key %q: did you mean %q?", key, Nearest(known, key))
}

// keys lists the keys of a struct by its yaml tags, parents included, and
// those of lists' elements.
func keys(t reflect.Type, prefix string) []string {
	var all []string
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "-" || name == "" && options != "inline" {
			continue
		}
		if options == "inline" {
			all = append(all, keys(field.Type, prefix)...)
			continue
		}
		key := prefix + name
		all = append(all, key)
		below := field.Type
		for below.Kind() == reflect.Pointer || below.Kind() == reflect.Slice {
			below = below.Elem()
		}
		if below.Kind() == reflect.Struct {
			all = append(all, keys(below, key+".")...)
		}
	}
	return all
}

// overlay gives dst every list that the file has. viper would merge them with
// those that are there, element by element; keys in over were set by hand.
func overlay(dst, src reflect.Value, over []string, prefix string) {
	for field, value := range src.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		key := prefix + name
		target := dst.FieldByIndex(field.Index)
		switch {
		case options == "inline":
			overlay(target, value, over, prefix)
		case value.Kind() == reflect.Struct:
			overlay(target, value, over, key+".")
		case value.Kind() == reflect.Slice && !value.IsNil() && name != "-" && !slices.Contains(over, key):
			target.Set(value)
		}
	}
}

// useYAMLTags makes viper see the same names as the YAML decoder, and refuse
// what the site does not have.
func useYAMLTags(c *mapstructure.DecoderConfig) {
	c.TagName = "yaml"
	c.SquashTagOption = "inline"
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
