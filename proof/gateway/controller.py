# SPDX-License-Identifier: Apache-2.0
"""Our stand-in for GKE's Gateway controller: Envoy serves each Gateway on a port of the loopback.

Owns Envoy's process and its files. Envoy reads them again when they change, so nothing is restarted.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from proof.api import Api, Object
from proof.gateway import routes
from proof.processes import Child, free_ports

STOP_SECONDS = 5
_KINDS = {
    "gateways": ("gateway.networking.k8s.io/v1", "Gateway"),
    "routes": ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    "grants": ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
    "extensions": ("networking.gke.io/v1", "GCPRoutingExtension"),
    "policies": ("networking.gke.io/v1", "GCPBackendPolicy"),
    "services": ("v1", "Service"),
    "slices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "pools": (f"{routes.POOLS}/v1", "InferencePool"),
}


class GatewayController:
    """One Envoy for each Gateway; a stand-in of a sandbox."""

    def __init__(
        self, api: Api, programs: Path, folder: Path, local: Callable[[str], str], port: int | None = None
    ) -> None:
        """Describe it.

        Args:
            api: of the cluster.
            programs: folder with `envoy`.
            folder: of its files.
            local: where on this machine an address of the cluster is.
            port: of the only Gateway; a free one by default.
        """
        self._api, self._programs, self._folder, self._local = api, programs, folder, local
        self._port = port
        self._running: dict[str, tuple[Child, int]] = {}

    def step(self, pods: Sequence[Object]) -> None:
        """Look once at all objects."""
        if not self._kind_exists():
            return
        found = self._api.objects(*_KINDS["gateways"])
        for gateway in found:
            if "deletionTimestamp" not in gateway["metadata"]:
                self._serve(gateway, self._objects(found, pods))
        there = {gateway["metadata"]["uid"] for gateway in found}
        for uid in self._running.keys() - there:
            self._running.pop(uid)[0].stop(STOP_SECONDS)

    def address(self, gateway: Object) -> str | None:
        """Return the URL of a Gateway, None before it is served."""
        found = self._running.get(gateway["metadata"]["uid"])
        return f"http://127.0.0.1:{found[1]}" if found else None

    def stop(self) -> None:
        """Stop every Envoy."""
        for child, _ in self._running.values():
            child.stop(STOP_SECONDS)
        self._running.clear()

    def _kind_exists(self) -> bool:
        return any(each.kind == "Gateway" for each in self._api.kinds)

    def _objects(self, gateways: list[Object], pods: Sequence[Object]) -> routes.Objects:
        others = {name: self._api.objects(*kind) for name, kind in _KINDS.items() if name != "gateways"}
        return routes.Objects(gateways=gateways, pods=pods, **others)

    def _serve(self, gateway: Object, objects: routes.Objects) -> None:
        uid = gateway["metadata"]["uid"]
        folder = self._folder / uid
        folder.mkdir(parents=True, exist_ok=True)
        port = self._running[uid][1] if uid in self._running else self._port or free_ports(1)[0]

        def endpoint_file(cluster: str) -> str:
            return str(folder / f"{cluster}.json")

        # Endpoints first: a cluster whose file is not there yet would wait for it.
        for cluster, made in routes.endpoints(objects, gateway, self._local).items():
            _write(Path(endpoint_file(cluster)), [made])
        _write(folder / "clusters.json", routes.clusters(objects, gateway, endpoint_file))
        _write(folder / "listeners.json", [routes.listener(objects, gateway, port)])
        if uid not in self._running:
            self._running[uid] = (self._start(folder), port)

    def _start(self, folder: Path) -> Child:
        bootstrap: dict[str, Any] = {
            "node": {"id": "gateway", "cluster": "gateway"},
            "dynamic_resources": {
                "cds_config": _source(folder / "clusters.json"),
                "lds_config": _source(folder / "listeners.json"),
            },
        }
        path = folder / "bootstrap.json"
        path.write_text(json.dumps(bootstrap))
        # One worker: two cores are shared with everything else.
        command = [
            self._programs / "envoy",
            "-c",
            path,
            "--concurrency",
            "1",
            "--use-dynamic-base-id",
            "-l",
            "warn",
        ]
        return Child(command, folder / "envoy.log", dict(os.environ))


def _source(path: Path) -> dict[str, Any]:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def _write(path: Path, resources: list[dict[str, Any]]) -> None:
    """Write a file that Envoy watches, if it changes; Envoy notices a move only."""
    text = json.dumps({"resources": resources}, indent=1)
    if path.exists() and path.read_text() == text:
        return
    made = path.with_suffix(".new")
    made.write_text(text)
    made.replace(path)
