package playbook

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/anuket-project/xtci/config"
)

// Write writes the campaign's site as a file that xtci loads: every key that
// is not as by default, each with where it is from. Findings are at its head.
func Write(w io.Writer, c Campaign, findings []Finding) error {
	d := documenter{campaign: c}
	root := d.fields(reflect.ValueOf(c.Site), reflect.ValueOf(config.Default()), "")
	if len(root.Content) == 0 {
		root.Style = yaml.FlowStyle
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "# The site of the role's call at %s:%d, written by xtci site convert.\n# What is not here is as xtci has it by default.\n", comment(c.File), c.Line)
	if len(findings) > 0 {
		text.WriteString("#\n# Of the playbook, besides:\n")
	}
	for _, f := range findings {
		text.WriteString("#   " + comment(f.String()) + "\n")
	}
	text.WriteString("\n")
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return fmt.Errorf("write the site: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("write the site: %w", err)
	}
	_, err := w.Write(text.Bytes())
	return err
}

// comment is text that stays on the line of its comment.
func comment(text string) string {
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`), `\\`, `\`)
}

// documenter makes the YAML of a site.
type documenter struct{ campaign Campaign }

// fields are those of a struct that are not as by default.
func (d documenter) fields(v, fallback reflect.Value, prefix string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for field, value := range v.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		other := fallback.FieldByIndex(field.Index)
		key := prefix + name
		switch {
		case options == "inline":
			node.Content = append(node.Content, d.fields(value, other, prefix).Content...)
		case name == "-" || reflect.DeepEqual(value.Interface(), other.Interface()):
		case key == "env":
			d.add(node, key, name, d.env())
		case value.Kind() == reflect.Struct:
			if below := d.fields(value, other, key+"."); len(below.Content) > 0 {
				d.add(node, key, name, below)
			}
		default:
			d.add(node, key, name, d.value(value))
		}
	}
	return node
}

func (d documenter) add(node *yaml.Node, key, name string, value *yaml.Node) {
	label := word(name)
	if o, ok := d.campaign.Origins[key]; ok {
		label.HeadComment = "# " + comment(o.String())
		if value.Kind == yaml.ScalarNode {
			label.HeadComment, value.LineComment = "", label.HeadComment
		}
	}
	node.Content = append(node.Content, label, value)
}

// env are the site's variables: null takes away one that it has by default.
func (d documenter) env() *yaml.Node {
	site := d.campaign.Site
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, v := range site.Variables() {
		node.Content = append(node.Content, word(v.Name), word(v.Value))
	}
	for _, name := range config.Default().EnvOrder {
		if _, ok := site.Env[name]; !ok {
			node.Content = append(node.Content, word(name), &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"})
		}
	}
	return node
}

// word is text, between quotes where it would be something else.
func word(text string) *yaml.Node {
	node := &yaml.Node{}
	node.SetString(text)
	if _, isText := plain(text).(string); !isText {
		node.Style = yaml.SingleQuotedStyle
	}
	return node
}

// value is the YAML of a value within a list, or of a plain one.
func (d documenter) value(v reflect.Value) *yaml.Node {
	switch x := v.Interface().(type) {
	case config.Secret:
		return word(x.Reveal())
	case config.DockerTag:
		return dockerTagNode(x)
	case *config.Env:
		return variablesNode(*x)
	case time.Duration:
		return word(shortDuration(x))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return d.value(v.Elem())
	case reflect.Slice:
		node := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			node.Content = append(node.Content, d.value(v.Index(i)))
		}
		if len(node.Content) == 0 {
			node.Style = yaml.FlowStyle
		}
		return node
	case reflect.Struct:
		return d.element(v)
	case reflect.String:
		return word(v.String())
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(v.Interface())}
	}
}

// element is a struct in a list: all of it but for what is not said.
func (d documenter) element(v reflect.Value) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for field, value := range v.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if value.IsZero() && !slices.Contains([]string{"timed", "recipients", "timeout"}, name) || value.Kind() == reflect.Slice && value.IsNil() || name == "timeout" && value.Type() == reflect.TypeFor[time.Duration]() && value.IsZero() {
			continue
		}
		if value.Kind() == reflect.Pointer && value.IsNil() {
			continue
		}
		node.Content = append(node.Content, word(name), d.value(value))
	}
	return node
}

func variablesNode(env config.Env) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, v := range env {
		node.Content = append(node.Content, word(v.Name), word(v.Value))
	}
	if len(env) == 0 {
		node.Style = yaml.FlowStyle
	}
	return node
}

func dockerTagNode(tag config.DockerTag) *yaml.Node {
	keys := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range [...][2]string{{"node", tag.Node}, {"branch", tag.Branch}, {"dependency", tag.Dependency}} {
		if p[1] != "" {
			keys.Content = append(keys.Content, word(p[0]), word(p[1]))
		}
	}
	if len(tag.BuildArgs) > 0 {
		keys.Content = append(keys.Content, word("build_args"), variablesNode(tag.BuildArgs))
	}
	keys.Content = append(keys.Content, variablesNode(tag.Env).Content...)
	if len(keys.Content) == 0 {
		return word(tag.Name)
	}
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word(tag.Name), keys}}
}

// shortDuration is 3h rather than 3h0m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
