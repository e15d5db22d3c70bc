package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Endpoints are the base URLs of the stack's services, without a slash at
// their ends. One that the stack does not have is empty.
type Endpoints struct {
	Jenkins, S3, TestDB, Files, Registry string
}

// Inside are the endpoints as containers of the stack and of campaigns reach
// them: by service names on the stack's network, or by the host's address.
func (s Site) Inside() (Endpoints, error) {
	if s.Wiring == WiringClassic {
		return s.Outside()
	}
	return s.endpoints(func(service string, _, port int) string {
		return "http://" + service + ":" + strconv.Itoa(port)
	}), nil
}

// Outside are the endpoints as the host and people reach them.
func (s Site) Outside() (Endpoints, error) {
	host := s.Stack.Bind
	if ip := net.ParseIP(host); ip.IsUnspecified() || s.Wiring == WiringClassic && ip.IsLoopback() {
		address, err := s.HostAddress()
		if err != nil {
			return Endpoints{}, err
		}
		host = address
	}
	return s.endpoints(func(_ string, published, _ int) string {
		return "http://" + net.JoinHostPort(host, strconv.Itoa(published))
	}), nil
}

// Public are the endpoints as people are told of them: Outside, but for what has
// a URL of its own for people. Files is where the campaigns are.
func (s Site) Public() (Endpoints, error) {
	e, err := s.Outside()
	if folder := s.Stack.Minio.Folder; folder != "" && e.Files != "" {
		e.Files += "/" + folder
	}
	if url := s.Stack.Files.PublicURL; url != "" {
		e.Files = strings.TrimRight(url, "/")
	}
	if url := s.Stack.TestDB.PublicURL; url != "" {
		e.TestDB = strings.TrimSuffix(strings.TrimRight(url, "/"), "/api/v1")
	}
	return e, err
}

// Ports within the containers.
const (
	JenkinsPort      = 8080
	MinioPort        = 9000
	MinioConsolePort = 9001
	TestDBPort       = 8000
	FilesPort        = 8181
	RegistryPort     = 5000
)

func (s Site) endpoints(url func(service string, published, port int) string) Endpoints {
	var e Endpoints
	stack := s.Stack
	if stack.Jenkins.Enabled {
		e.Jenkins = url("jenkins", stack.Jenkins.Port, JenkinsPort)
	}
	if stack.Minio.Enabled {
		e.S3 = url("minio", stack.Minio.Port, MinioPort)
	}
	if stack.TestDB.Enabled {
		e.TestDB = url("testdb", stack.TestDB.Port, TestDBPort)
	}
	if stack.Files.Enabled {
		e.Files = url("files", stack.Files.Port, FilesPort)
	}
	if stack.Registry.Enabled {
		// It is this host's alone: the engine pulls from it.
		e.Registry = "http://127.0.0.1:" + strconv.Itoa(stack.Registry.Port)
	}
	if external := stack.Jenkins.External.URL; external != "" {
		e.Jenkins = strings.TrimRight(external, "/")
	}
	if external := stack.Minio.External.Endpoint; external != "" {
		e.S3 = strings.TrimRight(external, "/")
	}
	if external := stack.TestDB.External.URL; external != "" {
		e.TestDB = strings.TrimSuffix(strings.TrimRight(external, "/"), "/api/v1")
	}
	return e
}

// HostAddress is the host's address in URLs: the site's, or else that of the
// default route.
func (s Site) HostAddress() (string, error) {
	if s.Address != "" {
		return s.Address, nil
	}
	// Nothing is sent: connecting a UDP socket only picks the route.
	conn, err := net.Dial("udp", "192.0.2.1:9") //nolint:noctx // nothing that could take time
	if err != nil {
		return "", fmt.Errorf("find this host's address by its default route: %w (give it: --set address=IP)", err)
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "", fmt.Errorf("find this host's address: %w (give it: --set address=IP)", err)
	}
	return host, nil
}
