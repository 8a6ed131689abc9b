# SPDX-License-Identifier: Apache-2.0
"""Our stand-ins for kube-proxy and the cluster's DNS.

Owns which connections are forwarded: each port of a Service is listened on at the Service's address, and a
connection goes to one of its ready endpoints, chosen at random. Names are those of Services, and some of Google's.
"""

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Mapping, Sequence

from proof.api import Api, Object
from proof.gateway.routes import Backend, service_places
from proof.pods.addresses import Addresses, Place, Relay

DNS_ADDRESS = "10.96.0.10"
LOOK_SECONDS = 0.5
SUFFIX = ".svc.cluster.local"
_HEADER = struct.Struct("!6H")
_FOUND, _NO_SUCH_NAME = 0x8580, 0x8583
_ADDRESS_TYPE = 1


class Services:
    """Forwards connections to Services; a stand-in of a sandbox."""

    def __init__(self, api: Api, addresses: Addresses, names: Mapping[str, str]) -> None:
        """Describe it.

        Args:
            api: of the cluster.
            addresses: where its addresses are.
            names: host outside of the cluster to its address.
        """
        self._api, self._addresses, self._outside = api, addresses, names
        self._relay = Relay()
        self._targets: dict[Place, list[Place]] = {}
        self._names: dict[str, str] = {}
        self._dns: socket.socket | None = None
        self._thread = threading.Thread(target=self._answer_all, name="dns", daemon=True)
        self._stopped = threading.Event()

    def step(self, pods: Sequence[Object]) -> None:  # noqa: ARG002  a stand-in is told of them
        """Look once at all Services."""
        services = [each for each in self._api.objects("v1", "Service") if _address(each)]
        slices = self._api.objects("discovery.k8s.io/v1", "EndpointSlice")
        self._names = {
            f"{each['metadata']['name']}.{each['metadata']['namespace']}{SUFFIX}": _address(each)
            for each in services
        }
        rows = [self._row(service, port, slices) for service in services for port in service["spec"]["ports"]]
        # Where there is no endpoint, a connection is refused, as kube-proxy has it.
        self._targets = {place: found for place, found in rows if found}
        for place in self._targets.keys() - set(self._relay.open_places()):
            self._relay.open(place, lambda place=place: self._choose(place))
        for place in set(self._relay.open_places()) - self._targets.keys():
            self._relay.shut(place)

    def serve_names(self) -> None:
        """Answer questions for names, in the background."""
        self._dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._dns.settimeout(LOOK_SECONDS)
        self._dns.bind((self._addresses.local(DNS_ADDRESS), 53))
        self._thread.start()

    def stop(self) -> None:
        """Forward nothing more."""
        self._relay.stop()
        if self._dns is not None:
            self._stopped.set()
            self._thread.join()
            self._dns.close()

    def address_of(self, name: str) -> str | None:
        """Return the address of a name, None where there is none."""
        wanted = name.rstrip(".").lower()
        return self._names.get(wanted) or self._outside.get(wanted)

    def _row(self, service: Object, port: Object, slices: list[Object]) -> tuple[Place, list[Place]]:
        metadata = service["metadata"]
        backend = Backend(kind="Service", namespace=metadata["namespace"], name=metadata["name"], port=port["port"])
        found = [(self._addresses.local(ip), number) for ip, number in service_places([service], slices, backend)]
        return (self._addresses.local(_address(service)), port["port"]), found

    def _choose(self, place: Place) -> Place | None:
        found = self._targets.get(place)
        return random.choice(found) if found else None  # noqa: S311  which one is of no matter

    def _answer_all(self) -> None:
        assert self._dns is not None  # noqa: S101  it was made before
        while not self._stopped.is_set():
            with contextlib.suppress(TimeoutError):
                question, sender = self._dns.recvfrom(4096)
                self._dns.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        name, end = _name(question)
        kind = int.from_bytes(question[end : end + 2])
        address = self.address_of(name)
        asked = question[_HEADER.size : end + 4]
        number = question[:2]
        if address is None:
            return number + struct.pack("!5H", _NO_SUCH_NAME, 1, 0, 0, 0) + asked
        if kind != _ADDRESS_TYPE:
            return number + struct.pack("!5H", _FOUND, 1, 0, 0, 0) + asked
        record = struct.pack("!HHHIH", 0xC00C, _ADDRESS_TYPE, 1, 1, 4) + socket.inet_aton(address)
        return number + struct.pack("!5H", _FOUND, 1, 1, 0, 0) + asked + record


def _address(service: Object) -> str:
    found = service["spec"].get("clusterIP", "")
    return "" if found == "None" or service["spec"].get("type") == "ExternalName" else found


def _name(question: bytes) -> tuple[str, int]:
    """Return the name of a question, and where it ends."""
    labels: list[str] = []
    at = _HEADER.size
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    return ".".join(labels), at + 1
