# SPDX-License-Identifier: Apache-2.0
"""The addresses inside a stack's network: its ranges, and the Google addresses used by its pods and load balancers.

Owns the figures only.
"""

NODES_RANGE, PODS_RANGE, SERVICES_RANGE = "10.0.0.0/20", "10.16.0.0/14", "10.1.0.0/20"
"""By default, GKE takes the control plane's internal address from the nodes' subnet."""
METADATA_SERVERS = (("169.254.169.252/32", 988), ("169.254.169.254/32", 80))
"""Metadata server addresses for Workload Identity; the second is used with Dataplane V2 (GKE docs, "About Workload
Identity Federation for GKE", section on network policies)."""
DNS_ADDRESSES = ("169.254.20.10/32", "169.254.169.254/32")
"""Addresses of NodeLocal DNSCache and of Cloud DNS on the node; kube-dns runs in pods."""
RESTRICTED_ADDRESSES = ("199.36.153.4", "199.36.153.5", "199.36.153.6", "199.36.153.7")
"""Addresses of restricted.googleapis.com (VPC docs, "Private Google Access options")."""
PROXY_RANGE = "10.2.0.0/23"
"""The proxy-only subnet, from which requests reach the pods; Google recommends /23."""
HEALTH_CHECK_RANGES = ("35.191.0.0/16", "130.211.0.0/22")
"""Source ranges of Google's health checks (Cloud Load Balancing docs, "Health checks overview")."""
INTERCEPTOR_PORT = 8080
"""Port of KEDA's interceptor, through which requests reach models that scale to zero."""
