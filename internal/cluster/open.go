package cluster

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// defaultTimeout is how long one request may take.
const defaultTimeout = 10 * time.Second

// Options of Open.
type Options struct {
	// Context of the kubeconfig; "" is its current one, which is what test
	// containers use.
	Context string
	// Timeout of one request; 0 is 10 s.
	Timeout time.Duration
	// UserAgent is how requests call their sender.
	UserAgent string
}

// A Cluster can be asked what it is. Its methods may be called at once.
type Cluster struct {
	http        *http.Client
	base        *url.URL
	timeout     time.Duration
	plugin      bool // credentials come from a command
	credentials Credentials
	references  []Reference
	proxy       bool // the kubeconfig has a proxy of its own
}

// Open reads a kubeconfig and prepares to talk to its cluster, without doing
// so yet. Certificates, keys and tokens are read now and kept. Errors name
// file, line and field.
func Open(file string, o Options) (*Cluster, error) {
	k, raw, err := readKubeconfig(file)
	if err != nil {
		return nil, err
	}
	s, err := k.choose(o.Context)
	if err != nil {
		return nil, err
	}
	c := &Cluster{timeout: o.Timeout}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.base, err = k.server(s.cluster); err != nil {
		return nil, err
	}
	if c.proxy, err = k.checkProxy(s.cluster); err != nil {
		return nil, err
	}
	tlsConfig, err := k.tlsConfig(s, &c.references)
	if err != nil {
		return nil, err
	}
	token, err := k.token(s.user, &c.references)
	if err != nil {
		return nil, err
	}
	if c.plugin, err = k.checkPlugin(s.user, &c.references); err != nil {
		return nil, err
	}
	config, err := k.load(raw, s)
	if err != nil {
		return nil, err
	}
	config.CAData, config.CAFile = tlsConfig.ca, ""
	config.CertData, config.CertFile = tlsConfig.cert, ""
	config.KeyData, config.KeyFile = tlsConfig.key, ""
	config.BearerToken, config.BearerTokenFile = token, ""
	config.UserAgent = o.UserAgent
	if config.ExecProvider != nil {
		config.ExecProvider.StdinUnavailable = true // nobody is there to type a password
	}
	c.credentials = newCredentials(config, tlsConfig.cert, token)
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, k.fail(nil, "", "get the file anew from the cluster", "make an HTTP client of it: %w", err)
	}
	c.http = &http.Client{
		Transport: client.Transport,
		// A redirect would carry the credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// load has the client library read what was checked.
func (k kubeconfig) load(raw []byte, s selection) (*rest.Config, error) {
	api, err := clientcmd.Load(raw)
	if err != nil {
		// The library's words may quote secrets: whole lists of users.
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return nil, k.fail(nil, wrong.Field, "get the file anew from the cluster", "this has the wrong type, want %s", wrong.Type)
		}
		return nil, k.fail(nil, "", "kubectl config view --kubeconfig "+k.file+" may tell more", "Kubernetes' client library cannot read it")
	}
	for _, cluster := range api.Clusters {
		cluster.LocationOfOrigin = k.file
	}
	for _, user := range api.AuthInfos {
		user.LocationOfOrigin = k.file
	}
	if err := clientcmd.ResolveLocalPaths(api); err != nil {
		return nil, k.fail(nil, "", "", "find the files that it names: %w", err)
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*api, s.context.name, &clientcmd.ConfigOverrides{}, nil).ClientConfig()
	if err != nil {
		return nil, k.fail(s.context.node, s.context.path, "get the file anew from the cluster", "%w", err)
	}
	return config, nil
}

// server checks the address of the API server.
func (k kubeconfig) server(cluster entry) (*url.URL, error) {
	text, node, err := k.text(cluster, "server")
	if err != nil {
		return nil, err
	}
	const advice = "give a URL such as https://HOST:6443"
	if node == nil {
		node = cluster.node
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, k.fail(node, cluster.path+".server", advice, "this is no address of an API server")
	}
	if u.User != nil || u.RawQuery != "" {
		return nil, k.fail(node, cluster.path+".server", advice, "an address with a user or a query cannot be used")
	}
	return u, nil
}

// checkProxy says whether the kubeconfig names a proxy of its own.
func (k kubeconfig) checkProxy(cluster entry) (bool, error) {
	text, node, err := k.text(cluster, "proxy-url")
	if err != nil || text == "" {
		return false, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" || u.Host == "" {
		return false, k.fail(node, cluster.path+".proxy-url", "give a URL such as http://HOST:3128", "this is no address of a proxy")
	}
	return true, nil
}

// tlsMaterial is what both sides prove themselves with, in PEM.
type tlsMaterial struct {
	ca, cert, key []byte
}

func (k kubeconfig) tlsConfig(s selection, references *[]Reference) (m tlsMaterial, err error) {
	const anew = "get the file anew from the cluster"
	var caNode, certNode, keyNode *yaml.Node
	if m.ca, caNode, err = k.material(s.cluster, "certificate-authority", references); err != nil {
		return m, err
	}
	if m.ca != nil && !hasCertificate(m.ca) {
		return m, k.fail(caNode, s.cluster.path+".certificate-authority", anew, "there is no certificate in it")
	}
	if insecure := child(s.cluster.body, "insecure-skip-tls-verify"); insecure != nil && insecure.Value == "true" && m.ca != nil {
		return m, k.fail(insecure, s.cluster.path+".insecure-skip-tls-verify", "remove one of them", "this and a certificate authority exclude each other")
	}
	if m.cert, certNode, err = k.material(s.user, "client-certificate", references); err != nil {
		return m, err
	}
	if m.key, keyNode, err = k.material(s.user, "client-key", references); err != nil {
		return m, err
	}
	switch {
	case m.cert == nil && m.key == nil:
		return m, nil
	case m.key == nil:
		return m, k.fail(certNode, s.user.path+".client-certificate", "add client-key or client-key-data", "there is no key to this certificate")
	case m.cert == nil:
		return m, k.fail(keyNode, s.user.path+".client-key", "add client-certificate or client-certificate-data", "there is no certificate to this key")
	}
	if _, err := tls.X509KeyPair(m.cert, m.key); err != nil {
		return m, k.fail(certNode, s.user.path+".client-certificate", anew, "certificate and key cannot be used together: %w", err)
	}
	return m, nil
}

// token is the bearer token, of which the one in the file counts.
func (k kubeconfig) token(user entry, references *[]Reference) (string, error) {
	token, _, err := k.text(user, "token")
	if err != nil {
		return "", err
	}
	file, node, err := k.text(user, "tokenFile")
	if err != nil || file == "" {
		return token, err
	}
	*references = append(*references, Reference{Field: user.path + ".tokenFile", Line: node.Line, Value: file})
	raw, err := readFile(k.beside(file))
	if err != nil {
		return "", k.fail(node, user.path+".tokenFile", "copy it there, or put the token into the kubeconfig as token", "read %s: %w", file, withoutPath(err))
	}
	return strings.TrimSpace(string(raw)), nil
}

// checkPlugin says whether credentials come from a command, and finds it.
func (k kubeconfig) checkPlugin(user entry, references *[]Reference) (bool, error) {
	if provider := child(user.body, "auth-provider"); provider != nil && provider.Tag != "!!null" {
		return false, k.fail(provider, user.path+".auth-provider", "use a kubeconfig with a certificate or a service account's token",
			"this way to log in was removed from Kubernetes' clients in 1.26")
	}
	body := child(user.body, "exec")
	if body == nil || body.Tag == "!!null" {
		return false, nil
	}
	plugin := entry{path: user.path + ".exec", body: body}
	command, node, err := k.text(plugin, "command")
	if err != nil {
		return false, err
	}
	if node == nil {
		node = body
	}
	*references = append(*references, Reference{Field: plugin.path + ".command", Line: node.Line, Value: command})
	path := command
	if strings.ContainsRune(path, '/') {
		path = k.beside(path)
	}
	if _, err := exec.LookPath(path); err != nil {
		return false, k.fail(node, plugin.path+".command",
			"install it, or better use a kubeconfig with a certificate or a service account's token: test containers do not have the command",
			"the credential plugin %q is not there", command)
	}
	return true, nil
}

// URL is the API server's address.
func (c *Cluster) URL() string { return c.base.String() }

// Host is the name or address in it.
func (c *Cluster) Host() string { return c.base.Hostname() }

// Loopback says whether the address means the own machine, which in a
// container is the container.
func (c *Cluster) Loopback() bool {
	ip := net.ParseIP(c.Host())
	return strings.EqualFold(c.Host(), "localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// OwnProxy says whether the kubeconfig names a proxy, so that the
// environment's does not count.
func (c *Cluster) OwnProxy() bool { return c.proxy }

// References are what the kubeconfig needs beside itself.
func (c *Cluster) References() []Reference { return c.references }

// Credentials tell how long what proves the account can be used.
func (c *Cluster) Credentials() Credentials { return c.credentials }
