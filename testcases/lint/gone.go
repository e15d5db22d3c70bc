package lint

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// A gone is repositories that are no longer where they were.
type gone struct {
	From    string   `yaml:"from"`
	Instead string   `yaml:"instead"`
	Except  []string `yaml:"except"`
	Why     string   `yaml:"why"`
	Source  string   `yaml:"source"`
}

//go:embed gone.yaml
var goneFile []byte

var goneImages = sync.OnceValues(func() ([]gone, error) {
	var all []gone
	err := yaml.Unmarshal(goneFile, &all)
	return all, err
})

// whereNow says why an image cannot be had, and which can; nothing of an image
// of which nothing is known.
func whereNow(all []gone, image string) (g gone, instead string) {
	repository, tag := fullName(image)
	for _, g := range all {
		name, ok := strings.CutPrefix(repository, strings.TrimSuffix(g.From, "*"))
		if !ok || !strings.HasSuffix(g.From, "*") && name != "" || slices.Contains(g.Except, strings.TrimPrefix(tag, ":")) {
			continue
		}
		return g, g.Instead + name + tag
	}
	return gone{}, ""
}

// fullName parts an image into its repository, with the registry that Docker
// takes where none is named, and its tag or digest, as :TAG or @DIGEST.
func fullName(image string) (repository, tag string) {
	repository, digest, pinned := strings.Cut(image, "@")
	if colon := strings.LastIndexByte(repository, ':'); colon > strings.LastIndexByte(repository, '/') {
		repository, tag = repository[:colon], repository[colon:]
	}
	switch {
	case pinned:
		tag = "@" + digest
	case tag == "":
		tag = ":latest"
	}
	host, rest, ok := strings.Cut(repository, "/")
	switch {
	case !ok:
		return "docker.io/library/" + repository, tag
	case host == "index.docker.io", host == "registry-1.docker.io":
		return "docker.io/" + rest, tag
	case strings.ContainsAny(host, ".:") || host == "localhost":
		return repository, tag
	}
	return "docker.io/" + repository, tag
}
