# SPDX-License-Identifier: Apache-2.0
"""Runs the rendered pods of the proxy on this machine: their commands, environment and files, on the loopback.

Owns what stands for the cluster: folders for volumes, free ports for the pods' own, and 127.0.0.1 for Services.
Nothing of the configuration is written here; it is that of the rendered objects. Keys are files in a folder, where
GKE's secret sync and the kubelet would put them.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hubstack.deploy.callers import pods, proxy
from proof.binaries import SandboxError
from proof.processes import STOP_SECONDS, Child, free_ports

Object = dict[str, Any]
START_SECONDS = 30.0
_FOLDERS = ("/config", "/callers", "/keys", "/limits", "/data")


class CallersProxy:
    """The proxy of a rendered stack, in front of servers on this machine."""

    def __init__(
        self,
        objects: Mapping[str, Object],
        programs: Mapping[str, Path],
        servers: Mapping[str, int],
        folder: Path,
    ) -> None:
        """Lay out files; `start` starts the programs.

        Args:
            objects: the rendered objects of the proxy, by role.
            programs: the local program for each name of a container.
            servers: host name of each model's Service to a local port.
            folder: an empty folder for files and logs.
        """
        self._objects, self._programs, self._folder = objects, programs, folder
        self._running: dict[str, Child] = {}
        taken = (
            proxy.PROXY_PORT,
            proxy.STATUS_PORT,
            proxy.ADMIN_PORT,
            proxy.LIMITER_PORT,
            pods.LIMITER_HTTP_PORT,
            pods.METRICS_PORT,
            pods.COUNTERS_PORT,
        )
        *ports, self._debug = free_ports(len(taken) + 1)
        self._ports: dict[int, int] = dict(zip(taken, ports, strict=True))
        self._servers = servers
        self.secrets = folder / "callers"
        for name in _FOLDERS:
            (folder / name[1:]).mkdir(parents=True)
        self._write_files("config", folder / "config")
        self._write_files("counters-config", folder / "config")
        limits = folder / "limits" / "ratelimit" / "config"
        limits.mkdir(parents=True)
        (folder / "config" / "callers.yaml").rename(limits / "callers.yaml")

    @property
    def port(self) -> int:
        """The local port to which the load balancer would send requests."""
        return self._ports[proxy.PROXY_PORT]

    @property
    def pid(self) -> int:
        """The process of Envoy."""
        return self._running["proxy"].pid

    def start(self) -> None:
        """Start the counters, the rate limit service, the program for keys, and Envoy; wait until all answer."""
        for container in self._containers("counters"):
            self._start(container)
            if container["name"] == "counters":
                time.sleep(0.5)  # in a cluster, the service is restarted until the counters answer
        self._wait(pods.LIMITER_HTTP_PORT, "/healthcheck")
        (first,) = self._objects["proxy"]["spec"]["template"]["spec"]["initContainers"]
        self._start(first)
        self._until((self._folder / "keys" / proxy.KEYS_FILE).exists)
        for container in self._containers("proxy"):
            self._start(container)
        self._wait(proxy.STATUS_PORT, proxy.READY_PATH)

    def stop_counting(self) -> None:
        """End the rate limit service and its counters, as when their node is gone."""
        for name in ("limiter", "counters"):
            self._running.pop(name).stop(STOP_SECONDS)

    def stop(self) -> None:
        """End everything."""
        while self._running:
            self._running.popitem()[1].stop(STOP_SECONDS)

    def metrics(self) -> str:
        """Return what Google's collectors would scrape."""
        return self._get(pods.METRICS_PORT, "/metrics")

    def status(self, path: str) -> str:
        """Return a path of the proxy's port for probes."""
        return self._get(proxy.STATUS_PORT, path)

    def logs(self) -> str:
        """Return everything that the containers wrote."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*.log")))

    def _get(self, port: int, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[port]}{path}", timeout=5) as answer:
            return answer.read().decode()

    def _containers(self, role: str) -> list[Object]:
        return self._objects[role]["spec"]["template"]["spec"]["containers"]

    def _start(self, container: Object) -> None:
        _, *rest = container["command"]
        command = [self._programs[container["name"]], *map(self._local, rest)]
        told = {each["name"]: self._local(each["value"]) for each in container.get("env", ())}
        if container["name"] == "limiter":
            told["DEBUG_PORT"] = str(self._debug)
        own = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
        name = container["name"]
        self._running[name] = Child(command, self._folder / f"{name}.log", own | told)

    def _write_files(self, role: str, folder: Path) -> None:
        for name, text in self._objects[role]["data"].items():
            (folder / name).write_text(self._moved(text) if name.endswith("json") else text)

    def _moved(self, text: str) -> str:
        """Return Envoy's configuration with local addresses, ports and folders."""
        config = json.loads(text)
        for each in _addresses(config):
            host, port = each["address"], each["port_value"]
            local = self._servers.get(host)
            each["address"] = "127.0.0.1"
            each["port_value"] = local if local is not None else self._ports[port]
        return json.dumps(config).replace(f'"{proxy.KEYS_FOLDER}', f'"{self._folder}{proxy.KEYS_FOLDER}')

    def _local(self, word: str) -> str:
        for folder in _FOLDERS:
            if word == folder or word.startswith(f"{folder}/"):
                return f"{self._folder}{word}"
        for port, local in self._ports.items():
            if word == str(port) or word.endswith(f":{port}"):
                return f"{word.removesuffix(str(port))}{local}"
        return word

    def _wait(self, port: int, path: str) -> None:
        def answers() -> bool:
            try:
                self._get(port, path)
            except (urllib.error.URLError, OSError):
                return False
            return True

        self._until(answers)

    def _until(self, condition: Any) -> None:
        end = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise SandboxError(f"the proxy did not start:\n{self.logs()[-4000:]}")
            time.sleep(0.1)


def _addresses(value: Any) -> list[Object]:
    """Return every socket address of a configuration."""
    if isinstance(value, dict):
        own = [value["socket_address"]] if "socket_address" in value else []
        return own + [found for each in value.values() for found in _addresses(each)]
    return [found for each in value for found in _addresses(each)] if isinstance(value, list) else []
