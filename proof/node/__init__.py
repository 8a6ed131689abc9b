# SPDX-License-Identifier: Apache-2.0
"""A node as it is: the kubelet, containerd and runc, with images made by hand."""
