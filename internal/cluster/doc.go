// Package cluster tells what there is to know of the Kubernetes cluster under
// test, from a kubeconfig. It alone knows Kubernetes' client library, of
// which it takes what reads kubeconfigs and makes HTTP clients; what it asks
// is a handful of plain requests. It changes nothing in the cluster. No
// secret is in what it returns, errors included.
package cluster
