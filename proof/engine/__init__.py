# SPDX-License-Identifier: Apache-2.0
"""The real Pulumi engine on this machine: it runs a stack's `__main__.py` and deploys the stack.

Real: the CLI with its engine, a file backend and passphrase secrets; the Kubernetes provider, connected to the
control plane of `proof`. Our stand-ins: the Python language host (no Go module contains it), the Google provider,
the charts that Helm installs, and the plugin that signs in to GKE.
"""
