package testcases

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// A release is one YAML file and the compressed lists that it names, if there
// are any: adding one takes no code.
//
//go:embed catalog/*.yaml catalog/*.gz
var catalogFiles embed.FS

// Releases returns the releases that have a catalogue, the oldest first.
func Releases() []string { return releases(catalogFiles) }

// Load returns the catalogue of a release such as v1.23.
func Load(release string) (*Catalog, error) { return load(catalogFiles, release) }

func releases(files fs.FS) []string {
	names, err := fs.Glob(files, "catalog/*.yaml")
	if err != nil {
		return nil // the pattern is well-formed: never
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(path.Base(name), ".yaml")
	}
	slices.SortFunc(names, compareReleases)
	return names
}

// compareReleases sorts v1.9 before v1.23.
func compareReleases(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func load(files fs.FS, release string) (*Catalog, error) {
	known := releases(files)
	if !slices.Contains(known, release) {
		return nil, fmt.Errorf("no catalogue of release %q: known are %s", release, strings.Join(known, ", "))
	}
	name := "catalog/" + release + ".yaml"
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	c, err := decodeCatalog(name, data)
	if err != nil {
		return nil, err
	}
	if c.Release != release {
		return nil, fmt.Errorf("%s: release is %q, want %q as in the file's name", name, c.Release, release)
	}
	c.specs = sync.OnceValues(func() ([]string, error) { return readSpecs(files, c.SpecList) })
	c.documentation = sync.OnceValues(func() (map[string]Documentation, error) {
		return readDocumentation(files, c.Conformance)
	})
	return c, nil
}

// decodeCatalog reads a catalogue and checks that it is consistent. Errors
// name the file and the line.
func decodeCatalog(name string, data []byte) (*Catalog, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := &Catalog{}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := (&validator{name: name, root: &root, catalog: c}).validate(); err != nil {
		return nil, err
	}
	return c, nil
}

var errNotLoaded = errors.New("this catalogue was not made by Load")

// Specs returns the names of all specs of the release's e2e suite, in its
// order, and none where they are not Listed. The slice is shared: do not
// change it.
func (c *Catalog) Specs() ([]string, error) {
	if c.specs == nil {
		return nil, fmt.Errorf("specs of %s: %w", c.Release, errNotLoaded)
	}
	return c.specs()
}

// Documentation returns what Kubernetes documents of the release's conformance
// tests, by NormalName of the spec; nothing of a release whose tests are not
// in its catalogue. The map is shared: do not change it.
func (c *Catalog) Documentation() (map[string]Documentation, error) {
	if c.documentation == nil {
		return nil, fmt.Errorf("conformance tests of %s: %w", c.Release, errNotLoaded)
	}
	return c.documentation()
}

// NormalName is a spec's name as the conformance documentation writes it:
// without ginkgo v2's node type in front, and each run of white space one blank.
func NormalName(spec string) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(spec, "[It] ")), " ")
}

func readSpecs(files fs.FS, list SpecList) ([]string, error) {
	if list.File == "" {
		return nil, nil
	}
	specs, err := readLines(files, list.File)
	if err != nil {
		return nil, err
	}
	if len(specs) != list.Count {
		return nil, fmt.Errorf("%s: %d specs, want %d", list.File, len(specs), list.Count)
	}
	return specs, nil
}

// readDocumentation reads codename, title, release and link, separated by
// tabs, under a line of headings.
func readDocumentation(files fs.FS, list ConformanceList) (map[string]Documentation, error) {
	if list.File == "" {
		return map[string]Documentation{}, nil
	}
	lines, err := readLines(files, list.File)
	if err != nil {
		return nil, err
	}
	tests := make(map[string]Documentation, list.Count)
	for i, line := range lines[min(1, len(lines)):] {
		fields := strings.Split(line, "\t")
		if len(fields) != 4 {
			return nil, fmt.Errorf("%s:%d: %d fields, want codename, title, release and link", list.File, i+2, len(fields))
		}
		tests[NormalName(fields[0])] = Documentation{Title: fields[1], Release: fields[2], Link: fields[3]}
	}
	if len(tests) != list.Count {
		return nil, fmt.Errorf("%s: %d tests, want %d", list.File, len(tests), list.Count)
	}
	return tests, nil
}

// readLines returns the lines of an embedded gzip file, blanks at their ends
// included: some spec names end in one.
func readLines(files fs.FS, name string) ([]string, error) {
	f, err := files.Open(path.Join("catalog", name))
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	defer f.Close()
	lines, err := gunzipLines(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return lines, nil
}

func gunzipLines(r io.Reader) ([]string, error) {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	var lines []string
	scanner := bufio.NewScanner(unpacked)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines, scanner.Err()
}
