package cluster

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxKubeconfig is the largest kubeconfig, and the largest file that one
// refers to, that is read.
const maxKubeconfig = 4 << 20

// A kubeconfig is the text of one, to tell at which line a field is.
type kubeconfig struct {
	file string
	root *yaml.Node
}

// An entry is one of the named things in a kubeconfig: a context, a cluster
// or a user.
type entry struct {
	name string
	path string     // clusters[0].cluster
	node *yaml.Node // of its name
	body *yaml.Node
}

// readKubeconfig reads the file and checks its form, as far as errors of the
// client library would not say where they are, or would quote secrets.
func readKubeconfig(file string) (kubeconfig, []byte, error) {
	raw, err := readFile(file)
	if err != nil {
		return kubeconfig{}, nil, &Error{
			Tried: "read the kubeconfig " + file, Err: &kinded{ErrKubeconfig, withoutPath(err)}, Advice: readAdvice(err),
		}
	}
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return kubeconfig{}, nil, &Error{
			Tried:  file + yamlLine(err),
			Err:    &kinded{ErrKubeconfig, errors.New("this is not YAML")}, // the parser's words may quote a secret
			Advice: "get the file anew from the cluster",
		}
	}
	k := kubeconfig{file: file}
	if len(document.Content) == 1 {
		k.root = resolve(document.Content[0])
	}
	if k.root == nil || k.root.Kind != yaml.MappingNode {
		return kubeconfig{}, nil, &Error{
			Tried: file, Err: &kinded{ErrKubeconfig, errors.New("this is no kubeconfig: there is no current-context, cluster or user in it")},
			Advice: "get the file anew from the cluster",
		}
	}
	return k, raw, nil
}

func readAdvice(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "name the cluster's kubeconfig with the site's key kubeconfig, or --set kubeconfig=FILE"
	case errors.Is(err, fs.ErrPermission):
		return "let this user read it, or run xtci as the user whose it is"
	default:
		return "name a kubeconfig with the site's key kubeconfig, or --set kubeconfig=FILE"
	}
}

var lineNumber = regexp.MustCompile(`line (\d+)`)

// yamlLine is :LINE of an error of the YAML parser, as far as it says.
func yamlLine(err error) string {
	if found := lineNumber.FindStringSubmatch(err.Error()); found != nil {
		return ":" + found[1]
	}
	return ""
}

// readFile reads a file of limited size. It must be a regular one: a FIFO
// would wait for ever.
func readFile(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("this is a folder")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("this is not a regular file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxKubeconfig+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxKubeconfig {
		return nil, fmt.Errorf("larger than %d MiB", maxKubeconfig>>20)
	}
	return raw, nil
}

// withoutPath is an error of a file without the file's name.
func withoutPath(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// fail is an error at a field.
func (k kubeconfig) fail(node *yaml.Node, field, advice, format string, values ...any) error {
	where := k.file
	if node != nil && node.Line > 0 {
		where = fmt.Sprintf("%s:%d", k.file, node.Line)
	}
	if field != "" {
		where += ": " + field
	}
	return &Error{Tried: where, Err: &kinded{ErrKubeconfig, fmt.Errorf(format, values...)}, Advice: advice}
}

// text is the value of a field, and its node. Nothing, or null, is "".
func (k kubeconfig) text(e entry, key string) (string, *yaml.Node, error) {
	node := child(e.body, key)
	if node == nil || node.Tag == "!!null" {
		return "", node, nil
	}
	if node.Kind != yaml.ScalarNode || node.Tag != "!!str" {
		return "", node, k.fail(node, e.path+"."+key, "put it in quotes", "this must be text")
	}
	return node.Value, node, nil
}

// entries are the named things under a key.
func (k kubeconfig) entries(list, inner string) ([]entry, error) {
	node := child(k.root, list)
	if node == nil || node.Tag == "!!null" {
		return nil, nil
	}
	if node.Kind != yaml.SequenceNode {
		return nil, k.fail(node, list, "get the file anew from the cluster", "this must be a list")
	}
	var all []entry
	for i, item := range node.Content {
		item = resolve(item)
		path := fmt.Sprintf("%s[%d]", list, i)
		if item.Kind != yaml.MappingNode {
			return nil, k.fail(item, path, "get the file anew from the cluster", "this must have name and %s", inner)
		}
		name, nameNode, err := k.text(entry{path: path, body: item}, "name")
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(all, func(other entry) bool { return other.name == name }) {
			return nil, k.fail(item, path, "remove one of them", "there are two %s named %q", list, name)
		}
		if nameNode == nil {
			nameNode = item
		}
		all = append(all, entry{name: name, path: path + "." + inner, node: nameNode, body: child(item, inner)})
	}
	return all, nil
}

// selection is what a context selects.
type selection struct {
	context, cluster, user entry
}

// choose finds the context of that name, or the current one, and what it
// names.
func (k kubeconfig) choose(name string) (selection, error) {
	var s selection
	contexts, err := k.entries("contexts", "context")
	if err != nil {
		return s, err
	}
	const key = "current-context"
	node := k.root
	if name == "" {
		if name, node, err = k.text(entry{path: "", body: k.root}, key); err != nil {
			return s, err
		}
		if name == "" {
			return s, k.fail(node, key, "choose one with kubectl config use-context --kubeconfig "+k.file,
				"no context is the current one; there are: %s", names(contexts))
		}
	}
	if s.context, err = k.find(contexts, name, "contexts", node, key); err != nil {
		return s, err
	}
	if s.cluster, err = k.follow(s.context, "cluster", "clusters"); err != nil {
		return s, err
	}
	s.user, err = k.follow(s.context, "user", "users")
	return s, err
}

// follow finds what a field of a context names.
func (k kubeconfig) follow(context entry, inner, list string) (entry, error) {
	name, node, err := k.text(context, inner)
	if err != nil {
		return entry{}, err
	}
	all, err := k.entries(list, inner)
	if err != nil {
		return entry{}, err
	}
	if node == nil {
		node = context.node
	}
	return k.find(all, name, list, node, context.path+"."+inner)
}

func (k kubeconfig) find(all []entry, name, list string, node *yaml.Node, field string) (entry, error) {
	for _, e := range all {
		if e.name == name && name != "" {
			return e, nil
		}
	}
	return entry{}, k.fail(node, field, "name one that is there, or get the file anew from the cluster",
		"no %s are named %q; there are: %s", list, name, names(all))
}

func names(all []entry) string {
	if len(all) == 0 {
		return "none"
	}
	var list []string
	for _, e := range all {
		list = append(list, fmt.Sprintf("%q", e.name))
	}
	return strings.Join(list, ", ")
}

// A Reference is something beside the kubeconfig that it needs. Containers
// get the kubeconfig alone.
type Reference struct {
	Field string `json:"field"` // users[0].user.client-key
	Line  int    `json:"line"`
	// Value is a file, or the command of a credential plugin.
	Value string `json:"value"`
}

// material reads what a pair of fields gives: KEY-data in the kubeconfig, or
// the file that KEY names. Nothing is nil.
func (k kubeconfig) material(e entry, key string, references *[]Reference) ([]byte, *yaml.Node, error) {
	data, dataNode, err := k.text(e, key+"-data")
	if err != nil {
		return nil, nil, err
	}
	file, fileNode, err := k.text(e, key)
	if err != nil {
		return nil, nil, err
	}
	if data != "" {
		raw, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return nil, nil, k.fail(dataNode, e.path+"."+key+"-data", "get the file anew from the cluster", "this is not base64")
		}
		return raw, dataNode, nil
	}
	if file == "" {
		return nil, nil, nil
	}
	*references = append(*references, Reference{Field: e.path + "." + key, Line: fileNode.Line, Value: file})
	raw, err := readFile(k.beside(file))
	if err != nil {
		return nil, nil, k.fail(fileNode, e.path+"."+key,
			"copy it there, or put it into the kubeconfig: kubectl config view --flatten", "read %s: %w", file, withoutPath(err))
	}
	return raw, fileNode, nil
}

// beside is a path that the kubeconfig names, which is relative to it.
func (k kubeconfig) beside(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(k.file), file)
}

// child is the value of a key of a mapping, or nil.
func child(node *yaml.Node, key string) *yaml.Node {
	node = resolve(node)
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return resolve(node.Content[i+1])
		}
	}
	return nil
}

// resolve follows an alias to what it stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}
