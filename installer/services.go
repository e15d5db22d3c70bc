package installer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/anuket-project/xtci/config"
	"github.com/anuket-project/xtci/installer/casc"
	"github.com/anuket-project/xtci/installer/objectstore"
	"github.com/anuket-project/xtci/installer/testdb"
	"github.com/anuket-project/xtci/internal/docker"
)

// Host is what the stack takes from this host and process.
type Host struct {
	// Version is xtci's, Own its own image, of the file that runs.
	Version string
	Own     OwnImage
	// Socket is Docker's, which Jenkins gets.
	Socket string
	// Environ is as os.Environ gives it, for proxies.
	Environ []string
	// UID and GID own the data. Root gives it to user 1000, as Xtesting CI
	// does (spec/jobs.md).
	UID, GID int
}

// jenkinsUser is the user of Jenkins' image, and of test results.
const jenkinsUser = 1000

// Cases are the projects and test cases that results may name.
type Cases map[string][]string

// NewStack returns the stack that a site wants.
func NewStack(site config.Site, host Host, cases Cases) (*Stack, error) {
	if err := checkWiring(site); err != nil {
		return nil, err
	}
	prefix, err := filepath.Abs(site.Stack.Prefix)
	if err != nil {
		return nil, fmt.Errorf("stack.prefix: %w", err)
	}
	b := &builder{site: site, host: host, cases: cases, prefix: prefix}
	if b.inside, err = site.Inside(); err != nil {
		return nil, err
	}
	if b.outside, err = site.Outside(); err != nil {
		return nil, err
	}
	if host.UID == 0 {
		b.host.UID, b.host.GID = jenkinsUser, jenkinsUser
	}
	stack := &Stack{Name: site.Stack.Name, Prefix: prefix, Version: host.Version, Own: host.Own}
	if site.Wiring == config.WiringPrivate {
		stack.Network = site.Stack.Name
	}
	for _, build := range []func() ([]Service, error){b.minio, b.testDB, b.files, b.jenkins, b.registry} {
		services, err := build()
		if err != nil {
			return nil, err
		}
		stack.Services = append(stack.Services, services...)
	}
	return stack, nil
}

// checkWiring refuses sites that would not work, or not be safe.
func checkWiring(site config.Site) error {
	loopback := net.ParseIP(site.Stack.Bind).IsLoopback()
	if site.Wiring == config.WiringClassic && loopback {
		return errors.New("wiring: classic has containers reach each other by the host's address, on which ports must be published: " +
			"set stack.bind to that address or 0.0.0.0, and have passwords of its own (xtci up --generate-passwords)")
	}
	if keys := site.DefaultPasswords(); !loopback && len(keys) > 0 {
		return fmt.Errorf("stack.bind: %s is no loopback address, and these passwords are the default ones, which everybody knows: %s: "+
			"set them, or let xtci make strong ones (xtci up --generate-passwords)", site.Stack.Bind, strings.Join(keys, ", "))
	}
	return nil
}

type builder struct {
	site            config.Site
	host            Host
	cases           Cases
	prefix          string
	inside, outside config.Endpoints
}

const (
	logMaxBytes = 10 << 20
	logFiles    = 3
)

// container is what all containers of the stack have in common.
func (b *builder) container(service config.Service, port int) docker.Container {
	return docker.Container{
		User:                 fmt.Sprintf("%d:%d", b.host.UID, b.host.GID),
		Ports:                []docker.Port{b.port(service.Port, port)},
		NoNewPrivileges:      true,
		DropAllCaps:          true,
		Memory:               service.MemoryBytes(),
		RestartUnlessStopped: true,
		LogMaxBytes:          logMaxBytes, LogFiles: logFiles,
	}
}

func (b *builder) port(host, container int) docker.Port {
	return docker.Port{HostIP: b.site.Stack.Bind, Host: host, Container: container}
}

// service is a service with the folders and files that are given, mounted.
func (b *builder) service(name string, common config.Service, port int) Service {
	return Service{Name: name, Images: images(common), Container: b.container(common, port), Timeout: common.Timeout}
}

// images are where a service's image may come from; none is xtci's own.
func images(common config.Service) []string {
	if common.Image == "" {
		return nil
	}
	return slices.Concat([]string{common.Image}, common.Mirrors)
}

// data mounts a folder of the prefix as the service's data.
func (b *builder) data(service *Service, name, target string) {
	folder := Folder{Path: filepath.Join(b.prefix, name), Mode: 0o750, UID: b.host.UID, GID: b.host.GID}
	service.Folders = append(service.Folders, folder)
	service.Container.Mounts = append(service.Container.Mounts, docker.Mount{Source: folder.Path, Target: target})
}

// file mounts a file of configuration, which may hold secrets: only the
// service's user can read it.
func (b *builder) file(service *Service, name, target, content string) {
	path := filepath.Join(b.prefix, "etc", service.Name, name)
	if len(service.Files) == 0 {
		// The folder is mounted, not the file: a file that is replaced would
		// stay what it was in the container.
		service.Container.Mounts = append(service.Container.Mounts, docker.Mount{Source: filepath.Dir(path), Target: filepath.Dir(target), ReadOnly: true})
		service.Folders = append(service.Folders, Folder{Path: filepath.Dir(path), Mode: 0o700, UID: b.host.UID, GID: b.host.GID})
	}
	service.Files = append(service.Files, File{Path: path, Content: []byte(content), Mode: 0o600, UID: b.host.UID, GID: b.host.GID})
}

const etc = "/etc/xtci" // where services find their configuration

func (b *builder) minio() ([]Service, error) {
	m := b.site.Stack.Minio
	if !m.Enabled {
		return nil, nil
	}
	if m.External.Endpoint != "" {
		return []Service{{
			Name: "minio", External: true, URL: m.External.Endpoint, Timeout: m.Timeout,
			Ready: func(ctx context.Context) error { return responds(ctx, m.External.Endpoint) },
			Setup: func(ctx context.Context) ([]string, error) {
				return nil, objectstore.VerifyExternal(ctx, objectstore.External{
					Endpoint: m.External.Endpoint, AccessKey: m.JobsAccessKey, SecretKey: m.JobsSecretKey, Bucket: m.Bucket,
				})
			},
		}}, nil
	}
	s := b.service("minio", m.Service, config.MinioPort)
	s.Container.Command = []string{"server", "/data", "--address", ":9000", "--console-address", ":9001"}
	s.Container.Ports = append(s.Container.Ports, b.port(m.ConsolePort, config.MinioConsolePort))
	s.Container.Env = []string{"MINIO_CONFIG_ENV_FILE=" + etc + "/minio.env", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off", "HOME=/tmp"}
	s.Container.ReadOnlyRoot, s.Container.Tmpfs = true, []string{"/tmp"}
	b.data(&s, "minio", "/data")
	if strings.ContainsAny(m.AccessKey+m.SecretKey.Reveal(), "\r\n") {
		return nil, errors.New("stack.minio: its keys cannot hold line ends")
	}
	// MinIO takes the outer quotes off and leaves the rest as it is.
	b.file(&s, "minio.env", etc+"/minio.env", "export MINIO_ROOT_USER=\""+m.AccessKey+"\"\nexport MINIO_ROOT_PASSWORD=\""+m.SecretKey.Reveal()+"\"\n")
	s.URL = b.console(m.ConsolePort)
	s.Ready = func(ctx context.Context) error { return objectstore.Ready(ctx, b.outside.S3) }
	s.Setup = func(ctx context.Context) ([]string, error) {
		return objectstore.Provision(ctx, b.objectStore(b.outside.S3))
	}
	return []Service{s}, nil
}

// console is where people find MinIO's pages.
func (b *builder) console(port int) string {
	u, err := url.Parse(b.outside.S3)
	if err != nil {
		return b.outside.S3
	}
	u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(port))
	return u.String()
}

func (b *builder) objectStore(endpoint string) objectstore.Options {
	m := b.site.Stack.Minio
	return objectstore.Options{
		Endpoint: endpoint, AccessKey: m.AccessKey, SecretKey: m.SecretKey,
		JobsAccessKey: m.JobsAccessKey, JobsSecretKey: m.JobsSecretKey, Bucket: m.Bucket, Anonymous: m.Anonymous,
	}
}

func (b *builder) testDB() ([]Service, error) {
	t := b.site.Stack.TestDB
	switch {
	case !t.Enabled:
		return nil, nil
	case t.External.URL != "":
		ready := func(ctx context.Context) error { return answers(ctx, b.inside.TestDB+"/api/v1/pods") }
		return []Service{{Name: "testdb", External: true, URL: t.External.URL, Timeout: t.Timeout, Ready: ready, Setup: b.register}}, nil
	case t.Engine == config.EngineOPNFV:
		return b.opnfvTestDB()
	}
	s := b.service("testdb", t.Service, config.TestDBPort)
	s.Container.Command = []string{"serve", "testdb", "--listen", ":" + strconv.Itoa(config.TestDBPort), "--with", "health,metrics", "--db"}
	s.Container.Env = []string{"XTCI_RELEASE=" + b.site.Release}
	s.Container.ReadOnlyRoot, s.Container.Tmpfs = true, []string{"/tmp"}
	if t.DB == "" {
		b.data(&s, "testdb", "/data")
		s.Folders[0].Recursive = true // results.db may be of a campaign that root ran without a stack
		s.Container.Command = append(s.Container.Command, "/data/results.db")
	} else {
		where, pass, err := withoutPassword(t.DB.Reveal())
		if err != nil {
			return nil, err
		}
		s.Container.Command = append(s.Container.Command, where)
		s.Container.Env = append(s.Container.Env, "PGPASSFILE="+etc+"/pgpass")
		b.file(&s, "pgpass", etc+"/pgpass", pass)
	}
	if b.outside.Files != "" {
		s.Container.Command = append(s.Container.Command, "--files", b.outside.Files+"/")
	}
	s.URL = b.outside.TestDB + "/"
	s.Ready = func(ctx context.Context) error { return answers(ctx, b.outside.TestDB+"/healthz") }
	s.Setup = b.register
	return []Service{s}, nil
}

// withoutPassword parts a PostgreSQL URL from its password, which becomes a
// line of a password file.
func withoutPassword(db string) (where, pass string, err error) {
	u, err := url.Parse(db)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", "", errors.New("stack.testdb.db: want a URL such as postgres://user:password@host/database")
	}
	password, ok := u.User.Password()
	if !ok {
		return db, "", nil
	}
	u.User = url.User(u.User.Username())
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`)
	return u.String(), "*:*:*:*:" + escape.Replace(password) + "\n", nil
}

// opnfvTestDB is the test DB as the Ansible role has it: TestAPI on MongoDB.
// Both images expect to begin as root.
func (b *builder) opnfvTestDB() ([]Service, error) {
	t := b.site.Stack.TestDB
	if err := checkAVX("/proc/cpuinfo"); err != nil {
		return nil, err
	}
	mongo := b.service("mongo", t.Service, 0)
	mongo.Images = []string{t.MongoImage}
	mongo.Container.Ports = nil
	mongo.Container.Memory = mongoMemory
	b.data(&mongo, "mongo", "/data/db")
	mongo.Container.DropAllCaps, mongo.Container.User = false, "" // its entry point changes owner and user
	mongo.Folders[0].UID, mongo.Folders[0].GID = -1, -1
	address := "mongo:27017"
	if b.site.Wiring == config.WiringClassic {
		mongo.Container.Ports = []docker.Port{b.port(mongoPort, mongoPort)}
		host, err := b.site.HostAddress()
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(host, strconv.Itoa(mongoPort))
	}
	mongo.Ready = func(context.Context) error { return nil } // TestAPI's answers tell

	api := b.service("testdb", t.Service, config.TestDBPort)
	if t.Image == "" {
		api.Images = []string{"opnfv/testapi:kali"}
	}
	api.After = []string{"mongo"}
	api.Container.User, api.Container.DropAllCaps = "", false
	api.Container.Env = []string{"mongodb_url=mongodb://" + address + "/", "base_url=" + b.outside.TestDB, "auth=false"}
	api.URL = b.outside.TestDB + "/"
	api.Ready = func(ctx context.Context) error { return answers(ctx, b.outside.TestDB+"/api/v1/pods") }
	api.Setup = b.register
	return []Service{mongo, api}, nil
}

const (
	mongoPort   = 27017
	mongoMemory = 2 << 30
)

// checkAVX refuses a processor on which MongoDB from version 5 on dies.
func checkAVX(cpuinfo string) error {
	raw, err := os.ReadFile(cpuinfo)
	if err != nil {
		return fmt.Errorf("look whether the processor has AVX, which MongoDB needs: %w", err)
	}
	if !slices.Contains(strings.Fields(string(raw)), "avx") {
		return errors.New("stack.testdb.engine: opnfv needs MongoDB, which from version 5 on needs a processor with AVX, and this one has none: " +
			"use xtci's own test DB (--set stack.testdb.engine=xtci), or name an older MongoDB (--set stack.testdb.mongo_image=docker.io/library/mongo:4.4)")
	}
	return nil
}

// register makes the pod, the projects and their cases known to the test DB.
func (b *builder) register(ctx context.Context) ([]string, error) {
	client, err := testdb.NewClient(b.outside.TestDB+"/api/v1/results", testdb.ClientOptions{Token: b.site.Stack.TestDB.External.Token.Reveal()})
	if err != nil {
		return nil, err
	}
	for project, cases := range b.cases {
		if err := client.Register(ctx, b.site.Project, project, cases...); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (b *builder) files() ([]Service, error) {
	f := b.site.Stack.Files
	m := b.site.Stack.Minio
	if !f.Enabled {
		return nil, nil
	}
	s := b.service("files", f.Service, config.FilesPort)
	s.Container.ReadOnlyRoot, s.Container.Tmpfs = true, []string{"/tmp"}
	s.Container.Command = []string{
		"serve", "files", "--listen", ":" + strconv.Itoa(config.FilesPort),
		"--endpoint", b.inside.S3, "--bucket", m.Bucket, "--credentials", etc + "/credentials",
	}
	b.file(&s, "credentials", etc+"/credentials", fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", m.JobsAccessKey, m.JobsSecretKey.Reveal()))
	s.After = []string{"minio"}
	s.URL = b.outside.Files + "/"
	s.Ready = func(ctx context.Context) error { return answers(ctx, b.outside.Files+"/healthz") }
	return []Service{s}, nil
}

func (b *builder) jenkins() ([]Service, error) {
	j := b.site.Stack.Jenkins
	if !j.Enabled {
		return nil, nil
	}
	ready := func(ctx context.Context) error { return casc.Ready(ctx, b.outside.Jenkins, j.User, j.Password) }
	if j.External.URL != "" {
		return []Service{{Name: "jenkins", External: true, URL: j.External.URL, Timeout: j.Timeout, Ready: ready}}, nil
	}
	s := b.service("jenkins", j.Service, config.JenkinsPort)
	content, err := casc.Config(casc.Options{
		URL: b.outside.Jenkins + "/", User: j.User, Password: j.Password, Executors: j.Executors, Proxy: b.jenkinsProxy(),
	})
	if err != nil {
		return nil, err
	}
	b.data(&s, "jenkins", "/var/jenkins_home")
	// The job that makes archives mounts the lab's key. Docker would make the
	// folder as root.
	s.Folders = append(s.Folders, Folder{Path: filepath.Join(b.prefix, "keys"), Mode: 0o700, UID: -1, GID: -1})
	m := b.site.Stack.Minio
	b.file(&s, "jobs.env", JobsKeysFile, "AWS_ACCESS_KEY_ID="+quote(m.JobsAccessKey)+"\nAWS_SECRET_ACCESS_KEY="+quote(m.JobsSecretKey.Reveal())+"\n")
	b.file(&s, "casc.yaml", etc+"/casc.yaml", string(content))
	s.Container.Env = append([]string{
		"CASC_JENKINS_CONFIG=" + etc + "/casc.yaml", "JAVA_OPTS=-Djenkins.install.runSetupWizard=false",
	}, b.proxies()...)
	if b.host.Socket != "" {
		group, err := groupOf(b.host.Socket)
		if err != nil {
			return nil, err
		}
		s.Container.Groups = []string{group}
		s.Container.Mounts = append(s.Container.Mounts, docker.Mount{Source: b.host.Socket, Target: "/var/run/docker.sock"})
	}
	// Test containers are on the stack's network, and Jenkins, whose jobs are
	// root on this host, must not be within their reach. It needs nothing there.
	s.Container.Network = "bridge"
	s.URL = b.outside.Jenkins + "/"
	s.Ready = ready
	return []Service{s}, nil
}

// JobsKeysFile is where jobs in the stack's Jenkins find the keys of the
// object store, so that no job's configuration holds them.
const JobsKeysFile = etc + "/jobs.env"

// quote is a text as a shell takes it whole.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// groupOf is the group that may use a socket.
func groupOf(socket string) (string, error) {
	info, err := os.Stat(socket)
	if err != nil {
		return "", fmt.Errorf("look who may use Docker's socket: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fmt.Errorf("look who may use Docker's socket %s: its group is not known here", socket)
	}
	return strconv.FormatUint(uint64(stat.Gid), 10), nil
}

// proxies are the variables of the environment that name proxies, for
// containers that reach out. The stack's own services are never behind one.
func (b *builder) proxies() []string {
	var env []string
	exempt := "localhost,127.0.0.1,minio,testdb,files,jenkins,registry"
	found := false
	for _, variable := range b.host.Environ {
		name, value, _ := strings.Cut(variable, "=")
		switch strings.ToLower(name) {
		case "http_proxy", "https_proxy":
			found = found || value != ""
			env = append(env, variable)
		case "no_proxy":
			if value != "" {
				exempt = value + "," + exempt
			}
		}
	}
	if !found {
		return nil
	}
	env = append(env, "NO_PROXY="+exempt, "no_proxy="+exempt)
	slices.Sort(env)
	return slices.Compact(env)
}

// jenkinsProxy is the proxy for what Jenkins itself fetches, which does not
// look into the environment.
func (b *builder) jenkinsProxy() casc.Proxy {
	var proxy casc.Proxy
	for _, variable := range b.proxies() {
		name, value, _ := strings.Cut(variable, "=")
		switch strings.ToLower(name) {
		case "https_proxy":
			proxy.HTTP = value
		case "http_proxy":
			if proxy.HTTP == "" {
				proxy.HTTP = value
			}
		case "no_proxy":
			proxy.NoProxy = value
		}
	}
	return proxy
}

func (b *builder) registry() ([]Service, error) {
	r := b.site.Stack.Registry
	if !r.Enabled {
		return nil, nil
	}
	s := b.service("registry", r.Service, config.RegistryPort)
	// It asks nobody who he is: it is for this host alone.
	s.Container.Ports = []docker.Port{{HostIP: "127.0.0.1", Host: r.Port, Container: config.RegistryPort}}
	s.Container.Command = []string{"serve", etc + "/config.yml"}
	s.Container.ReadOnlyRoot, s.Container.Tmpfs = true, []string{"/tmp"}
	b.data(&s, "registry", "/var/lib/registry")
	b.file(&s, "config.yml", etc+"/config.yml", registryConfig)
	s.URL = "http://127.0.0.1:" + strconv.Itoa(r.Port) + "/v2/"
	s.Ready = func(ctx context.Context) error { return answers(ctx, s.URL) }
	return []Service{s}, nil
}

const registryConfig = `version: 0.1
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http: {addr: ":5000"}
`

// Named is the stack of a site by its name and prefix alone, which is all
// that looking at it and taking it down need.
func Named(site config.Site) (*Stack, error) {
	prefix, err := filepath.Abs(site.Stack.Prefix)
	if err != nil {
		return nil, fmt.Errorf("stack.prefix: %w", err)
	}
	return &Stack{Name: site.Stack.Name, Prefix: prefix}, nil
}
