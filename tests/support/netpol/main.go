// SPDX-License-Identifier: Apache-2.0

// Command netpol says which connections Kubernetes NetworkPolicies allow, by cyclonus' matcher, for tests of them.
//
// It reads {"policies": [NetworkPolicy], "traffic": [{"from", "to", "port", "protocol"}]} from standard input, where
// from and to are {"ip", "namespace", "namespaceLabels", "podLabels"} and an empty namespace is outside of the cluster,
// and writes one boolean for each of the traffic.
package main

import (
	"encoding/json"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

type peer struct {
	IP              string            `json:"ip"`
	Namespace       string            `json:"namespace"`
	NamespaceLabels map[string]string `json:"namespaceLabels"`
	PodLabels       map[string]string `json:"podLabels"`
}

func (p peer) peer() *matcher.TrafficPeer {
	if p.Namespace == "" {
		return &matcher.TrafficPeer{IP: p.IP}
	}
	inside := &matcher.InternalPeer{Namespace: p.Namespace, NamespaceLabels: p.NamespaceLabels, PodLabels: p.PodLabels}
	return &matcher.TrafficPeer{IP: p.IP, Internal: inside}
}

func main() {
	var asked struct {
		Policies []*networkingv1.NetworkPolicy `json:"policies"`
		Traffic  []struct {
			From     peer        `json:"from"`
			To       peer        `json:"to"`
			Port     int         `json:"port"`
			Protocol v1.Protocol `json:"protocol"`
		} `json:"traffic"`
	}
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		panic(err)
	}
	policy := matcher.BuildNetworkPolicies(false, asked.Policies)
	answers := make([]bool, 0, len(asked.Traffic))
	for _, each := range asked.Traffic {
		traffic := &matcher.Traffic{
			Source: each.From.peer(), Destination: each.To.peer(), ResolvedPort: each.Port, Protocol: each.Protocol,
		}
		answers = append(answers, policy.IsTrafficAllowed(traffic).IsAllowed())
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
