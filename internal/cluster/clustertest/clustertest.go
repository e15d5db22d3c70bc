// Package clustertest has a stand-in for a Kubernetes API server, for tests.
// It answers the few requests that package cluster sends, in the form of
// Kubernetes 1.23, over TLS, to client certificates and tokens. It is no
// Kubernetes: nothing runs in it, and whoever it knows may do everything or
// nothing.
package clustertest

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Node of the stand-in.
type Node struct {
	Name          string
	Role          string // control-plane, or "" for a worker
	NotReady      bool
	Unschedulable bool
	Taint         string // its effect, such as NoSchedule
}

// A Class of storage.
type Class struct {
	Name    string
	Default bool
}

// A StandIn is an API server that is not one. Fields may be changed between
// requests, with Set.
type StandIn struct {
	URL string // https://127.0.0.1:PORT

	mu        sync.Mutex
	state     State
	requests  []string
	authority *authority
	token     string
	server    *httptest.Server
}

// State is what the stand-in answers with.
type State struct {
	Version  string // v1.23.17
	UID      string
	Nodes    []Node
	Classes  []Class
	Admin    bool
	PageSize int           // nodes on a page; 0 is what is asked for
	Ahead    time.Duration // of its clock
	// Refuse answers requests of these paths with a code.
	Refuse map[string]int
	// Instead answers requests of these paths with a text.
	Instead map[string]string
	// Hang lets requests of these paths wait until the client gives up.
	Hang map[string]bool
}

// Options of Start.
type Options struct {
	// Listen is an address without a port; "" is 127.0.0.1.
	Listen string
	// Expires is the end of the server's certificate; zero is in a year.
	Expires time.Time
	// Names are further addresses for which it is good.
	Names []string
}

// Start starts a stand-in with a cluster that is fit for a campaign, which
// ends with the test.
func Start(t testing.TB, o Options) *StandIn {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1"
	}
	if o.Expires.IsZero() {
		o.Expires = time.Now().AddDate(1, 0, 0)
	}
	s := &StandIn{authority: newAuthority(t), token: rand.Text(), state: State{
		Version: "v1.23.17", UID: "6b1a3a2e-3c49-4f5e-9d1d-0d8f2c0f7a11", Admin: true,
		Nodes:   []Node{{Name: "control-0", Role: "control-plane", Taint: "NoSchedule"}, {Name: "worker-0"}, {Name: "worker-1"}},
		Classes: []Class{{Name: "slow"}, {Name: "standard", Default: true}},
	}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(o.Listen, "0"))
	if err != nil {
		t.Fatal(err)
	}
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.Listener.Close()
	s.server.Listener = listener
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0) // tests break handshakes on purpose
	s.server.TLS = &tls.Config{
		Certificates: []tls.Certificate{s.authority.server(t, o.Expires, append(o.Names, o.Listen)...).tls(t)},
		ClientAuth:   tls.RequestClientCert, // as an API server does
		NextProtos:   []string{"h2", "http/1.1"},
	}
	s.server.EnableHTTP2 = true
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	s.URL = "https://" + listener.Addr().String()
	return s
}

// Set changes what the stand-in answers.
func (s *StandIn) Set(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
}

// Requests are the methods and paths of those that came, in order.
func (s *StandIn) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Token is the one that the stand-in accepts, as a JWT that expires then.
func (s *StandIn) Token(expires time.Time) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"RS256"}`)) + "." +
		part(fmt.Appendf(nil, `{"sub":"system:serviceaccount:kube-system:xtci","exp":%d}`, expires.Unix())) + "." + part([]byte(s.token))
}

// Kubeconfig writes the kubeconfig of an administrator with a client
// certificate, which ends then, and returns its path.
func (s *StandIn) Kubeconfig(t testing.TB, expires time.Time) string {
	t.Helper()
	user := s.authority.client(t, "kubernetes-admin", expires)
	return s.Write(t, s.URL, "client-certificate-data: "+encode(user.cert)+"\n    client-key-data: "+encode(user.key))
}

// TokenKubeconfig is Kubeconfig with a token.
func (s *StandIn) TokenKubeconfig(t testing.TB, expires time.Time) string {
	t.Helper()
	return s.Write(t, s.URL, "token: "+s.Token(expires))
}

// Write writes a kubeconfig for a server's address with a user of these
// fields.
func (s *StandIn) Write(t testing.TB, server, user string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(kubeconfig, s.CA(), server, user)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// CA is the authority's certificate as a kubeconfig has it.
func (s *StandIn) CA() string { return encode(s.authority.pem) }

// ClientPair is the certificate and key of an administrator in PEM.
func (s *StandIn) ClientPair(t testing.TB, expires time.Time) (certificate, key []byte) {
	t.Helper()
	p := s.authority.client(t, "kubernetes-admin", expires)
	return p.cert, p.key
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    certificate-authority-data: %s
    server: %s
contexts:
- name: admin@lab
  context:
    cluster: lab
    user: admin
current-context: admin@lab
users:
- name: admin
  user:
    %s
`

func encode(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func (s *StandIn) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	state := s.state
	s.mu.Unlock()
	w.Header().Set("Date", time.Now().Add(state.Ahead).UTC().Format(http.TimeFormat))
	if state.Hang[r.URL.Path] {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if text, ok := state.Instead[r.URL.Path]; ok {
		fmt.Fprint(w, text)
		return
	}
	switch code := state.Refuse[r.URL.Path]; {
	case code >= 300 && code < 400:
		w.Header().Set("Location", "https://elsewhere.example/")
		w.WriteHeader(code)
		return
	case code != 0:
		refuse(w, code, "the stand-in was told to refuse "+r.URL.Path)
		return
	}
	if !s.knows(r) {
		refuse(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	answer, ok := state.answer(r)
	if !ok {
		refuse(w, http.StatusNotFound, "the server could not find the requested resource")
		return
	}
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(answer) // the client may be gone
}

// knows authenticates: a certificate that its authority signed and that has
// not ended, or a token that has not.
func (s *StandIn) knows(r *http.Request) bool {
	for _, certificate := range r.TLS.PeerCertificates {
		if certificate.CheckSignatureFrom(s.authority.certificate) == nil && time.Now().Before(certificate.NotAfter) {
			return true
		}
	}
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 {
		return false
	}
	secret, _ := base64.RawURLEncoding.DecodeString(parts[2])
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claim struct {
		Expires int64 `json:"exp"`
	}
	return json.Unmarshal(claims, &claim) == nil && string(secret) == s.token && time.Now().Unix() < claim.Expires
}

// refuse answers with a Status of Kubernetes.
func refuse(w http.ResponseWriter, code int, message string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object{
		"kind": "Status", "apiVersion": "v1", "metadata": object{}, "status": "Failure",
		"message": message, "reason": strings.ReplaceAll(http.StatusText(code), " ", ""), "code": code,
	})
}

type object map[string]any

// answer is the JSON of a request, or false for one that it does not know.
func (s State) answer(r *http.Request) (any, bool) {
	switch r.Method + " " + r.URL.Path {
	case "GET /version":
		return s.version(), true
	case "GET /api/v1/namespaces/kube-system":
		return object{
			"kind": "Namespace", "apiVersion": "v1",
			"metadata": object{"name": "kube-system", "uid": s.UID, "resourceVersion": "4", "creationTimestamp": "2023-03-02T10:00:00Z"},
			"spec":     object{"finalizers": []string{"kubernetes"}}, "status": object{"phase": "Active"},
		}, true
	case "GET /api/v1/nodes":
		return s.nodes(r), true
	case "GET /apis/storage.k8s.io/v1/storageclasses":
		return s.classes(), true
	case "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
		var review object
		if json.NewDecoder(r.Body).Decode(&review) != nil || review["kind"] != "SelfSubjectAccessReview" {
			return nil, false
		}
		review["status"] = object{"allowed": s.Admin}
		return review, true
	}
	return nil, false
}

func (s State) version() object {
	major, rest, _ := strings.Cut(strings.TrimPrefix(s.Version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	return object{
		"major": major, "minor": minor, "gitVersion": s.Version,
		"gitCommit": "953be8927218ec8067e1af2641e540238ffd7576", "gitTreeState": "clean",
		"buildDate": "2023-02-22T13:27:46Z", "goVersion": "go1.19.6", "compiler": "gc", "platform": "linux/amd64",
	}
}

func (s State) nodes(r *http.Request) object {
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	size, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	if s.PageSize > 0 {
		size = s.PageSize
	}
	metadata := object{"resourceVersion": "1042"}
	to := len(s.Nodes)
	if size > 0 && from+size < to {
		to = from + size
		metadata["continue"] = strconv.Itoa(to)
	}
	items := []object{}
	for _, node := range s.Nodes[from:to] {
		items = append(items, node.object())
	}
	return object{"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": items}
}

func (n Node) object() object {
	labels := object{"kubernetes.io/arch": "amd64", "kubernetes.io/hostname": n.Name, "kubernetes.io/os": "linux"}
	if n.Role != "" {
		labels["node-role.kubernetes.io/"+n.Role] = ""
	}
	spec := object{"podCIDR": "10.244.0.0/24"}
	if n.Unschedulable {
		spec["unschedulable"] = true
	}
	if n.Taint != "" {
		spec["taints"] = []object{{"key": "node-role.kubernetes.io/control-plane", "effect": n.Taint}}
	}
	ready := object{
		"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status",
		"lastHeartbeatTime": "2023-03-02T10:05:00Z", "lastTransitionTime": "2023-03-02T10:01:00Z",
	}
	if n.NotReady {
		ready["status"], ready["reason"], ready["message"] = "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status."
	}
	return object{
		"metadata": object{"name": n.Name, "uid": "0d2f7e1c-" + n.Name, "labels": labels},
		"spec":     spec,
		"status": object{
			"capacity":   object{"cpu": "4", "memory": "8148216Ki", "pods": "110"},
			"conditions": []object{{"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory"}, ready},
			"nodeInfo": object{
				"machineID": "8b1c", "kernelVersion": "5.15.0-67-generic", "osImage": "Ubuntu 22.04.2 LTS", "containerRuntimeVersion": "containerd://1.6.18",
				"kubeletVersion": "v1.23.17", "kubeProxyVersion": "v1.23.17", "operatingSystem": "linux", "architecture": "amd64",
			},
		},
	}
}

func (s State) classes() object {
	items := []object{}
	for _, class := range s.Classes {
		metadata := object{"name": class.Name}
		if class.Default {
			metadata["annotations"] = object{"storageclass.kubernetes.io/is-default-class": "true"}
		}
		items = append(items, object{
			"metadata": metadata, "provisioner": "rancher.io/local-path",
			"reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
		})
	}
	return object{"kind": "StorageClassList", "apiVersion": "storage.k8s.io/v1", "metadata": object{"resourceVersion": "1042"}, "items": items}
}
