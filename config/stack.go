package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stack is the toolchain in Docker: its services, and where it keeps what it
// has.
type Stack struct {
	// Name is in the names of containers and networks, and tells stacks on
	// one Docker Engine apart.
	Name string `yaml:"name" json:"name"`
	// Bind is the address on which ports are published. On anything but
	// loopback no password may be a default one.
	Bind string `yaml:"bind" json:"bind"`
	// Prefix is the folder under which everything is kept.
	Prefix string `yaml:"prefix" json:"prefix"`
	// Jenkins runs campaigns.
	Jenkins Jenkins `yaml:"jenkins" json:"jenkins"`
	// Minio keeps the files of campaigns.
	Minio Minio `yaml:"minio" json:"minio"`
	// TestDB keeps the records of campaigns.
	TestDB TestDB `yaml:"testdb" json:"testdb"`
	// Files is the file server.
	Files Files `yaml:"files" json:"files"`
	// Registry is a container registry for labs without a network.
	Registry Registry `yaml:"registry" json:"registry"`
}

// Service is what all services of the stack are told.
type Service struct {
	// Enabled says whether it is part of the stack at all.
	Enabled bool `yaml:"enabled" json:"enabled"`
	// Image is any reference: a tag, a digest, a registry of one's own. For
	// testdb and files, empty is xtci's own image.
	Image string `yaml:"image" json:"image"`
	// Mirrors are images to use, in this order, where Image cannot be had.
	Mirrors []string `yaml:"mirrors" json:"mirrors"`
	// Port is the port of the host on which it is published.
	Port int `yaml:"port" json:"port"`
	// Memory is the container's limit, such as 2g or 512m. Empty is none.
	Memory string `yaml:"memory" json:"memory"`
	// Timeout is how long it may take to become healthy, such as 90s or 5m.
	Timeout time.Duration `yaml:"timeout" json:"timeout"`
}

// Jenkins runs campaigns.
type Jenkins struct {
	Service `yaml:",inline"`
	// User is who xtci logs in as, an administrator.
	User string `yaml:"user" json:"user"`
	// Password is the user's.
	Password Secret `yaml:"password" json:"password"`
	// Executors is how many builds run at once, 2 at least: a campaign takes
	// one itself, so that with one its jobs would wait for ever.
	Executors int `yaml:"executors" json:"executors"`
	// External is a Jenkins that somebody else runs.
	External ExternalJenkins `yaml:"external" json:"external"`
}

// ExternalJenkins is a Jenkins that somebody else runs: none is started. User
// and password are those of stack.jenkins.
type ExternalJenkins struct {
	// URL is where it is, such as https://jenkins.lab.
	URL string `yaml:"url" json:"url"`
}

// Minio keeps the files of campaigns.
type Minio struct {
	Service `yaml:",inline"`
	// ConsolePort is the port of the host on which its console is published.
	ConsolePort int `yaml:"console_port" json:"console_port"`
	// AccessKey is the name of the root key, with which xtci sets it up.
	AccessKey string `yaml:"access_key" json:"access_key"`
	// SecretKey is the password of the root key.
	SecretKey Secret `yaml:"secret_key" json:"secret_key"`
	// JobsAccessKey is the name of the key that test containers get. It may
	// read and write the bucket, and nothing else.
	JobsAccessKey string `yaml:"jobs_access_key" json:"jobs_access_key"`
	// JobsSecretKey is the password of that key.
	JobsSecretKey Secret `yaml:"jobs_secret_key" json:"jobs_secret_key"`
	// Bucket is where the files of campaigns are.
	Bucket string `yaml:"bucket" json:"bucket"`
	// Folder is the folder of the bucket in which everything is. Empty is the
	// whole bucket.
	Folder string `yaml:"folder" json:"folder,omitempty"`
	// Anonymous lets everybody read objects without a key.
	Anonymous bool `yaml:"anonymous" json:"anonymous"`
	// External is an object store that somebody else runs.
	External ExternalMinio `yaml:"external" json:"external"`
}

// ExternalMinio is an object store that somebody else runs: none is started.
// Its key is that of the jobs in stack.minio.
type ExternalMinio struct {
	// Endpoint is where it is, such as http://HOST:PORT.
	Endpoint string `yaml:"endpoint" json:"endpoint"`
}

// Engines of the test DB.
const (
	EngineXtci  = "xtci"
	EngineOPNFV = "opnfv"
)

// TestDB keeps the records of campaigns.
type TestDB struct {
	Service `yaml:",inline"`
	// Engine is xtci, or opnfv: TestAPI and MongoDB, as the Ansible role has
	// them.
	Engine string `yaml:"engine" json:"engine"`
	// DB is a PostgreSQL URL to keep results in. Empty is a file under the
	// prefix.
	DB Secret `yaml:"db" json:"db"`
	// MongoImage is that of the opnfv engine's database.
	MongoImage string `yaml:"mongo_image" json:"mongo_image"`
	// PublicURL is where people reach it, where that is not the host's address
	// and the port: http://HOST:PORT/api/v1.
	PublicURL string `yaml:"public_url" json:"public_url,omitempty"`
	// External is a TestAPI that somebody else runs.
	External ExternalTestDB `yaml:"external" json:"external"`
}

// ExternalTestDB is a TestAPI that somebody else runs: none is started.
type ExternalTestDB struct {
	// URL is where it is, such as http://HOST:PORT/api/v1.
	URL string `yaml:"url" json:"url"`
	// Token is what it demands of who writes.
	Token Secret `yaml:"token" json:"token"`
}

// Files is the file server: the bucket over HTTP.
type Files struct {
	Service `yaml:",inline"`
	// PublicURL is where people reach it, where that is not the host's address
	// and the port.
	PublicURL string `yaml:"public_url" json:"public_url,omitempty"`
}

// Registry is a container registry for labs without a network.
type Registry struct {
	Service `yaml:",inline"`
}

func defaultStack() Stack {
	return Stack{
		Name:   "xtci",
		Bind:   "127.0.0.1",
		Prefix: "/var/lib/xtci",
		Jenkins: Jenkins{
			Service: Service{
				Enabled: true, Image: "opnfv/xtesting-jenkins:lts-slim",
				Port: 8080, Memory: "2g", Timeout: 5 * time.Minute,
			},
			User: "admin", Password: "admin", Executors: 6,
		},
		Minio: Minio{
			Service: Service{
				Enabled: true, Image: "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z",
				Mirrors: []string{"docker.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"},
				Port:    9000, Memory: "2g", Timeout: 2 * time.Minute,
			},
			ConsolePort: 9001, AccessKey: "xtesting", SecretKey: "xtesting",
			JobsAccessKey: "xtci-jobs", JobsSecretKey: "xtesting-jobs", Bucket: "xtesting",
		},
		TestDB: TestDB{
			Service: Service{Enabled: true, Port: 8000, Memory: "512m", Timeout: time.Minute},
			Engine:  EngineXtci, MongoImage: "docker.io/library/mongo:8.0.6",
		},
		Files: Files{Service: Service{Enabled: true, Port: 8181, Memory: "512m", Timeout: time.Minute}},
		Registry: Registry{Service{
			Image: "docker.io/library/registry:2.8.3", Port: 5000, Memory: "512m", Timeout: time.Minute,
		}},
	}
}

var (
	stackName    = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,30}$`)
	bucketName   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	bucketFolder = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)
	memorySize   = regexp.MustCompile(`^[1-9][0-9]{0,8}[bkmg]?$`)
)

// validate returns the first thing that is wrong with the stack's values.
func (s Stack) validate() error {
	if s.Prefix == "" {
		return &ValueError{"stack.prefix", s.Prefix, "name a folder"}
	}
	if !stackName.MatchString(s.Name) {
		return &ValueError{"stack.name", s.Name, "use lower-case letters, digits, dots and dashes, 31 at most"}
	}
	if net.ParseIP(s.Bind) == nil {
		return &ValueError{"stack.bind", s.Bind, "give an IP address of this host, such as 127.0.0.1 or 0.0.0.0"}
	}
	for key, service := range s.services() {
		if err := service.validate("stack." + key); err != nil {
			return err
		}
	}
	if err := s.validatePorts(); err != nil {
		return err
	}
	if s.Jenkins.Executors < 2 {
		return &ValueError{"stack.jenkins.executors", fmt.Sprint(s.Jenkins.Executors), "give at least 2: a campaign takes one itself, and its jobs would wait for ever"}
	}
	if !bucketName.MatchString(s.Minio.Bucket) {
		return &ValueError{"stack.minio.bucket", s.Minio.Bucket, "use 3 to 63 lower-case letters, digits, dots and dashes"}
	}
	if s.Minio.Folder != "" && !bucketFolder.MatchString(s.Minio.Folder) {
		return &ValueError{"stack.minio.folder", s.Minio.Folder, "use letters, digits, dots, dashes and underscores, and slashes between them"}
	}
	if s.TestDB.Engine != EngineXtci && s.TestDB.Engine != EngineOPNFV {
		return &ValueError{"stack.testdb.engine", s.TestDB.Engine, "use xtci or opnfv"}
	}
	for key, value := range map[string]string{
		"stack.jenkins.external.url": s.Jenkins.External.URL, "stack.minio.external.endpoint": s.Minio.External.Endpoint,
		"stack.testdb.external.url": s.TestDB.External.URL, "stack.testdb.public_url": s.TestDB.PublicURL, "stack.files.public_url": s.Files.PublicURL,
	} {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return &ValueError{key, value, "give a URL such as http://HOST:PORT"}
		}
	}
	return nil
}

// validatePorts refuses a port that two services would publish.
func (s Stack) validatePorts() error {
	ports := map[string]int{}
	for key, service := range s.services() {
		if service.Enabled {
			ports["stack."+key+".port"] = service.Port
		}
	}
	if s.Minio.Enabled {
		ports["stack.minio.console_port"] = s.Minio.ConsolePort
	}
	by := map[int]string{}
	for _, key := range slices.Sorted(maps.Keys(ports)) {
		if other, taken := by[ports[key]]; taken {
			return &ValueError{key, strconv.Itoa(ports[key]), "it is the same as " + other}
		}
		by[ports[key]] = key
	}
	return nil
}

// services are what is common to all services, by key.
func (s Stack) services() map[string]Service {
	return map[string]Service{
		"jenkins": s.Jenkins.Service, "minio": s.Minio.Service, "testdb": s.TestDB.Service,
		"files": s.Files.Service, "registry": s.Registry.Service,
	}
}

// MemoryBytes is Memory in bytes, 0 for no limit.
func (s Service) MemoryBytes() int64 { return memoryBytes(s.Memory) }

// memoryBytes reads a size that validMemory has found good, such as 512m.
func memoryBytes(size string) int64 {
	if size == "" {
		return 0
	}
	text := strings.ToLower(size)
	shift := map[byte]int{'b': 0, 'k': 10, 'm': 20, 'g': 30}
	unit, ok := shift[text[len(text)-1]]
	if ok {
		text = text[:len(text)-1]
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0 // validMemory has refused it
	}
	return n << unit
}

// minMemory is the smallest limit that Docker takes.
const minMemory = 6 << 20

// validMemory says whether a limit can be one; none is good, too.
func validMemory(size string) bool {
	return size == "" || memorySize.MatchString(strings.ToLower(size)) && memoryBytes(size) >= minMemory
}

func (s Service) validate(key string) error {
	if s.Port < 1 || s.Port > 65535 {
		return &ValueError{key + ".port", fmt.Sprint(s.Port), "use a port of 1 to 65535"}
	}
	if !validMemory(s.Memory) {
		return &ValueError{key + ".memory", s.Memory, "give a size such as 512m or 2g"}
	}
	if s.Timeout <= 0 {
		return &ValueError{key + ".timeout", s.Timeout.String(), "give a time such as 90s or 5m"}
	}
	return nil
}
