# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes control plane on this machine, on which everything that hubstack renders is applied.

Real: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, LeaderWorkerSet's controller and the CRDs
of public projects, all from the Go modules pinned beside this file. Stand-ins of ours: the node autoscaler, the
kubelet, the disk provisioner (`proof.autoscaler`, `proof.kubelet`, `proof.disks`) and the schemas of GKE's own
kinds (`crds/gke`). `proof.engine` brings stacks up on it with the real Pulumi engine. There is no GPU and no
container. docs/concepts/sandbox.md says what this proves and what it does not.
"""
