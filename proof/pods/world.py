# SPDX-License-Identifier: Apache-2.0
"""What runs around a control plane so that its pods run: the kubelet, the buckets, the secrets.

Owns how the parts know of each other.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from proof.control_plane import ControlPlane
from proof.gateway.binaries import programs as gateway_programs
from proof.gateway.controller import GatewayController
from proof.pods.addresses import Addresses
from proof.pods.kubelet import Machine, ProcessKubelet
from proof.sandbox import StandIn, now

SERVER = Path(__file__).with_name("openai_server.py")


class World:
    """One machine."""

    kubelet: ProcessKubelet
    gateways: GatewayController

    def __init__(self, folder: Path, hub: str, addresses: Addresses | None = None) -> None:
        """Describe it.

        Args:
            folder: of the pods and the buckets.
            hub: address of the Hub.
            addresses: where pods are.
        """
        self.folder, self.hub = folder, hub
        self.buckets = folder / "buckets"
        self.addresses = addresses or Addresses()
        self.secrets: dict[str, str] = {}
        """Resource name of a version in Secret Manager to its value."""

    def stand_ins(self, plane: ControlPlane) -> Sequence[StandIn]:
        """Return what watches a control plane."""
        words = {
            "python": sys.executable,
            "server": str(SERVER),
            "programs": str(plane.programs),
            "hub": self.hub,
        }
        machine = Machine(
            api=plane.api,
            folder=self.folder / "pods",
            buckets=self.buckets,
            words=words,
            now=now,
            read_secret=self.secrets.__getitem__,
            addresses=self.addresses,
        )
        self.kubelet = ProcessKubelet(machine)
        self.gateways = GatewayController(
            plane.api, gateway_programs(), self.folder / "gateways", self.addresses.local
        )
        return self.kubelet, self.gateways

    def make_bucket(self, name: str) -> Path:
        """Make a bucket, and return its folder."""
        folder = self.buckets / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
