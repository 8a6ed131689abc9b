# SPDX-License-Identifier: Apache-2.0
"""The running sandbox: start, load a stack, apply, scale, inspect and reset.

Owns the order of these steps. The stand-ins watch the cluster in one thread, five times per second.
"""

import subprocess
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from proof.api import ApiError, Object
from proof.autoscaler import Autoscaler
from proof.binaries import HERE, SandboxError, Say, programs
from proof.control_plane import ControlPlane
from proof.crds import crd_files
from proof.disks import Disks
from proof.group_controller import start_group_controller
from proof.kubelet import Kubelet
from proof.nodes import POOL_LABEL, Pool, node_of, node_status

STEP_SECONDS = 0.2
MANAGER = "hubstack"
"""Field manager of what is applied."""


class StandIn(Protocol):
    """What looks at the cluster again and again."""

    def step(self, pods: list[Object]) -> None:
        """Process all pods once."""
        ...

    def stop(self) -> None:
        """End what it runs."""
        ...


MakeStandIns = Callable[[ControlPlane], Sequence[StandIn]]
"""Returns the kubelet, and what else watches the cluster."""


def only_said(plane: ControlPlane) -> Sequence[StandIn]:
    """Return the kubelet that runs nothing and says that all runs."""
    return (Kubelet(plane.api, now),)


class Sandbox:
    """A running control plane with its stand-ins; made by `running`."""

    def __init__(self, plane: ControlPlane, make: "MakeStandIns") -> None:
        self.plane, self.api, self.kubeconfig = plane, plane.api, plane.kubeconfig
        self.autoscaler = Autoscaler(plane.api, (), now)
        self.kubelet, *self._others = make(plane)
        self._disks = Disks(plane.api)
        self._stopped = threading.Event()
        self._failure: BaseException | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="stand-ins", daemon=True)

    def start(self) -> None:
        """Give the cluster its kinds, what GKE brings, and the controller of groups; start the stand-ins."""
        self.kubectl("apply", "--server-side", *(word for path in crd_files() for word in ("-f", str(path))))
        self.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        self.api.forget_kinds()
        self.kubectl("apply", "--server-side", "--validate=strict", "-f", str(HERE / "cluster"))
        start_group_controller(self.plane)
        self._thread.start()

    def stop(self) -> None:
        """Stop the stand-ins."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(10)
        for each in (self.kubelet, *self._others):
            each.stop()

    def use(self, pools: Iterable[Pool]) -> None:
        """Let the autoscaler make nodes of these pools only; all are in stock."""
        with self._lock:
            self.autoscaler.pools = {pool.name: pool for pool in pools}
            self.autoscaler.out_of_stock.clear()

    def set_out_of_stock(self, pools: Iterable[str]) -> None:
        """Take pools out of stock; the others are in stock."""
        with self._lock:
            self.autoscaler.out_of_stock = set(pools)

    def apply(self, path: Path, *options: str) -> str:
        """Apply files as a GitOps tool does: on the server's side, refusing fields that a kind does not have.

        Raises:
            SandboxError: the server refused something; the text is kubectl's.
        """
        return self.kubectl(
            "apply",
            "--server-side",
            "--validate=strict",
            f"--field-manager={MANAGER}",
            "-R",
            "-f",
            str(path),
            *options,
        )

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the pinned kubectl as the administrator and return what it prints."""
        done = subprocess.run(
            [str(self.plane.programs / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={"HOME": str(self.plane.folder), "PATH": "/bin"},
        )
        if done.returncode:
            raise SandboxError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def scale(self, workload: Object, replicas: int) -> None:
        """Set the replicas through the scale subresource, as an autoscaler does."""
        self.api.patch(workload, {"spec": {"replicas": replicas}}, subresource="/scale")

    def wait(self, what: str, is_done: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something holds; see `ControlPlane.wait`. A stand-in's failure is raised here."""

        def checked() -> bool:
            if self._failure is not None:
                raise self._failure
            return is_done()

        self.plane.wait(what, checked, seconds)

    def pods(self, namespace: str | None = None) -> list[Object]:
        """Return all pods."""
        return self.api.objects("v1", "Pod", namespace)

    def pool_of_pod(self, pod: Object, nodes: Mapping[str, Object] | None = None) -> str | None:
        """Return the name of the pool whose node a pod is bound to, None where it is pending."""
        name = pod["spec"].get("nodeName")
        if name is None:
            return None
        found = (nodes or self.nodes())[name]
        return found["metadata"]["labels"].get(POOL_LABEL)

    def add_node(self, pool: Pool, number: int = 0) -> Object:
        """Make one ready node of a pool, whatever the autoscaler thinks."""
        node = self.api.create(node_of(pool, number, pool.zones[0]))
        return self.api.patch(node, node_status(pool, now()), subresource="/status")

    @contextmanager
    def paused(self) -> Generator[None]:
        """Hold the stand-ins: no pod gets ready, none is gone, no node is made."""
        with self._lock:
            yield

    def nodes(self) -> dict[str, Object]:
        """Return all nodes by name."""
        return {node["metadata"]["name"]: node for node in self.api.objects("v1", "Node")}

    def empty(self) -> None:
        """Remove all that was applied, and all nodes: the cluster is as it was at the start."""
        self.use(())
        ours = [space for space in self.api.objects("v1", "Namespace") if not _is_own(space)]
        for space in ours:
            self._delete_workloads(space["metadata"]["name"])
            self.api.delete(space)
        for value in self.api.objects("cloud.google.com/v1", "ComputeClass"):
            self.api.delete(value)
        for value in self.api.objects("storage.k8s.io/v1", "StorageClass"):
            if value["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "hubstack":
                self.api.delete(value)
        self.wait("namespaces are removed", lambda: all(map(_is_own, self.api.objects("v1", "Namespace"))), 90)
        for node in self.nodes().values():
            self.api.delete(node)

    def _delete_workloads(self, namespace: str) -> None:
        for version, kind in (("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"), ("apps/v1", "Deployment")):
            for value in self.api.objects(version, kind, namespace):
                self.api.delete(value)

    def _run(self) -> None:
        # A client of its own: the other one is used by the caller's thread.
        while not self._stopped.wait(STEP_SECONDS):
            try:
                with self._lock:
                    pods = self.pods()
                    for each in (self.kubelet, *self._others):
                        each.step(pods)
                    self._disks.step()
                    self.autoscaler.step(pods)
            except ApiError as error:
                if error.status not in (404, 409):  # changed between look and act: the next look sees it
                    self._failure = error
                    return
            except BaseException as error:  # noqa: BLE001  told to whoever waits
                if not self._stopped.is_set():
                    self._failure = error
                return


@contextmanager
def running(say: Say = lambda _: None, make: MakeStandIns = only_said) -> Generator[Sandbox]:
    """Run a sandbox; it is stopped and its folder removed at the end, however that comes.

    Args:
        say: told what is done.
        make: the stand-ins that watch it.

    Raises:
        SandboxError: it could not be built or started.
    """
    built = programs(say)
    say("starting the control plane")
    with ControlPlane(built) as plane:
        sandbox = Sandbox(plane, make)
        try:
            sandbox.start()
            yield sandbox
        finally:
            sandbox.stop()


def _is_own(space: Object) -> bool:
    return space["metadata"]["name"] in ("default", "kube-system", "kube-public", "kube-node-lease")


def now() -> str:
    """Return the time as the API has it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
