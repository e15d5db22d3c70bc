package doctor

import (
	"path"
	"slices"
	"strings"

	"github.com/anuket-project/xtci/config"
)

// ownServices are those of the stack that run here.
func ownServices(site config.Site) []config.Service {
	var own []config.Service
	s := site.Stack
	for _, service := range []struct {
		config.Service
		external string
	}{
		{s.Jenkins.Service, s.Jenkins.External.URL},
		{s.Minio.Service, s.Minio.External.Endpoint},
		{s.TestDB.Service, s.TestDB.External.URL},
		{s.Files.Service, ""},
		{s.Registry.Service, ""},
	} {
		if service.Enabled && service.external == "" {
			own = append(own, service.Service)
		}
	}
	return own
}

// A port is one of this host that a service of the stack wants.
type port struct {
	service string
	key     string // of the site
	address string
	number  int
}

// mongoPort is where MongoDB is published with classic wiring.
const mongoPort = 27017

func sitePorts(site config.Site) []port {
	s := site.Stack
	var all []port
	add := func(service, key string, number int) {
		all = append(all, port{service, key, s.Bind, number})
	}
	if s.Jenkins.Enabled && s.Jenkins.External.URL == "" {
		add("jenkins", "stack.jenkins.port", s.Jenkins.Port)
	}
	if s.Minio.Enabled && s.Minio.External.Endpoint == "" {
		add("minio", "stack.minio.port", s.Minio.Port)
		add("minio-console", "stack.minio.console_port", s.Minio.ConsolePort)
	}
	if s.TestDB.Enabled && s.TestDB.External.URL == "" {
		add("testdb", "stack.testdb.port", s.TestDB.Port)
		if s.TestDB.Engine == config.EngineOPNFV && site.Wiring == config.WiringClassic {
			add("mongo", "", mongoPort)
		}
	}
	if s.Files.Enabled {
		add("files", "stack.files.port", s.Files.Port)
	}
	if s.Registry.Enabled {
		all = append(all, port{"registry", "stack.registry.port", "127.0.0.1", s.Registry.Port}) // it asks nobody who he is
	}
	return all
}

// An image is one that is needed, and where it may come from.
type image struct {
	name string
	refs []string // the best first
	key  string   // of the site, where another can be named
}

// testAPI is the image of the opnfv test DB when the site names none.
const testAPI = "opnfv/testapi:kali"

// siteImages are the images of the stack and of the suites. xtci's own image
// is made here, and needs no place.
func siteImages(o Options) []image {
	s := o.Site.Stack
	var all []image
	add := func(name string, service config.Service) {
		if service.Enabled && service.Image != "" {
			all = append(all, image{name, append([]string{service.Image}, service.Mirrors...), "stack." + name + ".image"})
		}
	}
	if s.Jenkins.External.URL == "" {
		add("jenkins", s.Jenkins.Service)
	}
	if s.Minio.External.Endpoint == "" {
		add("minio", s.Minio.Service)
	}
	if s.TestDB.External.URL == "" {
		db := s.TestDB.Service
		if s.TestDB.Engine == config.EngineOPNFV {
			if db.Image == "" {
				db.Image = testAPI
			}
			add("mongo", config.Service{Enabled: db.Enabled, Image: s.TestDB.MongoImage})
		}
		add("testdb", db)
	}
	add("files", s.Files.Service)
	add("registry", s.Registry.Service)
	for _, ref := range o.Suites {
		all = append(all, image{suiteName(o.Site.Project, ref, all), []string{ref}, "suites"})
	}
	return all
}

// suiteName is a short name of a suite's image, such as smoke for
// opnfv/functest-kubernetes-smoke:v1.23, unless another has it.
func suiteName(project, ref string, others []image) string {
	name, _, _ := strings.Cut(ref, "@")
	name = path.Base(name)
	short, _, _ := strings.Cut(name, ":")
	short = strings.TrimPrefix(short, project+"-")
	for _, candidate := range []string{short, strings.ReplaceAll(name, ":", "_")} {
		if !slices.ContainsFunc(others, func(other image) bool { return other.name == candidate }) {
			return candidate
		}
	}
	return strings.NewReplacer("/", "_", ":", "_", "@", "_").Replace(ref)
}
