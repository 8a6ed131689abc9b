# SPDX-License-Identifier: Apache-2.0
"""What runs around a control plane so that its pods run: kubelet, gateway, buckets, secrets.

Owns how the parts know of each other. In a network namespace of its own (`proof.namespace`) it also has Services
and names, so that programs that know only of the cluster's addresses run too.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from proof.api import Object
from proof.control_plane import ControlPlane
from proof.gateway.binaries import programs as gateway_programs
from proof.gateway.controller import GatewayController
from proof.gateway.front import Front
from proof.keda import google
from proof.pods.addresses import Addresses
from proof.pods.kubelet import Machine, ProcessKubelet
from proof.pods.services import DNS_ADDRESS, Services
from proof.sandbox import StandIn, now

SERVER = Path(__file__).with_name("openai_server.py")
_SEE_NAMES = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class World:
    """One machine."""

    kubelet: ProcessKubelet
    gateways: GatewayController

    def __init__(self, folder: Path, hub: str, *, is_namespace: bool = False, port: int | None = None) -> None:
        """Describe it.

        Args:
            folder: of the pods and the buckets.
            hub: address of the Hub.
            is_namespace: whether it is in a network namespace of its own.
            port: of the gateway; a free one by default.
        """
        self.folder, self.hub = folder, hub
        self.buckets = folder / "buckets"
        self.addresses = Addresses(is_namespace=is_namespace)
        self._is_namespace, self._port = is_namespace, port
        self.buckets_of_cloud: Callable[[], Iterable[str]] = tuple
        """Names of the buckets that a stack has made."""
        self.engines: Path | None = None
        """Folder of the engines' programs, for a processor; without it a server of ours stands for every engine."""
        self.secrets: dict[str, str] = {}
        """Resource name of a version in Secret Manager to its value."""

    def stand_ins(self, plane: ControlPlane) -> Sequence[StandIn]:
        """Return what watches a control plane."""
        words = {
            "python": sys.executable,
            "server": str(SERVER),
            "programs": str(plane.programs),
            "hub": self.hub,
            "metadata": google.METADATA,
            "authority": str(plane.certificates.authority),
        }
        if self.engines is not None:
            words["engines"] = str(self.engines)
        machine = Machine(
            api=plane.api,
            folder=self.folder / "pods",
            find_bucket=self._bucket,
            words=words,
            now=now,
            read_secret=self.secrets.__getitem__,
            kubeconfig=lambda token: _kubeconfig(plane, token),
            certificate=(plane.certificates.server, plane.certificates.server_key),
            prefix=self._prefix(),
            addresses=self.addresses,
        )
        self.kubelet = ProcessKubelet(machine)
        self.gateways = GatewayController(
            plane.api, gateway_programs(), self.folder / "gateways", self.addresses.local, self._port
        )
        return self.kubelet, self.gateways, *self._services(plane)

    def make_bucket(self, name: str) -> Path:
        """Make a bucket, and return its folder."""
        folder = self.buckets / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _bucket(self, name: str) -> Path:
        folder = self.buckets / name
        if not folder.is_dir() and name not in self.buckets_of_cloud():
            raise KeyError(f"there is no bucket {name}")
        return self.make_bucket(name)

    def _services(self, plane: ControlPlane) -> Sequence[StandIn]:
        if not self._is_namespace:
            return ()
        services = Services(plane.api, self.addresses, {google.MONITORING: google.ADDRESS})
        services.serve_names()
        return services, Front(plane.api, self.gateways.address)

    def _prefix(self) -> tuple[str, ...]:
        """Return the words that give a command the cluster's names."""
        if not self._is_namespace:
            return ()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "resolv.conf"
        path.write_text(f"nameserver {DNS_ADDRESS}\nsearch svc.cluster.local cluster.local\noptions ndots:5\n")
        return ("unshare", "--mount", "sh", "-c", _SEE_NAMES, str(path))


def _kubeconfig(plane: ControlPlane, token: str) -> Object:
    cluster = {"server": plane.url, "certificate-authority": str(plane.certificates.authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "pod", "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "pod"}}],
        "current-context": "sandbox",
    }
