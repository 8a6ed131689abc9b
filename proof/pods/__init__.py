# SPDX-License-Identifier: Apache-2.0
"""Pods that run: each container is a local process, with what its pod declares.

    images.yaml    which local program stands for which image: the one place
    images.py      reads it
    addresses.py   where on the loopback a pod's address is
    volumes.py     a pod's volumes as folders
    container.py   a container's command, environment and paths as a local process has them
    probes.py      HTTP, TCP, exec and gRPC probes
    kubelet.py     the life of a pod: init containers, restarts, probes, preStop, signals, status

Not here: users, capabilities, cgroups, a root file system of its own. A path of a volume mount is replaced by the
volume's folder wherever it occurs in a command, an argument or a variable.
"""
