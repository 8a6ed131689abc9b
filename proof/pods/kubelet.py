# SPDX-License-Identifier: Apache-2.0
"""Our stand-in for the kubelets that runs pods: each container is a local process.

Owns the life of a pod as Kubernetes describes it: init containers one after the other, sidecars beside them,
restarts by `restartPolicy`, probes (the startup probe first), `preStop`, SIGTERM, the grace period, SIGKILL, status
of it. The first restart comes after one second instead of ten, and no resource limit holds.
"""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import yaml

from proof.api import Api, ApiError, Object
from proof.binaries import SandboxError
from proof.pods.addresses import Addresses, Relay
from proof.pods.container import Launch, Place, launch, mounts_of
from proof.pods.images import Image, image_of
from proof.pods.kubelet_api import KubeletApi
from proof.pods.probes import Target, ask
from proof.pods.volumes import FindBucket, ReadSecret, Volumes, account_token, data_of
from proof.processes import Child, free_ports

TICK_SECONDS = 0.1
FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 1, 30
REFRESH_SECONDS = 1
SIDECAR_SECONDS = 2
"""For the sidecars, once the containers have ended."""
HOST_IP = "10.128.0.2"
_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What all pods share."""

    api: Api
    folder: Path
    """Of the pods' files and logs."""
    find_bucket: FindBucket
    words: Mapping[str, str]
    """What braces in images.yaml stand for, apart from a pod's own."""
    now: Callable[[], str]
    read_secret: ReadSecret
    kubeconfig: Callable[[str], Object]
    """Returns a kubeconfig with a token."""
    certificate: tuple[Path, Path]
    """Certificate and key of the kubelets' own server."""
    prefix: tuple[str, ...] = ()
    """Words before every command, which make it see more of the cluster than this machine does."""
    addresses: Addresses = field(default_factory=Addresses)
    relay: Relay = field(default_factory=Relay)


class ProcessKubelet:
    """All nodes' kubelets in one."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._runs: dict[str, PodRun] = {}
        self._nodes: set[str] = set()
        machine.folder.mkdir(parents=True, exist_ok=True)
        self._server = KubeletApi(*machine.certificate, self._find_log)

    def step(self, pods: list[Object]) -> None:
        """Process all pods once."""
        for pod in pods:
            self._look(pod)
        there = {pod["metadata"]["uid"] for pod in pods}
        for uid in self._runs.keys() - there:
            self._runs.pop(uid).kill()

    def log(self, pod: Object, container: str) -> str:
        """Return what a container has printed."""
        return log_path(self._machine.folder, pod, container).read_text(errors="replace")

    def kill(self, pod: Object, container: str) -> None:
        """Kill a container's process, as a kernel out of memory does."""
        self._runs[pod["metadata"]["uid"]].kill_container(container)

    def stop(self) -> None:
        """Kill all that runs."""
        for run in self._runs.values():
            run.kill()
        self._runs.clear()
        self._machine.relay.stop()
        self._server.stop()

    def _look(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        run = self._runs.get(uid)
        is_going = "deletionTimestamp" in pod["metadata"]
        if run is None and not is_going and pod["spec"].get("nodeName") and pod["status"]["phase"] == "Pending":
            self._register(pod["spec"]["nodeName"])
            run = self._runs[uid] = PodRun(self._machine, pod)
            run.start()
        if run is not None:
            self._report(pod, run)
        if is_going:
            if run is None or run.is_ended():
                self._machine.api.delete(pod, now=True)
            else:
                run.end(pod["metadata"].get("deletionGracePeriodSeconds", 30))

    def _register(self, name: str) -> None:
        """Say once where a node's kubelet is asked."""
        if name in self._nodes:
            return
        endpoint = {"kubeletEndpoint": {"Port": self._server.port}}
        addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
        node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}
        status = {"status": {"addresses": addresses, "daemonEndpoints": endpoint}}
        self._machine.api.patch(node, status, subresource="/status")
        self._nodes.add(name)

    def _find_log(self, namespace: str, name: str, container: str) -> tuple[Path, Callable[[], bool]] | None:
        for run in list(self._runs.values()):
            metadata = run.pod["metadata"]
            if (metadata["namespace"], metadata["name"]) == (namespace, name):
                path = run.log(container)
                return (path, partial(run.may_print, container)) if path.exists() else None
        return None

    def _report(self, pod: Object, run: "PodRun") -> None:
        status = run.status_to_report()
        if status is None:
            return
        try:
            self._machine.api.patch(pod, {"status": status}, subresource="/status")
        except ApiError as error:
            if error.status not in (404, 409):  # gone, or changed meanwhile
                raise


class PodRun:
    """One pod on this machine."""

    def __init__(self, machine: Machine, pod: Object) -> None:
        self._machine, self._pod = machine, pod
        address = machine.addresses.take()
        pod["status"] |= {"podIP": address, "podIPs": [{"ip": address}], "hostIP": HOST_IP}
        self._address = machine.addresses.local(address)
        self._folder = machine.folder / pod["metadata"]["uid"]
        self._volumes = Volumes(
            machine.api, pod, self._folder / "volumes", machine.find_bucket, machine.read_secret
        )
        self._ending = threading.Event()
        self._deadline = 0.0
        self._started = machine.now()
        self._message = ""
        self._phase = "Pending"
        self._since: dict[str, tuple[bool, str]] = {}
        self._reported: Object | None = None
        self._places: list[tuple[str, int]] = []
        spec = pod["spec"]
        self._init = [ContainerRun(self, each, is_init=True) for each in spec.get("initContainers", ())]
        self._containers = [ContainerRun(self, each) for each in spec["containers"]]
        self._thread = threading.Thread(target=self._run, name=pod["metadata"]["name"], daemon=True)

    def start(self) -> None:
        """Start, in the background."""
        self._thread.start()

    def end(self, grace_seconds: float) -> None:
        """Ask the containers to end; again is nothing."""
        if not self._ending.is_set():
            self._deadline = time.monotonic() + grace_seconds
            self._ending.set()

    def is_ended(self) -> bool:
        """Return whether no process is left."""
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End now."""
        self._deadline = 0.0
        self._ending.set()
        self._thread.join(30)

    def kill_container(self, name: str) -> None:
        """Kill one container's process."""
        next(each for each in self._containers if each.name == name).kill()

    def may_print(self, name: str) -> bool:
        """Return whether a container may still run."""
        return any(each.name == name and each.is_alive() for each in (*self._init, *self._containers))

    def status_to_report(self) -> Object | None:
        """Return the status if it is another than the last one that was returned."""
        status = self._status()
        if status == self._reported:
            return None
        self._reported = status
        return status

    # What containers ask.

    @property
    def pod(self) -> Object:
        """The pod with its address."""
        return self._pod

    @property
    def address(self) -> str:
        """Where it is on this machine."""
        return self._address

    @property
    def ending(self) -> threading.Event:
        """Set once the pod is to end."""
        return self._ending

    def seconds_left(self) -> float:
        """Return how much of the grace period is left."""
        return max(0.0, self._deadline - time.monotonic())

    def now(self) -> str:
        """Return the time."""
        return self._machine.now()

    def log(self, container: str) -> Path:
        """Return the file of a container's output."""
        return log_path(self._machine.folder, self._pod, container)

    def image(self, reference: str) -> Image:
        """Return what stands for an image."""
        return image_of(reference, with_engines="engines" in self._machine.words)

    def launch(self, container: Object, image: Image, folders: Mapping[str, Path]) -> Launch:
        """Return what is started for a container."""
        words = {**self._machine.words, "address": self._address, **self._forward(image)}
        if image.wants_kubeconfig:
            words["kubeconfig"] = str(self._kubeconfig())
        folder = self._folder / "programs" / container["name"]
        place = Place(mounts=mounts_of(container, folders), folder=folder, words=words)
        made = launch(self._pod, container, image, self._read, place)
        return replace(made, command=(*self._machine.prefix, *made.command))

    def _forward(self, image: Image) -> dict[str, str]:
        """Return a free port for each that the image takes by a flag, with the pod's port forwarded to it."""
        found: dict[str, str] = {}
        for port, free in zip(image.ports, free_ports(len(image.ports)), strict=True):
            self._machine.relay.shut((self._address, port))
            self._machine.relay.open((self._address, port), lambda free=free: ("127.0.0.1", free))
            self._places.append((self._address, port))
            found[f"port:{port}"] = str(free)
        return found

    def _kubeconfig(self) -> Path:
        """Write a kubeconfig of the pod's account, in place of the one that a client finds inside of a pod."""
        token = account_token(self._machine.api, self._pod, {"expirationSeconds": 86400})
        path = self._folder / "kubeconfig"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(self._machine.kubeconfig(token)))
        return path

    def _run(self) -> None:
        try:
            folders = self._folders()
            for each in (*self._init, *self._containers):
                each.prepare(folders)
            self._phase = self._run_all()
        except (ApiError, SandboxError, KeyError, OSError) as error:
            # As a kubelet does: the pod waits for somebody to mend what it names.
            self._message = str(error)
            self._ending.wait()
        except Exception as error:  # noqa: BLE001  a defect of ours is seen in the pod's status, not only in a thread
            self._message = f"the stand-in failed: {type(error).__name__}: {error}"
            self._ending.wait()
        finally:
            self.end(SIDECAR_SECONDS)
            for each in reversed(self._init):
                each.join()
            for place in self._places:
                self._machine.relay.shut(place)

    def _run_all(self) -> str:
        """Run the containers in their order; return the phase at the end."""
        for each in self._init:
            if each.is_sidecar:
                each.start()
                each.wait_started()
            elif not self._is_done(each):
                return "Failed"
        self._phase = "Running"
        for each in self._containers:
            each.start()
        while any(each.is_alive() for each in self._containers):
            self._volumes.refresh()
            self._containers[0].join(REFRESH_SECONDS)
        return "Succeeded" if all(each.code == 0 for each in self._containers) else "Failed"

    def _is_done(self, container: "ContainerRun") -> bool:
        container.run()
        return container.code == 0

    def _folders(self) -> dict[str, Path]:
        """Return the volumes; what they name may come later, as it may for a kubelet."""
        while True:
            try:
                return self._volumes.folders()
            except ApiError as error:
                if error.status != 404:
                    raise
                self._message = str(error)
            if self._ending.wait(1):
                raise SandboxError(self._message)

    def _read(self, kind: str, name: str) -> Mapping[str, bytes]:
        metadata = {"name": name, "namespace": self._pod["metadata"]["namespace"]}
        return data_of(self._machine.api.get({"apiVersion": "v1", "kind": kind, "metadata": metadata}))

    def _status(self) -> Object:
        is_ready = self._phase == "Running" and all(each.is_ready for each in self._containers)
        truths: dict[str, bool] = dict.fromkeys(_CONDITIONS, True)
        truths |= {"Initialized": self._phase != "Pending", "Ready": is_ready, "ContainersReady": is_ready}
        for name, truth in truths.items():
            if self._since.get(name, (None,))[0] is not truth:
                self._since[name] = (truth, self._machine.now())
        return {
            "phase": self._phase,
            "startTime": self._started,
            **({"message": self._message} if self._message else {}),
            **{key: self._pod["status"][key] for key in ("hostIP", "podIP", "podIPs")},
            "conditions": [
                {"type": name, "status": str(truth), "lastTransitionTime": since}
                for name, (truth, since) in self._since.items()
            ],
            "initContainerStatuses": [each.status() for each in self._init],
            "containerStatuses": [each.status() for each in self._containers],
        }


class ContainerRun:
    """One container: its process, as often as it is started."""

    code: int | None = None
    """Of the last end."""
    is_ready = False
    is_started = False

    def __init__(self, pod: PodRun, container: Object, *, is_init: bool = False) -> None:
        self._pod, self._container = pod, container
        self.name: str = container["name"]
        self.is_sidecar = is_init and container.get("restartPolicy") == "Always"
        policy = pod.pod["spec"].get("restartPolicy", "Always")
        if self.is_sidecar:
            policy = "Always"
        elif is_init and policy == "Always":
            policy = "OnFailure"
        self._policy = policy
        self._restarts = 0
        self._state: Object = {"waiting": {"reason": "PodInitializing"}}
        self._last: Object = {}
        self._child: Child | None = None
        self._thread = threading.Thread(target=self.run, name=self.name, daemon=True)

    def prepare(self, folders: Mapping[str, Path]) -> None:
        """Find out what is started.

        Raises:
            SandboxError: nothing here stands for its image, or what it names is not there.
        """
        self._image = self._pod.image(self._container["image"])
        self._launch = self._pod.launch(self._container, self._image, folders)
        self._target = Target(container=self._container, address=self._pod.address, launch=self._launch)

    def start(self) -> None:
        """Run in the background."""
        self._thread.start()

    def is_alive(self) -> bool:
        """Return whether it may still run."""
        return self._thread.is_alive()

    def join(self, seconds: float | None = None) -> None:
        """Wait for its end."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def wait_started(self) -> None:
        """Wait until a sidecar has started."""
        while not self.is_started and not self._pod.ending.is_set() and self._thread.is_alive():
            time.sleep(TICK_SECONDS)

    def kill(self) -> None:
        """Kill the process."""
        if self._child is not None:
            self._child.send(signal.SIGKILL)

    def run(self) -> None:
        """Start the process, and again where the policy says so, until the pod ends."""
        backoff = FIRST_BACKOFF_SECONDS
        while not self._pod.ending.is_set():
            self._run_once()
            failed = self.code != 0
            if self._policy == "Never" or (self._policy == "OnFailure" and not failed):
                return
            if self._pod.ending.is_set():
                return
            self._last, self._state = self._state, {"waiting": {"reason": "CrashLoopBackOff"}}
            self._pod.ending.wait(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
            self._restarts += 1

    def status(self) -> Object:
        """Return what the API says of it."""
        return {
            "name": self.name,
            "image": self._container["image"],
            "imageID": "",
            "restartCount": self._restarts,
            "ready": self.is_ready,
            "started": self.is_started,
            "state": self._state,
            "lastState": self._last,
        }

    def _run_once(self) -> None:
        since = self._pod.now()
        self._child = Child(self._launch.command, self._pod.log(self.name), self._launch.environment)
        self._state = {"running": {"startedAt": since}}
        try:
            self._watch(self._child)
            code = self._child.poll()
            assert code is not None  # noqa: S101  it has ended
        finally:
            self._child.close()
            self.is_ready = self.is_started = False
        self.code = code if code >= 0 else 128 - code
        reason = "Completed" if self.code == 0 else "Error"
        ended = {"exitCode": self.code, "reason": reason, "startedAt": since, "finishedAt": self._pod.now()}
        self._state = {"terminated": ended}

    def _watch(self, child: Child) -> None:
        """Ask the probes until the process ends or has to."""
        probes = {kind: Probe(self._container.get(f"{kind}Probe"), self._target, self._image) for kind in _PROBES}
        while child.poll() is None:
            if self._pod.ending.is_set():
                self._terminate(child, self._pod.seconds_left)
                return
            self.is_started = self.is_started or probes["startup"].step(default=True) is True
            if probes["startup"].has_failed or (self.is_started and probes["liveness"].step(default=True) is False):
                self.is_ready = False
                self._terminate(child, _countdown(self._pod.pod["spec"].get("terminationGracePeriodSeconds", 30)))
                return
            self.is_ready = self.is_started and probes["readiness"].step(default=True) is True
            time.sleep(TICK_SECONDS)

    def _terminate(self, child: Child, seconds_left: Callable[[], float]) -> None:
        """Run `preStop`, send SIGTERM, and SIGKILL at the end of the grace period."""
        hook = self._container.get("lifecycle", {}).get("preStop")
        if hook and "sleep" in hook:
            sleep_left = _countdown(hook["sleep"]["seconds"])
            _wait_for_end(child, lambda: min(sleep_left(), seconds_left()))
        elif hook:
            ask(hook, self._target, max(1, seconds_left()))
        child.send(signal.SIGTERM)
        _wait_for_end(child, seconds_left)
        child.send(signal.SIGKILL)
        _wait_for_end(child, lambda: 1)


_PROBES = ("startup", "readiness", "liveness")


class Probe:
    """One probe of one start of a container."""

    def __init__(self, said: Object | None, target: Target, image: Image) -> None:
        self._said = None if image.is_idle else said
        self._target = target
        self._next = time.monotonic() + (said or {}).get("initialDelaySeconds", 0)
        self._successes = self._failures = 0
        self._holds: bool | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it has failed as often as it may."""
        return self._holds is False

    def step(self, *, default: bool) -> bool | None:
        """Ask if it is time; return what holds, None before the first verdict, the default without a probe."""
        if self._said is None:
            return default
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self._said.get("periodSeconds", 10)
            if ask(self._said, self._target, self._said.get("timeoutSeconds", 1)):
                self._successes, self._failures = self._successes + 1, 0
                if self._successes >= self._said.get("successThreshold", 1):
                    self._holds = True
            else:
                self._successes, self._failures = 0, self._failures + 1
                if self._failures >= self._said.get("failureThreshold", 3):
                    self._holds = False
        return self._holds


def log_path(folder: Path, pod: Object, container: str) -> Path:
    """Return the file of a container's output."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    return logs / f"{pod['metadata']['namespace']}_{pod['metadata']['name']}_{container}.log"


def _countdown(seconds: float) -> Callable[[], float]:
    """Return a function that says how much of the time is left."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())


def _wait_for_end(child: Child, seconds_left: Callable[[], float]) -> None:
    while child.poll() is None and seconds_left() > 0:
        time.sleep(TICK_SECONDS / 2)
