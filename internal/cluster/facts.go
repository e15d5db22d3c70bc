package cluster

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// nodePage is how many nodes are asked for at once.
	nodePage = 100
	// maxNodes is how many nodes a cluster may have; Kubernetes supports
	// 5,000.
	maxNodes = 10_000
	// maxClasses is how many storage classes are asked for.
	maxClasses = 500
)

// Facts are what there is to know of a cluster.
type Facts struct {
	Server Server `json:"server"`
	// UID is that of the namespace kube-system, which tells clusters apart.
	UID                 string      `json:"uid"`
	Nodes               []Node      `json:"nodes"`
	DefaultStorageClass string      `json:"default_storage_class"` // "" for none
	Credentials         Credentials `json:"credentials"`
	// Admin says that the account may do everything.
	Admin bool `json:"admin"`
}

// A Server is what an API server says of itself.
type Server struct {
	URL      string `json:"url"`
	Version  string `json:"version"`  // v1.23.17+k3s1
	Platform string `json:"platform"` // linux/amd64
	// Ahead is how far the server's clock is before this machine's, to a
	// second, which is how exactly it says. 0 if it does not.
	Ahead time.Duration `json:"-"`
	// CertificateExpires is zero without TLS.
	CertificateExpires time.Time `json:"certificate_expires,omitzero"`
}

// A Node of the cluster.
type Node struct {
	Name  string   `json:"name"`
	Roles []string `json:"roles"` // sorted
	Ready bool     `json:"ready"`
	// NotReady says why, in the node's own words.
	NotReady string `json:"not_ready,omitempty"`
	// Schedulable says that pods without tolerations can be placed there.
	Schedulable  bool     `json:"schedulable"`
	Taints       []string `json:"taints,omitempty"` // key[=value]:effect
	OSImage      string   `json:"os_image"`
	Kernel       string   `json:"kernel"`
	Runtime      string   `json:"container_runtime"`
	Kubelet      string   `json:"kubelet"`
	Architecture string   `json:"architecture"`
}

// A StorageClass of the cluster.
type StorageClass struct {
	Name        string `json:"name"`
	Provisioner string `json:"provisioner"`
	Default     bool   `json:"default"`
}

// Facts asks all at once. What could be had is returned beside the errors of
// what could not.
func (c *Cluster) Facts(ctx context.Context) (Facts, error) {
	f := Facts{Credentials: c.credentials}
	f.Server.URL = c.URL()
	questions := []func() error{
		func() error {
			server, err := c.Server(ctx)
			if err == nil {
				f.Server = server
			}
			return err
		},
		func() (err error) { f.UID, err = c.UID(ctx); return err },
		func() (err error) { f.Nodes, err = c.Nodes(ctx); return err },
		func() (err error) { f.Admin, err = c.Admin(ctx); return err },
		func() error {
			classes, err := c.StorageClasses(ctx)
			for _, class := range classes {
				if class.Default && f.DefaultStorageClass == "" {
					f.DefaultStorageClass = class.Name
				}
			}
			return err
		},
	}
	problems := make([]error, len(questions))
	var group sync.WaitGroup
	for i, question := range questions {
		group.Go(func() { problems[i] = question() })
	}
	group.Wait()
	return f, errors.Join(problems...)
}

// Server asks the API server what it is.
func (c *Cluster) Server(ctx context.Context) (Server, error) {
	var version struct {
		GitVersion string `json:"gitVersion"`
		Platform   string `json:"platform"`
	}
	a, err := c.ask(ctx, http.MethodGet, "/version", nil, nil, &version)
	if err != nil {
		return Server{}, err
	}
	if version.GitVersion == "" {
		return Server{}, &Error{
			Tried: "GET " + c.base.JoinPath("/version").String(), Err: &kinded{ErrUnreachable, errors.New("the answer has no gitVersion")},
			Advice: "is this the address of a Kubernetes API server?",
		}
	}
	s := Server{URL: c.URL(), Version: version.GitVersion, Platform: version.Platform}
	if date, err := http.ParseTime(a.date); err == nil {
		s.Ahead = ahead(date, a.sent, a.received)
	}
	if state := a.tls; state != nil && len(state.PeerCertificates) > 0 {
		s.CertificateExpires = state.PeerCertificates[0].NotAfter
	}
	return s, nil
}

// ahead is how far a clock that said date, cut to a second, between two
// moments of ours is before ours. Within what cannot be told it is 0.
func ahead(date, sent, received time.Time) time.Duration {
	first, last := date, date.Add(time.Second)
	switch {
	case first.After(received):
		return first.Sub(received)
	case last.Before(sent):
		return last.Sub(sent)
	default:
		return 0
	}
}

// UID is that of the namespace kube-system, which lives as long as the
// cluster.
func (c *Cluster) UID(ctx context.Context) (string, error) {
	var namespace struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	_, err := c.ask(ctx, http.MethodGet, "/api/v1/namespaces/kube-system", nil, nil, &namespace)
	return namespace.Metadata.UID, err
}

// Admin asks whether the account may do everything with everything.
func (c *Cluster) Admin(ctx context.Context) (bool, error) {
	review := map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]string{"verb": "*", "group": "*", "version": "*", "resource": "*"}},
	}
	var result struct {
		Status struct {
			Allowed bool `json:"allowed"`
		} `json:"status"`
	}
	_, err := c.ask(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", nil, review, &result)
	return result.Status.Allowed, err
}

// StorageClasses asks for the storage classes, sorted by name.
func (c *Cluster) StorageClasses(ctx context.Context) ([]StorageClass, error) {
	var list struct {
		Items []struct {
			Metadata struct {
				Name        string            `json:"name"`
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
			Provisioner string `json:"provisioner"`
		} `json:"items"`
	}
	query := url.Values{"limit": {strconv.Itoa(maxClasses)}}
	if _, err := c.ask(ctx, http.MethodGet, "/apis/storage.k8s.io/v1/storageclasses", query, nil, &list); err != nil {
		return nil, err
	}
	var classes []StorageClass
	for _, item := range list.Items {
		annotations := item.Metadata.Annotations
		classes = append(classes, StorageClass{
			Name: item.Metadata.Name, Provisioner: item.Provisioner,
			Default: annotations["storageclass.kubernetes.io/is-default-class"] == "true" ||
				annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true",
		})
	}
	slices.SortFunc(classes, func(a, b StorageClass) int { return strings.Compare(a.Name, b.Name) })
	return classes, nil
}
