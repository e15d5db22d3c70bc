package casc

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/anuket-project/xtci/config"
)

// Options are what Jenkins is told.
type Options struct {
	// URL is the one that people use: it is in the links of Jenkins.
	URL string
	// User may do everything. There is no other user, and none can sign up.
	User     string
	Password config.Secret
	// Executors is how many builds run at once, at least two: a campaign takes
	// one itself (spec/jenkins.md).
	Executors int
	// S3 is the key of the jobs, kept as the credentials CredentialsID. With
	// an empty access key there are none. It needs the plugin credentials,
	// which the plugin git brings.
	S3 S3Key
	// Proxy is for what Jenkins itself fetches, such as plugins.
	Proxy Proxy
}

// S3Key is a key of the object store.
type S3Key struct {
	AccessKey string
	SecretKey config.Secret
}

// CredentialsID is the id of the credentials that hold the key S3.
const CredentialsID = "xtci-s3"

// Proxy is an HTTP proxy, as the environment of the same names has it.
type Proxy struct {
	HTTP    string // http://[USER:PASSWORD@]HOST[:PORT]; empty is none
	NoProxy string // hosts and .domains, with commas
}

// The document. Its keys are those of Jenkins 2.426.2 with the plugins
// configuration-as-code 1670 and matrix-auth 3.2.1.
type document struct {
	Jenkins      jenkins      `yaml:"jenkins"`
	Credentials  *credentials `yaml:"credentials,omitempty"`
	Unclassified unclassified `yaml:"unclassified"`
}

type jenkins struct {
	NumExecutors int `yaml:"numExecutors"`
	// SlaveAgentPort is -1: agents cannot call in.
	SlaveAgentPort    int           `yaml:"slaveAgentPort"`
	NoUsageStatistics bool          `yaml:"noUsageStatistics"`
	SecurityRealm     securityRealm `yaml:"securityRealm"`
	Authorization     authorization `yaml:"authorizationStrategy"`
	CrumbIssuer       crumbIssuer   `yaml:"crumbIssuer"`
	Proxy             *proxy        `yaml:"proxy,omitempty"`
}

type securityRealm struct {
	Local struct {
		AllowsSignup bool   `yaml:"allowsSignup"`
		Users        []user `yaml:"users"`
	} `yaml:"local"`
}

type user struct {
	ID       literal `yaml:"id"`
	Password literal `yaml:"password"`
}

type authorization struct {
	GlobalMatrix struct {
		Permissions []string `yaml:"permissions"`
	} `yaml:"globalMatrix"`
}

type crumbIssuer struct {
	Standard struct {
		ExcludeClientIP bool `yaml:"excludeClientIPFromCrumb"`
	} `yaml:"standard"`
}

type proxy struct {
	Name     literal `yaml:"name"`
	Port     int     `yaml:"port"`
	User     literal `yaml:"userName,omitempty"`
	Password literal `yaml:"secretPassword,omitempty"`
	NoProxy  literal `yaml:"noProxyHost,omitempty"`
}

type credentials struct {
	System struct {
		Domains []domain `yaml:"domainCredentials"`
	} `yaml:"system"`
}

type domain struct {
	Credentials []credential `yaml:"credentials"`
}

type credential struct {
	UsernamePassword usernamePassword `yaml:"usernamePassword"`
}

type usernamePassword struct {
	Scope       string  `yaml:"scope"`
	ID          string  `yaml:"id"`
	Description string  `yaml:"description"`
	Username    literal `yaml:"username"`
	Password    literal `yaml:"password"`
}

type unclassified struct {
	Location struct {
		URL literal `yaml:"url"`
	} `yaml:"location"`
}

// Config writes the document. It holds secrets: only Jenkins's user may read
// it.
func Config(o Options) ([]byte, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	var d document
	j := &d.Jenkins
	j.NumExecutors, j.SlaveAgentPort, j.NoUsageStatistics = o.Executors, -1, true
	j.SecurityRealm.Local.Users = []user{{literal(o.User), literal(o.Password.Reveal())}}
	// Who is logged in may do everything: that is the one user. Whoever is not
	// may see nothing, not even names of users, which the classic role shows.
	// matrix-auth has read this form since 3.0; the newer one only since 3.2.
	j.Authorization.GlobalMatrix.Permissions = []string{"GROUP:Overall/Administer:authenticated"}
	var err error
	if j.Proxy, err = o.Proxy.document(); err != nil {
		return nil, err
	}
	if o.S3.AccessKey != "" {
		d.Credentials = o.S3.document()
	}
	d.Unclassified.Location.URL = literal(strings.TrimRight(o.URL, "/") + "/")
	var out bytes.Buffer
	out.WriteString("# Written by xtci, and again by each xtci up: changes made here are lost.\n")
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(d); err != nil {
		return nil, fmt.Errorf("write the configuration of Jenkins: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("write the configuration of Jenkins: %w", err)
	}
	return out.Bytes(), nil
}

// maxPassword is how many bytes of a password bcrypt, with which Jenkins keeps
// it, looks at.
const maxPassword = 72

// validate refuses what Jenkins would take and do something else with.
func (o Options) validate() error {
	u, err := url.Parse(o.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("the URL of Jenkins is %q, want http://HOST:PORT", o.URL)
	}
	if o.Executors < 2 {
		return fmt.Errorf("stack.jenkins.executors is %d: give at least 2: a campaign takes one itself, and its jobs would wait for ever", o.Executors)
	}
	switch strings.ToLower(o.User) {
	case "", "anonymous", "authenticated", "system", "unknown": // the others mean something to Jenkins
		return fmt.Errorf("stack.jenkins.user is %q: give another name", o.User)
	}
	if strings.ContainsFunc(o.User, func(r rune) bool { return r == ':' || r == '/' || unicode.IsSpace(r) || !printable(r) }) {
		return fmt.Errorf("stack.jenkins.user is %q: use letters, digits, dots and dashes", o.User)
	}
	password := o.Password.Reveal()
	switch {
	case strings.TrimSpace(password) == "":
		return fmt.Errorf("stack.jenkins.password is empty: nobody could log in")
	case len(password) > maxPassword:
		return fmt.Errorf("stack.jenkins.password has %d bytes: Jenkins looks at %d only", len(password), maxPassword)
	case strings.HasPrefix(password, "#jbcrypt:"):
		return fmt.Errorf("stack.jenkins.password begins with #jbcrypt:, which Jenkins takes for a hash: give the password itself")
	}
	for key, value := range map[string]string{
		"stack.jenkins.password": password, "stack.minio.jobs_secret_key": o.S3.SecretKey.Reveal(),
		"stack.minio.jobs_access_key": o.S3.AccessKey,
	} {
		if strings.ContainsFunc(value, func(r rune) bool { return !printable(r) }) {
			return fmt.Errorf("%s holds characters that cannot be typed: use others", key)
		}
	}
	return nil
}

func printable(r rune) bool { return r == ' ' || unicode.IsGraphic(r) && r != unicode.ReplacementChar }

func (k S3Key) document() *credentials {
	var c credentials
	c.System.Domains = []domain{{Credentials: []credential{{usernamePassword{
		Scope: "GLOBAL", ID: CredentialsID, Description: "The jobs' key of the object store, from xtci",
		Username: literal(k.AccessKey), Password: literal(k.SecretKey.Reveal()),
	}}}}}
	return &c
}

func (p Proxy) document() (*proxy, error) {
	if p.HTTP == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	address := p.HTTP
	if !strings.Contains(address, "://") { // as the environment may have it
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the proxy for Jenkins cannot be read: want http://HOST:PORT") // without the value: it may hold a password
	}
	port := 80
	if u.Scheme == "https" {
		port = 443
	}
	if text := u.Port(); text != "" {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return nil, fmt.Errorf("the proxy for Jenkins has the port %q, want 1 to 65535", text)
		}
	}
	password, _ := u.User.Password()
	return &proxy{
		Name: literal(u.Hostname()), Port: port,
		User: literal(u.User.Username()), Password: literal(password), NoProxy: noProxy(p.NoProxy),
	}, nil
}

// noProxy turns a list as the environment has it into one for Jenkins, which
// takes whole names and *: a domain of the environment is all hosts in it.
func noProxy(list string) literal {
	var hosts []string
	for host := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		switch {
		case host == "*":
			hosts = append(hosts, host)
		case strings.HasPrefix(host, "."):
			hosts = append(hosts, "*"+host)
		default:
			hosts = append(hosts, host, "*."+host)
		}
	}
	return literal(strings.Join(hosts, ","))
}
