# SPDX-License-Identifier: Apache-2.0
"""etcd, kube-apiserver, kube-controller-manager and kube-scheduler on the loopback.

Owns their flags and their readiness. Everything is in a throw-away folder; nothing is reached from outside.
Defaults of Kubernetes hold except for what is said beside a flag.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import yaml

from proof.api import Api, ApiError
from proof.binaries import SandboxError
from proof.certificates import Certificates
from proof.processes import Processes, free_ports

READY_SECONDS = 90
PROXY = "front-proxy-client"
"""As whom the API server asks the servers of other APIs."""


class ControlPlane:
    """One control plane; use it as a context, so that it stops."""

    api: Api
    kubeconfig: Path
    """Kubeconfig of the administrator."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="hubstack-sandbox-"))
        self.certificates = Certificates(self._made("certificates"))
        self.processes = Processes(self._made("logs"))
        etcd_port, peer_port, self._port = free_ports(3)
        self._etcd, self._peer = f"https://127.0.0.1:{etcd_port}", f"https://127.0.0.1:{peer_port}"
        self.url = f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop everything and remove its folder."""
        if hasattr(self, "api"):
            self.api.close()
        self.processes.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait(self, what: str, is_done: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until a condition is true.

        Raises:
            SandboxError: it did not in time, or a process ended.
        """
        end = time.monotonic() + seconds
        while not is_done():
            self.processes.check()
            if time.monotonic() > end:
                raise SandboxError(f"{what}: not within {seconds:g} seconds")
            time.sleep(0.1)

    def _start(self) -> None:
        self._start_etcd()
        self._start_api_server()
        admin = ("admin", "sandbox-admin", "system:masters")
        self.kubeconfig = self.certificates.kubeconfig(admin[0], self.url, *admin[1:])
        self.api = Api(self.url, self.certificates.authority, *self.certificates.issue(*admin))
        self.wait("the API server is ready", self._is_ready)
        self._start_controller_manager()
        self._start_scheduler()
        self.wait("the controllers make accounts", self._has_account)

    def _start_etcd(self) -> None:
        made = self.certificates
        self.processes.start(
            "etcd",
            [
                self.programs / "etcd",
                "--name=sandbox",
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={self._etcd}",
                f"--advertise-client-urls={self._etcd}",
                f"--listen-peer-urls={self._peer}",
                f"--initial-advertise-peer-urls={self._peer}",
                f"--initial-cluster=sandbox={self._peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
                f"--cert-file={made.server}",
                f"--key-file={made.server_key}",
                f"--trusted-ca-file={made.authority}",
                "--client-cert-auth",
                f"--peer-cert-file={made.server}",
                f"--peer-key-file={made.server_key}",
                f"--peer-trusted-ca-file={made.authority}",
                "--peer-client-cert-auth",
            ],
        )

    def _start_api_server(self) -> None:
        made = self.certificates
        proxy, proxy_key = made.issue("proxy", PROXY)
        self.processes.start(
            "kube-apiserver",
            [
                self.programs / "kube-apiserver",
                f"--etcd-servers={self._etcd}",
                f"--etcd-cafile={made.authority}",
                f"--etcd-certfile={made.server}",
                f"--etcd-keyfile={made.server_key}",
                "--bind-address=127.0.0.1",
                f"--secure-port={self._port}",
                "--advertise-address=127.0.0.1",
                # The Service `kubernetes` may not point at the loopback, and no pod runs that would use it.
                "--endpoint-reconciler-type=none",
                f"--tls-cert-file={made.server}",
                f"--tls-private-key-file={made.server_key}",
                f"--client-ca-file={made.authority}",
                "--authorization-mode=Node,RBAC",
                # No name of a node is known to a DNS server here.
                "--kubelet-preferred-address-types=InternalIP",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--service-account-issuer=https://sandbox.hubstack.dev",
                f"--service-account-key-file={made.account_key}",
                f"--service-account-signing-key-file={made.account_key}",
                # For the servers of other APIs, such as KEDA's metrics.
                f"--requestheader-client-ca-file={made.authority}",
                f"--requestheader-allowed-names={PROXY}",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                f"--proxy-client-cert-file={proxy}",
                f"--proxy-client-key-file={proxy_key}",
                # As GKE has it: what refuses a privileged pod is the namespace's Pod Security level.
                "--allow-privileged=true",
            ],
        )

    def _start_controller_manager(self) -> None:
        config = self.certificates.kubeconfig("controllers", self.url, "system:kube-controller-manager")
        self.processes.start(
            "kube-controller-manager",
            [
                self.programs / "kube-controller-manager",
                f"--kubeconfig={config}",
                "--leader-elect=false",
                "--secure-port=0",
                "--use-service-account-credentials=true",
                f"--service-account-private-key-file={self.certificates.account_key}",
                f"--root-ca-file={self.certificates.authority}",
                # No kubelet renews the nodes' leases.
                "--node-monitor-grace-period=24h",
                # 15 by default.
                "--horizontal-pod-autoscaler-sync-period=2s",
            ],
        )

    def _start_scheduler(self) -> None:
        config = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "clientConnection": {
                "kubeconfig": str(self.certificates.kubeconfig("scheduler", self.url, "system:kube-scheduler"))
            },
            # 1 and 10 by default: pods that wait for a node would be looked at rarely.
            "podInitialBackoffSeconds": 1,
            "podMaxBackoffSeconds": 1,
        }
        path = self.folder / "scheduler.yaml"
        path.write_text(yaml.safe_dump(config))
        self.processes.start(
            "kube-scheduler",
            [
                self.programs / "kube-scheduler",
                f"--config={path}",
                "--secure-port=0",
            ],
        )

    def _is_ready(self) -> bool:
        try:
            return self.api.call("GET", "/readyz") == "ok"
        except (ApiError, httpx2.TransportError):  # not listening yet, or not all parts of it
            return False

    def _has_account(self) -> bool:
        return any(
            each["metadata"]["name"] == "default" for each in self.api.objects("v1", "ServiceAccount", "default")
        )

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir()
        return folder
