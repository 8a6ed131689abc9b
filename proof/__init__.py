# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on this machine, to which everything that hubstack renders is applied.

Real: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, LeaderWorkerSet's controller and the CRDs of
public projects, all from the Go modules pinned in this folder. Our stand-ins: the node autoscaler, the kubelet, the
disk provisioner (`proof.autoscaler`, `proof.kubelet`, `proof.disks`) and the schemas of GKE's own kinds
(`crds/gke`). `proof.engine` deploys stacks to it with the real Pulumi engine. There are no GPUs and no containers.
For what this proves and what it does not, see docs/concepts/sandbox.md.
"""
