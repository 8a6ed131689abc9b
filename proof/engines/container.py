# SPDX-License-Identifier: Apache-2.0
"""A rendered container, running: its command, arguments, environment, volumes and user, on a real engine.

Owns what stands in for a container runtime: namespaces of its own (mounts, processes, network, IPC, host name), a
root file system of this machine's programs that is read-only where the pod says so, the pod's user without
capabilities, and its volumes at their paths. So nothing of a rendered container is rewritten, its port included.
Does not own limits of memory and processor, the seccomp profile and the image's files: they are not applied. What a
processor needs in addition is in `processor.yaml`.
"""

import contextlib
import ctypes
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proof.api import Object
from proof.binaries import SandboxError
from proof.engines.install import Engines, processor

IMAGE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHARED = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc")
"""Of this machine, read-only: its programs stand for those of an image."""
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SHM = "/dev/shm"  # noqa: S108  the container's
_CLONE_NEWNET = 0x40000000
EXIT_SECONDS = 60
"""Longest wait for a container to be gone after the grace of its pod."""


@dataclass(frozen=True)
class Container:
    """The server of a rendered pod."""

    spec: Object
    """The container."""
    pod: Object
    """The pod's `spec`."""

    @classmethod
    def of(cls, workload: Object) -> "Container":
        """Return the server of a Deployment."""
        pod = workload["spec"]["template"]["spec"]
        (server,) = (each for each in pod["containers"] if each["name"] == "server")
        return cls(spec=server, pod=pod)

    @property
    def port(self) -> int:
        """Return the port that it says it listens on."""
        return self.spec["ports"][0]["containerPort"]

    @property
    def pre_stop_seconds(self) -> int:
        """Return how long the kubelet waits before SIGTERM."""
        return self.spec["lifecycle"]["preStop"]["sleep"]["seconds"]

    @property
    def grace_seconds(self) -> int:
        """Return how long the kubelet waits in all before SIGKILL."""
        return self.pod["terminationGracePeriodSeconds"]

    @property
    def words(self) -> list[str]:
        """Return command and arguments."""
        return [*self.spec["command"], *self.spec["args"]]


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


@dataclass
class Running:
    """A running container; made by `running`."""

    container: Container
    volumes: Path
    """Folder of its empty volumes, by name."""
    log: Path
    _process: subprocess.Popen[bytes]
    _first: int
    """Its first process, as this machine numbers it."""
    _network: int = field(repr=False)
    """File descriptor of its network namespace."""

    def get(self, path: str, timeout: float = 5) -> Answer:
        """Ask for a path."""
        return self._ask("GET", path, None, {}, timeout)

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None, timeout: float = 600) -> Answer:
        """Send JSON to a path."""
        return self._ask("POST", path, json.dumps(body), headers or {}, timeout)

    def stream(self, path: str, body: Any, timeout: float = 600) -> Iterator[Any]:
        """Send JSON to a path and yield the events of the answer, without the last word `[DONE]`.

        Raises:
            SandboxError: the stream ended without it.
        """
        with self._connection(timeout) as connection:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            for line in response:
                text = line.decode().strip()
                if text == "data: [DONE]":
                    return
                if text.startswith("data: "):
                    yield json.loads(text.removeprefix("data: "))
        raise SandboxError(f"the stream of {path} broke off")

    def passes(self, probe: Object) -> bool:
        """Return whether an HTTP probe succeeds now, by the kubelet's rules."""
        asked = probe["httpGet"]
        try:
            answer = self._ask("GET", asked["path"], None, {}, probe["timeoutSeconds"], asked["port"])
        except (OSError, http.client.HTTPException):
            return False
        return 200 <= answer.status < 400

    def wait_started(self) -> float:
        """Probe as the kubelet does until the startup probe succeeds, and return the seconds that took.

        Raises:
            SandboxError: it ended, or was not ready within the probe's window.
        """
        probe, began = self.container.spec["startupProbe"], time.monotonic()
        until = began + probe["periodSeconds"] * probe["failureThreshold"]
        while not self.passes(probe):
            if self.exit_code is not None:
                raise SandboxError(f"it ended with code {self.exit_code}:\n{self.tail()}")
            if time.monotonic() > until:
                raise SandboxError(f"it did not start within its probe's window:\n{self.tail()}")
            time.sleep(0.5)
        return time.monotonic() - began

    def terminate(self) -> None:
        """Send SIGTERM to its first process, as the kubelet does after the preStop hook."""
        os.kill(self._first, signal.SIGTERM)

    def wait_ended(self, seconds: float) -> bool:
        """Return whether it ended within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def status(self) -> dict[str, str]:
        """Return what the kernel says of its first process: user, groups, capabilities."""
        lines = Path(f"/proc/{self._first}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @property
    def command_line(self) -> list[str]:
        """Return the words that its first process was started with."""
        return Path(f"/proc/{self._first}/cmdline").read_text().rstrip("\0").split("\0")

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that its first process was started with."""
        pairs = Path(f"/proc/{self._first}/environ").read_text().rstrip("\0").split("\0")
        return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}

    @property
    def writable(self) -> set[str]:
        """Return the mount points that are not read-only."""
        lines = Path(f"/proc/{self._first}/mountinfo").read_text().splitlines()
        mounts = {fields[4]: fields[5].split(",") for fields in (line.split() for line in lines)}
        return {path for path, options in mounts.items() if "ro" not in options}

    @property
    def exit_code(self) -> int | None:
        """Return how it ended; None while it runs."""
        return self._process.poll()

    def tail(self, lines: int = 25) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _ask(
        self,
        method: str,
        path: str,
        body: str | None,
        headers: Mapping[str, str],
        timeout: float,
        port: int | None = None,
    ) -> Answer:
        with self._connection(timeout, port) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())

    @contextlib.contextmanager
    def _connection(self, timeout: float, port: int | None = None) -> Generator[http.client.HTTPConnection]:
        address = ("127.0.0.1", port or self.container.port)
        connection = http.client.HTTPConnection(*address, timeout=timeout)
        connection.sock = _inside(self._network, lambda: socket.create_connection(address, timeout=timeout))
        try:
            yield connection
        finally:
            connection.close()


@contextlib.contextmanager
def running(
    container: Container, engines: Engines, sources: Mapping[str, Path], folder: Path | None = None
) -> Generator[Running]:
    """Start a container and yield it; it is gone afterwards.

    Args:
        container: rendered.
        engines: installed.
        sources: folder of each volume that is not empty at the start, by its name.
        folder: where its empty volumes and its log are; a new one by default.

    Raises:
        SandboxError: this machine does not allow it.
    """
    if os.geteuid() != 0:
        raise SandboxError("containers need root here: they get namespaces and a user of their own")
    with tempfile.TemporaryDirectory(prefix="container-", dir=folder) as made:
        place = Path(made)
        place.chmod(0o755)
        (place / "root").mkdir()
        script = place / "start.sh"
        script.write_text(_script(container, engines, sources, place))
        log = place / "log"
        namespaces = ("--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child")
        # The kernel ends it when we are killed; with its first process all the others end.
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", *namespaces, "/bin/sh", str(script)]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            first = _child(process, log)
            network = os.open(f"/proc/{first}/ns/net", os.O_RDONLY)
            try:
                yield Running(container, place / "volumes", log, process, first, network)
            finally:
                os.close(network)
        finally:
            process.kill()
            process.wait(EXIT_SECONDS)


def _script(container: Container, engines: Engines, sources: Mapping[str, Path], place: Path) -> str:
    root, spec, pod = place / "root", container.spec, container.pod
    lines = ["set -e", "mount --make-rprivate /", f"mount -t tmpfs -o mode=755 image {root}"]
    for name in _SHARED:
        path = Path("/") / name
        if path.is_symlink():
            lines.append(f"ln -s {path.readlink()} {root}{path}")
        elif path.is_dir():
            lines += _bind(path, f"{root}{path}", is_read_only=True)
    lines += [f"mkdir -p {root}/proc {root}/dev", f"mount -t proc proc {root}/proc"]
    lines.append(f"mkdir {root}/sys; mount -t sysfs -o ro sysfs {root}/sys")
    lines += [f"touch {root}/dev/{name}; mount --bind /dev/{name} {root}/dev/{name}" for name in _DEVICES]
    shared, shared_bytes = f"{root}{_SHM}", processor(Path(spec["command"][0]).name).shared_memory_bytes
    lines += [f"mkdir {shared}", f"mount -t tmpfs -o mode=1777,size={shared_bytes} shm {shared}"]
    lines += _absolute_program(spec["command"][0], engines, root)
    for mount in spec["volumeMounts"]:
        lines += _volume(mount, pod, sources, place)
    for path in engines.reads:  # after the volumes, below whose paths the clone may be
        lines += _bind(path, f"{root}{path}", is_read_only=True)
    security = spec["securityContext"]
    if security.get("readOnlyRootFilesystem"):
        lines.append(f"mount -o remount,ro,bind {root}")
    lines += [
        "ip link set lo up",
        f"cd {root}",
        f"exec chroot . {_as_user(container)} {_words(container, engines)}",
    ]
    return "\n".join(lines) + "\n"


def _bind(source: Path, target: str, *, is_read_only: bool) -> list[str]:
    return [f"mkdir -p {target}", *_bound(source, target, is_read_only=is_read_only)]


def _bound(source: Path, target: str, *, is_read_only: bool) -> list[str]:
    made = [f"mount --bind {source} {target}"]
    return [*made, f"mount -o remount,ro,bind {target}"] if is_read_only else made


def _absolute_program(program: str, engines: Engines, root: Path) -> list[str]:
    """Put a program where the image has it, if the command names its path."""
    if not program.startswith("/") or Path(program).exists():
        return []
    source, target = engines.programs / Path(program).name, f"{root}{program}"
    return [f"mkdir -p {Path(target).parent}", f"touch {target}", *_bound(source, target, is_read_only=True)]


def _volume(mount: Object, pod: Object, sources: Mapping[str, Path], place: Path) -> list[str]:
    name, target = mount["name"], f"{place / 'root'}{mount['mountPath']}"
    (volume,) = (each for each in pod["volumes"] if each["name"] == name)
    if "emptyDir" in volume:
        group = pod["securityContext"].get("fsGroup", 0)
        folder = place / "volumes" / name
        folder.mkdir(parents=True)
        os.chown(folder, 0, group)
        folder.chmod(0o2777)
        return _bind(folder, target, is_read_only=mount.get("readOnly", False))
    return _bind(sources[name], target, is_read_only=mount.get("readOnly", False))


def _as_user(container: Container) -> str:
    said = container.pod["securityContext"] | container.spec["securityContext"]
    options = [
        f"--reuid={said['runAsUser']}",
        f"--regid={said.get('runAsGroup', 0)}",
        f"--groups={said['fsGroup']}" if "fsGroup" in said else "--clear-groups",
        "--inh-caps=-all",
        "--ambient-caps=-all",
        "--bounding-set=-all",
    ]
    if said.get("allowPrivilegeEscalation") is False:
        options.append("--no-new-privs")
    return f"setpriv {shlex.join(options)}"


def _words(container: Container, engines: Engines) -> str:
    elsewhere = [each["name"] for each in container.spec["env"] if "valueFrom" in each]
    if elsewhere:
        raise SandboxError(f"{', '.join(elsewhere)} would come from the cluster, which is not here")
    own = {each["name"]: each["value"] for each in container.spec["env"]}
    path = own.pop("PATH", IMAGE_PATH)
    environment = {"PATH": f"{engines.programs}:{path}", "HOSTNAME": "server", **own}
    pairs = [f"{name}={value}" for name, value in environment.items()]
    return f"env -i {shlex.join(pairs)} {shlex.join(container.words)}"


def _child(process: subprocess.Popen[bytes], log: Path) -> int:
    """Return the first process of a container, once it is in its namespaces."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(200):
        if process.poll() is not None:
            raise SandboxError(f"the container could not be started:\n{log.read_text(errors='replace')}")
        children: Sequence[str] = listed.read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.05)
    raise SandboxError("the container was not started within 10 s")


def _inside(namespace: int, act: Callable[[], socket.socket]) -> socket.socket:
    """Do something in a network namespace: in a thread of its own, since it would not come back."""
    made: list[socket.socket | BaseException] = []

    def run() -> None:
        try:
            _enter(namespace)
            made.append(act())
        except BaseException as error:  # noqa: BLE001  raised again in the caller's thread
            made.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (result,) = made
    if isinstance(result, BaseException):
        raise result
    return result


def _enter(namespace: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
