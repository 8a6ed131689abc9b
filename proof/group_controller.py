# SPDX-License-Identifier: Apache-2.0
"""Runs LeaderWorkerSet's own controller as a local process.

Owns its configuration and its webhooks, which the API server reaches on the loopback instead of through a Service.
The program and its manifests come from the module pinned in lws/go.mod. GKE does not include it.
"""

from base64 import b64encode
from pathlib import Path
from typing import Any

import yaml

from proof.binaries import HERE, module_folders
from proof.control_plane import ControlPlane
from proof.processes import free_ports

_WEBHOOKS = {"Mutating": "mutating-patch.yaml", "Validating": "validating-patch.yaml"}


def start_group_controller(plane: ControlPlane) -> None:
    """Start the controller and wait until its webhooks answer."""
    port, health = free_ports(2)
    folder = plane.folder / "lws"
    folder.mkdir()
    # The names that controller-runtime looks for.
    (folder / "tls.crt").write_bytes(plane.certificates.server.read_bytes())
    (folder / "tls.key").write_bytes(plane.certificates.server_key.read_bytes())
    config = folder / "config.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "config.lws.x-k8s.io/v1alpha1",
                "kind": "Configuration",
                "leaderElection": {"leaderElect": False},
                "internalCertManagement": {"enable": False},
                "metrics": {"bindAddress": "0"},
                "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
                "webhook": {"host": "127.0.0.1", "port": port, "certDir": str(folder)},
            }
        )
    )
    identity = plane.certificates.kubeconfig("lws", plane.url, "lws-controller", "system:masters")
    command = [plane.programs / "lws-manager", f"--config={config}", "--zap-log-level=info"]
    plane.processes.start("lws-manager", command, {"KUBECONFIG": str(identity)})
    plane.wait("LeaderWorkerSet's webhooks listen", lambda: _listens(port))
    for configuration in _webhooks(
        f"https://127.0.0.1:{port}", b64encode(plane.certificates.authority_pem).decode()
    ):
        plane.api.create(configuration)


def _webhooks(url: str, authority: str) -> list[dict[str, Any]]:
    source = module_folders(HERE / "crds")["sigs.k8s.io/lws"] / "config" / "webhook"
    made: list[dict[str, Any]] = list(yaml.safe_load_all((source / "manifests.yaml").read_text()))
    for configuration in made:
        kind = configuration["kind"].removesuffix("WebhookConfiguration")
        for patch in yaml.safe_load((source / _WEBHOOKS[kind]).read_text()):
            _replace(configuration["webhooks"], source, patch)
        configuration["metadata"]["name"] = f"lws-{kind.lower()}"
        for webhook in configuration["webhooks"]:
            path = webhook["clientConfig"]["service"]["path"]
            webhook["clientConfig"] = {"url": url + path, "caBundle": authority}
    return made


def _replace(webhooks: list[dict[str, Any]], source: Path, patch: dict[str, Any]) -> None:
    """Apply one of the module's own JSON patches: they keep pods of others out of its webhooks."""
    place = patch["path"].removeprefix("/webhooks/")
    if patch["op"] != "replace" or not place.isdecimal():
        raise ValueError(f"{source} has a patch of a form that was not there before: {patch['op']} {patch['path']}")
    webhooks[int(place)] = patch["value"]


def _listens(port: int) -> bool:
    import socket  # noqa: PLC0415

    with socket.socket() as each:
        each.settimeout(1)
        return each.connect_ex(("127.0.0.1", port)) == 0
