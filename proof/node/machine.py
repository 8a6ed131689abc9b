# SPDX-License-Identifier: Apache-2.0
"""One node: containerd and the kubelet, in the network namespace of the caller.

Owns their configuration, and what they leave behind. The node registers itself with the control plane, and the
kubelet runs what the scheduler binds to it. It has paths of its own that no setting moves: /var/lib/kubelet and
/var/log/containers, with links and sockets only.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from proof.api import has_condition
from proof.binaries import SandboxError
from proof.control_plane import ControlPlane
from proof.node.binaries import CNI, kubelet
from proof.node.images import archive
from proof.processes import free_ports

NAME, ADDRESS, PODS = "node", "10.200.0.1", "10.201.0.0/24"
_PAUSE = "localhost/pause:1"
_CGROUPS = Path("/sys/fs/cgroup")
READY_SECONDS = 60
_CONTAINERD = """\
version = 2
root = "{folder}/containerd"
state = "{folder}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
"""


class Machine:
    """A node; use it as a context, so that it ends."""

    def __init__(self, plane: ControlPlane, labels: Mapping[str, str]) -> None:
        self._plane, self._labels = plane, labels
        self.folder = Path(tempfile.mkdtemp(prefix="hubstack-node-", dir="/run"))
        self._socket = self.folder / "containerd.sock"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def load(self, name: str, files: Mapping[str, str]) -> None:
        """Make an image of Python with files, and give it to containerd."""
        self._load(name, files, with_python=True, entrypoint=["python"])

    def _start(self) -> None:
        for words in ("link add br0 type bridge", f"address add {ADDRESS}/32 dev br0", "link set br0 up"):
            subprocess.run(["ip", *words.split()], check=True)
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        (self.folder / "cni").mkdir()
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "subnet": PODS,
                "dataDir": str(self.folder / "addresses"),
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        (self.folder / "cni" / "10-pods.conf").write_text(json.dumps(network))
        config = self.folder / "containerd.toml"
        config.write_text(_CONTAINERD.format(folder=self.folder, socket=self._socket, pause=_PAUSE, plugins=CNI))
        self._plane.processes.start("containerd", ["containerd", "--config", config])
        self._plane.wait("containerd answers", lambda: self._ctr("version", check=False), READY_SECONDS)
        self._load(_PAUSE, {}, with_python=False, entrypoint=["/bin/sleep", "infinity"])
        self._plane.processes.start("kubelet", self._kubelet())
        self._plane.wait("the node is ready", self._is_ready, READY_SECONDS)

    def _kubelet(self) -> list[str | Path]:
        plane, (port,) = self._plane, free_ports(1)
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": f"unix://{self._socket}",
            "podLogsDir": str(self.folder / "logs"),
            "port": port,
            "healthzPort": 0,
            "tlsCertFile": str(plane.certificates.server),
            "tlsPrivateKeyFile": str(plane.certificates.server_key),
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            # What this machine is: its cgroups, its swap, and no system of its own around the kubelet.
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "oomScoreAdj": 0,
            "failSwapOn": False,
            "enforceNodeAllocatable": [],
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
        }
        path = self.folder / "kubelet.yaml"
        path.write_text(yaml.safe_dump(config))
        labels = ",".join(f"{key}={value}" for key, value in self._labels.items())
        return [
            kubelet(),
            f"--config={path}",
            f"--kubeconfig={plane.kubeconfig}",
            f"--root-dir={self.folder / 'kubelet'}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
            f"--node-labels={labels}",
        ]

    def _is_ready(self) -> bool:
        found = [each for each in self._plane.api.objects("v1", "Node") if each["metadata"]["name"] == NAME]
        return any(has_condition(each, "Ready") for each in found)

    def _load(self, name: str, files: Mapping[str, str], *, with_python: bool, entrypoint: list[str]) -> None:
        path = self.folder / "image.tar"
        archive(path, name, files, with_python=with_python, entrypoint=entrypoint)
        self._ctr("images", "import", str(path))
        path.unlink()

    def _ctr(self, *words: str, check: bool = True) -> bool:
        command = ["ctr", "--address", str(self._socket), "--namespace", "k8s.io", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise SandboxError(f"`ctr {' '.join(words[:2])}`: {done.stderr.strip()}")
        return done.returncode == 0

    def _end(self) -> None:
        """End what is left: the control plane stops the kubelet and containerd, but no container."""
        for pod in self._plane.api.objects("v1", "Pod") if hasattr(self._plane, "api") else ():
            self._plane.api.delete(pod, now=True)
        time.sleep(2)
        self._plane.processes.stop()
        subprocess.run(["pkill", "-KILL", "-f", str(self._socket)], check=False)
        for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            where = mount.split()[1]
            if where.startswith(str(self.folder)):
                subprocess.run(["umount", "--lazy", where], check=False)
        for folder, _, _ in os.walk(_CGROUPS, topdown=False):
            if "/kubepods" in folder:
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
        shutil.rmtree(self.folder, ignore_errors=True)
