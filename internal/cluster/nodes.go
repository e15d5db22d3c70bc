package cluster

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// nodeList is what Kubernetes says of nodes, as far as it is looked at.
type nodeList struct {
	Metadata struct {
		Continue string `json:"continue"`
	} `json:"metadata"`
	Items []nodeItem `json:"items"`
}

type nodeItem struct {
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Unschedulable bool `json:"unschedulable"`
		Taints        []struct {
			Key    string `json:"key"`
			Value  string `json:"value"`
			Effect string `json:"effect"`
		} `json:"taints"`
	} `json:"spec"`
	Status struct {
		Conditions []struct {
			Type    string `json:"type"`
			Status  string `json:"status"`
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"conditions"`
		NodeInfo struct {
			OSImage      string `json:"osImage"`
			Kernel       string `json:"kernelVersion"`
			Runtime      string `json:"containerRuntimeVersion"`
			Kubelet      string `json:"kubeletVersion"`
			Architecture string `json:"architecture"`
		} `json:"nodeInfo"`
	} `json:"status"`
}

// Nodes asks for the nodes, sorted by name.
func (c *Cluster) Nodes(ctx context.Context) ([]Node, error) {
	var nodes []Node
	for next := ""; ; {
		query := url.Values{"limit": {strconv.Itoa(nodePage)}}
		if next != "" {
			query.Set("continue", next)
		}
		var page nodeList
		if _, err := c.ask(ctx, http.MethodGet, "/api/v1/nodes", query, nil, &page); err != nil {
			return nil, err
		}
		for i := range page.Items {
			nodes = append(nodes, page.Items[i].node())
		}
		if next = page.Metadata.Continue; next == "" {
			break
		}
		if len(nodes) > maxNodes || len(page.Items) == 0 {
			return nil, &Error{
				Tried: "GET " + c.base.JoinPath("/api/v1/nodes").String(), Err: fmt.Errorf("the list does not end after %d nodes", len(nodes)),
				Advice: "is this a Kubernetes API server?",
			}
		}
	}
	slices.SortFunc(nodes, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	return nodes, nil
}

func (n *nodeItem) node() Node {
	info := n.Status.NodeInfo
	node := Node{
		Name: n.Metadata.Name, Roles: roles(n.Metadata.Labels), NotReady: "it has not said so", Schedulable: !n.Spec.Unschedulable,
		OSImage: info.OSImage, Kernel: info.Kernel, Runtime: info.Runtime, Kubelet: info.Kubelet, Architecture: info.Architecture,
	}
	for _, condition := range n.Status.Conditions {
		if condition.Type != "Ready" {
			continue
		}
		node.Ready = condition.Status == "True"
		node.NotReady = ""
		if !node.Ready {
			node.NotReady = strings.TrimSpace(condition.Reason + ": " + condition.Message)
		}
	}
	for _, taint := range n.Spec.Taints {
		text := taint.Key
		if taint.Value != "" {
			text += "=" + taint.Value
		}
		node.Taints = append(node.Taints, text+":"+taint.Effect)
		if taint.Effect == "NoSchedule" || taint.Effect == "NoExecute" {
			node.Schedulable = false
		}
	}
	return node
}

// roles are those that labels say, as kubectl shows them.
func roles(labels map[string]string) []string {
	found := []string{}
	for key, value := range labels {
		if role, ok := strings.CutPrefix(key, "node-role.kubernetes.io/"); ok && role != "" {
			found = append(found, role)
		} else if key == "kubernetes.io/role" && value != "" {
			found = append(found, value)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
