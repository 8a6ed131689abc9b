# SPDX-License-Identifier: Apache-2.0
"""The address ranges of a stack's network, and the addresses of Google that its pods and load balancers use.

Owns figures only.
"""

NODES_RANGE, PODS_RANGE, SERVICES_RANGE = "10.0.0.0/20", "10.16.0.0/14", "10.1.0.0/20"
"""GKE takes the control plane's address in the network from the nodes' subnet, unless another one is named."""
METADATA_SERVERS = (("169.254.169.252/32", 988), ("169.254.169.254/32", 80))
"""Where a pod gets its Google identity; the second one with Dataplane V2 (GKE docs, "About Workload Identity
Federation for GKE", its part on network policies)."""
DNS_ADDRESSES = ("169.254.20.10/32", "169.254.169.254/32")
"""Of NodeLocal DNSCache and of Cloud DNS on the node; kube-dns has pods."""
RESTRICTED_ADDRESSES = ("199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7")
"""Of restricted.googleapis.com (VPC docs, "Private Google Access options")."""
PROXY_RANGE = "10.2.0.0/23"
"""Of the proxy-only subnet, from which requests reach the pods; /23 is the size that Google recommends."""
HEALTH_CHECK_RANGES = ("35.191.0.0/16", "130.211.0.0/22")
"""From which Google checks health (Cloud Load Balancing docs, "Health checks overview")."""
