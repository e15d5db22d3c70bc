package playbook

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of what is read.
const (
	maxFile   = 1 << 20 // bytes of a file
	maxDepth  = 50      // lists and mappings within each other
	maxValues = 100_000 // values of all files, aliases counted as often as they stand
)

// document reads one file as Ansible does. What is odd, but read all the
// same, is a finding.
func (r *reader) document(file string) (*value, error) {
	f, err := r.open(file)
	if err != nil {
		return nil, fmt.Errorf("read the playbook: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is no file", file)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the playbook: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes: no playbook, and no variables of one", file, maxFile)
	}
	return r.parse(file, raw)
}

// open opens a file, inside of the root if there is one.
func (r *reader) open(file string) (*os.File, error) {
	if r.options.Root == "" {
		return os.Open(file)
	}
	root, err := os.OpenRoot(r.options.Root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name, err := filepath.Rel(r.options.Root, file)
	if err != nil {
		return nil, err
	}
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("%s: it is outside of what the playbook came with: nothing else of this host is read", file)
	}
	return root.Open(name)
}

var vaultHeader = []byte("$ANSIBLE_VAULT;")

func (r *reader) parse(file string, raw []byte) (*value, error) {
	if bytes.HasPrefix(raw, vaultHeader) {
		return nil, fmt.Errorf("%s: the whole file is encrypted with Ansible Vault, which xtci does not open: give xtci a decrypted copy (ansible-vault decrypt --output COPY %s), or leave the file away and give what is in it by --set", file, file)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	var node, more yaml.Node
	if err := decoder.Decode(&node); errors.Is(err, io.EOF) {
		return &value{place: place{file, 1}}, nil
	} else if err != nil {
		return nil, yamlError(file, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: it has more than one YAML document: Ansible takes one", file)
	}
	p := documentParser{reader: r, file: file}
	return p.value(&node, 0)
}

var yamlLine = regexp.MustCompile(`^yaml: line ([0-9]+): (?s:(.*))`)

// yamlError says where a file is no YAML.
func yamlError(file string, err error) error {
	if match := yamlLine.FindStringSubmatch(err.Error()); match != nil {
		return fmt.Errorf("%s:%s: no YAML: %s", file, match[1], match[2])
	}
	return fmt.Errorf("%s: %w", file, err)
}

type documentParser struct {
	*reader
	file string
}

func (p *documentParser) at(node *yaml.Node) place { return place{p.file, node.Line} }

func (p *documentParser) value(node *yaml.Node, depth int) (*value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: more than %d lists and mappings within each other", p.at(node), maxDepth)
	}
	if p.values++; p.values > maxValues {
		return nil, fmt.Errorf("%s: more than %d values: no playbook (an alias counts as often as it stands)", p.at(node), maxValues)
	}
	switch node.Kind {
	case yaml.DocumentNode:
		if len(node.Content) == 0 {
			return &value{place: p.at(node)}, nil
		}
		return p.value(node.Content[0], depth)
	case yaml.AliasNode:
		return p.value(node.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]*value, 0, len(node.Content))
		for _, element := range node.Content {
			v, err := p.value(element, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return &value{place: p.at(node), data: list}, nil
	case yaml.MappingNode:
		return p.mapping(node, depth)
	default:
		data, err := scalar(node)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.at(node), err)
		}
		v := &value{place: p.at(node), data: data}
		switch data.(type) {
		case int64, float64:
			v.written = node.Value
		}
		if node.Style&yaml.TaggedStyle != 0 {
			v.encrypted, v.raw = strings.HasPrefix(node.Tag, "!vault"), node.Tag == "!unsafe"
		}
		return v, nil
	}
}

func (p *documentParser) mapping(node *yaml.Node, depth int) (*value, error) {
	m := newMapping()
	own := map[string]int{} // the lines of keys that were seen in this very mapping
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, of := node.Content[i], node.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.Value == "<<" && key.Style == 0 {
			if err := p.merge(m, of, depth+1); err != nil {
				return nil, err
			}
			continue
		}
		name, err := p.value(key, depth+1)
		if err != nil {
			return nil, err
		}
		if _, ok := name.list(); ok || name.kind() == "a mapping" {
			return nil, fmt.Errorf("%s: %s cannot be a key (if this is a Jinja expression, put it between quotes)", p.at(key), name.kind())
		}
		v, err := p.value(of, depth+1)
		if err != nil {
			return nil, err
		}
		added := pair{key: text(name.data), at: name.place, value: v}
		if _, isText := name.data.(string); !isText {
			added.typed = name.data
			p.warnNumber(key, added)
		}
		if line, twice := own[added.key]; twice {
			p.warn(v.place, added.key, "it is there twice: this one stands, that of line "+strconv.Itoa(line)+" is dropped, as Ansible does")
		}
		own[added.key] = key.Line
		m.set(added)
	}
	return &value{place: p.at(node), data: m}, nil
}

// warnNumber tells of a key that is a number and loses digits: 1.20 is 1.2.
func (p *documentParser) warnNumber(node *yaml.Node, added pair) {
	if node.Kind == yaml.ScalarNode && node.Value != added.key && added.typed != nil {
		p.warn(added.at, added.key, fmt.Sprintf("%s without quotes is read as %s, as Ansible does: if it is a name, put it between quotes", node.Value, added.key))
	}
}

// merge adds the keys of other mappings (<<) where they are not there yet.
func (p *documentParser) merge(m *mapping, node *yaml.Node, depth int) error {
	from, err := p.value(node, depth)
	if err != nil {
		return err
	}
	sources, ok := from.list()
	if !ok {
		sources = []*value{from}
	}
	for _, source := range sources {
		merged, ok := source.mapping()
		if !ok {
			return fmt.Errorf("%s: << merges mappings, and this is %s", from.place, source.kind())
		}
		for _, added := range merged.pairs {
			if _, there := m.index[added.key]; !there {
				m.set(added)
			}
		}
	}
	return nil
}
