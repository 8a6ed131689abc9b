# SPDX-License-Identifier: Apache-2.0
"""The real Pulumi engine on this machine: it runs `__main__.py` of a stack and brings the stack up.

Real: the CLI with its engine, a file backend and passphrase secrets; the Kubernetes provider, before the control
plane of `proof`. Stand-ins of ours: the Python language host (no module serves it), the Google provider, the charts
that Helm installs, and the plug-in that signs in to GKE.
"""
