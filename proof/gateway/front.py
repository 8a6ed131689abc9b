# SPDX-License-Identifier: Apache-2.0
"""Gives each Gateway an address of the cluster, as a load balancer has one, where every such address is ours.

Owns the address in the Gateway's status, and the way from it to the Envoy that serves the Gateway.
"""

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from proof.api import Api, Object
from proof.pods.addresses import Relay

ADDRESSES, PORT = "10.4.0.{}", 80


class Front:
    """A stand-in of a sandbox."""

    def __init__(self, api: Api, url_of: Callable[[Object], str | None]) -> None:
        """Describe it.

        Args:
            api: of the cluster.
            url_of: where a Gateway is served, None before it is.
        """
        self._api, self._url_of = api, url_of
        self._relay = Relay()
        self._given: dict[str, str] = {}

    def step(self, pods: Sequence[Object]) -> None:  # noqa: ARG002  a stand-in is told of them
        """Look once at all Gateways."""
        if not any(each.kind == "Gateway" for each in self._api.kinds):
            return
        for gateway in self._api.objects("gateway.networking.k8s.io/v1", "Gateway"):
            uid, url = gateway["metadata"]["uid"], self._url_of(gateway)
            if url is None or uid in self._given:
                continue
            address = self._given[uid] = ADDRESSES.format(len(self._given) + 1)
            served = ("127.0.0.1", urlsplit(url).port or PORT)
            self._relay.open((address, PORT), lambda served=served: served)
            told = {"status": {"addresses": [{"type": "IPAddress", "value": address}]}}
            self._api.patch(gateway, told, subresource="/status")

    def stop(self) -> None:
        """Forward nothing more."""
        self._relay.stop()
