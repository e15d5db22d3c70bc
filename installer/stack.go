package installer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/anuket-project/xtci/internal/docker"
)

// A Stack is what is wanted: services, and where they are.
type Stack struct {
	Name   string
	Prefix string // absolute
	// Network is the name of the stack's own network, or "" when its
	// containers are on Docker's bridge.
	Network  string
	Services []Service
	// Version is that of xtci, noted on what it makes.
	Version string
	// Own is xtci's own image.
	Own OwnImage
}

// A Service is one service of the stack: a container, unless somebody else
// runs it.
type Service struct {
	Name string
	// External is a service that somebody else runs: it is waited for and
	// set up, nothing is started.
	External bool
	// Images are where its image may come from, the best first. Without any
	// it is xtci's own.
	Images []string
	// Container is how it is run. Name, image and labels are added.
	Container docker.Container
	// Folders of the host are made before it is created, Files are written.
	Folders []Folder
	Files   []File
	// After are the services that must be healthy before it is started.
	After []string
	// Ready asks once whether it answers as it should. An error that has
	// Permanent() true will not go away by waiting.
	Ready func(ctx context.Context) error
	// Setup makes it fit for campaigns, once it is ready. It may be called
	// again at any time, and says what it changed.
	Setup func(ctx context.Context) (changed []string, err error)
	// Timeout is how long it may take to become ready.
	Timeout time.Duration
	// URL is where people find it.
	URL string
}

// A Folder of the host, and who owns it.
type Folder struct {
	Path     string // absolute
	Mode     fs.FileMode
	UID, GID int // -1 leaves them
	// Recursive gives what is in it to the owner, too.
	Recursive bool
}

// A File of the host that a service reads. It may hold secrets.
type File struct {
	Path     string // absolute
	Content  []byte
	Mode     fs.FileMode
	UID, GID int
}

// Labels of everything that belongs to a stack.
const (
	labelStack   = "io.xtci.stack"
	labelService = "io.xtci.service"
	labelHash    = "io.xtci.config-hash"
	labelParts   = "io.xtci.config-parts" // hashes of the parts, to say what changed
	labelPrefix  = "io.xtci.prefix"
	labelVersion = "io.xtci.version"
	labelSchema  = "io.xtci.schema"
	labelImage   = "io.xtci.image"
)

// schema is the form of what stands in labels and folders. A stack of a newer
// one is left alone.
const schema = 1

// container is how the service's container is to be made from an image.
func (s *Stack) container(service *Service, image string) docker.Container {
	c := service.Container
	c.Name = s.containerName(service.Name)
	c.Image = image
	if c.Network == "" && s.Network != "" {
		c.Network = s.Network
		c.Aliases = []string{service.Name}
	}
	parts := s.parts(service)
	labels := s.labels()
	labels[labelService] = service.Name
	labels[labelHash] = hash(parts)
	labels[labelParts] = joinParts(parts)
	labels[labelImage] = image
	maps.Copy(labels, c.Labels)
	c.Labels = labels
	return c
}

// labels are those of everything that the stack has.
func (s *Stack) labels() map[string]string {
	return map[string]string{
		labelStack: s.Name, labelPrefix: s.Prefix, labelVersion: s.Version, labelSchema: fmt.Sprint(schema),
	}
}

func (s *Stack) containerName(service string) string { return s.Name + "-" + service }

// service returns the service of that name, or nil.
func (s *Stack) service(name string) *Service {
	for i := range s.Services {
		if s.Services[i].Name == name {
			return &s.Services[i]
		}
	}
	return nil
}

// parts are hashes of how the service is run, by what a person would call
// it. The image is apart: it is compared by its id.
func (s *Stack) parts(service *Service) map[string]string {
	c := service.Container
	if c.Network == "" {
		c.Network = s.Network
	}
	parts := map[string]string{
		"command":     hash(c.Command, c.Entrypoint, c.WorkingDir),
		"environment": hash(c.Env),
		"network":     hash(c.Network, c.Aliases, c.Hostname, c.ExtraHosts),
		"ports":       hash(c.Ports),
		"volumes":     hash(c.Mounts, c.Tmpfs),
		"user":        hash(c.User, c.Groups),
	}
	var files []string
	for _, file := range service.Files {
		files = append(files, hash(file))
	}
	parts["files"] = hash(files)
	c.Command, c.Entrypoint, c.WorkingDir, c.Env, c.Ports = nil, nil, "", nil, nil
	c.Network, c.Aliases, c.Hostname, c.ExtraHosts = "", nil, "", nil
	c.Mounts, c.Tmpfs, c.User, c.Groups = nil, nil, "", nil
	parts["limits"] = hash(c)
	return parts
}

// hash is a short digest of values.
func hash(values ...any) string {
	text, err := json.Marshal(values)
	if err != nil { // only values of ours, which JSON has words for
		text = fmt.Append(nil, values...)
	}
	sum := sha256.Sum256(text)
	const short = 8
	return hex.EncodeToString(sum[:short])
}

func joinParts(parts map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		pairs = append(pairs, name+"="+parts[name])
	}
	return strings.Join(pairs, ",")
}

// changedParts names the parts whose hashes in a label are not these.
func changedParts(label string, parts map[string]string) []string {
	had := map[string]string{}
	for pair := range strings.SplitSeq(label, ",") {
		name, value, _ := strings.Cut(pair, "=")
		had[name] = value
	}
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if had[name] != parts[name] {
			changed = append(changed, name)
		}
	}
	return changed
}
