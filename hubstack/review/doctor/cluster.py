# SPDX-License-Identifier: Apache-2.0
"""Reads what a cluster says about a stack's pods: through kubectl, or from a folder written before.

Owns which objects and how much of each log is read, and the folder's form. Everything is stored and returned
without what looks like a secret. Nothing in the cluster is changed.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.secrets import without_secrets
from hubstack.files.write import write_text_atomically
from hubstack.review.kubectl import Kubectl

KINDS = ("pods", "events", "jobs")
CLASSES = "computeclasses.cloud.google.com"
_LOG_LINES, _LOG_BYTES = 400, 400_000
_LEFT_OUT = {"env", "managedFields", "kubectl.kubernetes.io/last-applied-configuration"}
"""Keys with values of variables; the annotation holds the whole object once more."""
_SECRET_FLAG = re.compile(r"(?i)--?[a-z-]*(key|token|secret|password)")
"""A flag whose value is the next word."""
_DEEPEST = 100
"""Levels of an object that are read; those of Kubernetes have a few dozen."""

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterState:
    """What was read."""

    objects: Mapping[str, list[Object]]
    """Kind to objects."""
    logs: Mapping[str, str]
    """`POD/CONTAINER`, or `POD/CONTAINER/previous`, to the end of its log."""

    def write(self, folder: Path) -> None:
        """Write a folder that `read_folder` reads, to look at it elsewhere."""
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        for kind, items in self.objects.items():
            text = json.dumps({"items": items}, indent=1, ensure_ascii=False)
            write_text_atomically(folder / f"{kind}.json", f"{text}\n")
        for name, text in self.logs.items():
            write_text_atomically(folder / "logs" / f"{name.replace('/', '--')}.log", text)


def read_cluster(kubectl: Kubectl, namespaces: Iterable[str]) -> ClusterState:
    """Return the state of the namespaces that hold models.

    Raises:
        InputError: kubectl is missing, or the cluster refuses.
    """
    objects: dict[str, list[Object]] = {kind: [] for kind in KINDS}
    logs: dict[str, str] = {}
    for namespace in namespaces:
        here = kubectl.within(namespace)
        found = {kind: [_cleaned(each) for each in here.objects(kind)] for kind in KINDS}
        for kind, items in found.items():
            objects[kind] += items
        logs |= _logs_of(here, found["pods"])
    said = kubectl.maybe("get", CLASSES, "--output", "json")
    objects[CLASSES] = [_cleaned(each) for each in _items(said or "{}")]
    return ClusterState(objects=objects, logs=logs)


def _logs_of(kubectl: Kubectl, pods: list[Object]) -> dict[str, str]:
    logs: dict[str, str] = {}
    for pod in pods:
        if is_ready(pod) or part(pod, "status").get("phase") == "Succeeded":
            continue
        for status in rows(pod, "status", "containerStatuses"):
            logs |= _logs(kubectl, name_of(pod), status)
    return logs


def _logs(kubectl: Kubectl, pod: str, status: Object) -> dict[str, str]:
    container, found = str(status.get("name")), dict[str, str]()
    words = ["logs", pod, "--container", container, f"--tail={_LOG_LINES}", f"--limit-bytes={_LOG_BYTES}"]
    if status.get("restartCount") and (said := kubectl.maybe(*words, "--previous")):
        found[f"{pod}/{container}/previous"] = without_secrets(said)
    state = part(status, "state")
    if ("running" in state or "terminated" in state) and (said := kubectl.maybe(*words)):
        found[f"{pod}/{container}"] = without_secrets(said)
    return found


def read_folder(folder: Path) -> ClusterState:
    """Return the state that a folder holds.

    Raises:
        InputError: it has no pods.json, or a file is not what `kubectl get -o json` prints.
    """
    path = folder / "pods.json"
    if not path.is_file():
        message = "has no pods.json"
        hint = "write the folder with `hubstack doctor ENV --save DIR` where kubectl reaches the cluster"
        raise InputError([Problem(path=str(folder), message=message, hint=hint)])
    objects: dict[str, list[Object]] = {}
    for kind in (*KINDS, CLASSES):
        file = folder / f"{kind}.json"
        objects[kind] = [_cleaned(each) for each in _items(_text(file), file)] if file.is_file() else []
    logs = {
        file.name.removesuffix(".log").replace("--", "/"): without_secrets(_text(file))
        for file in sorted((folder / "logs").glob("*.log"))
    }
    return ClusterState(objects=objects, logs=logs)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError([Problem(path=str(path), message=f"cannot be read: {error.strerror}")]) from None


def _items(text: str, path: Path | None = None) -> list[Object]:
    try:
        said: Any = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        message, hint = "is not what kubectl prints", "kubectl get pods --output json > pods.json"
        raise InputError([Problem(path=str(path or "kubectl"), message=message, hint=hint)])
    return rows(cast("Object", said), "items")


def _cleaned(value: Any, depth: int = 0) -> Any:
    """Return an object without secrets: no environment of containers, and no text that looks like one."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        return {key: _cleaned(each, depth + 1) for key, each in found.items() if key not in _LEFT_OUT}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        secret = [isinstance(each, str) and _SECRET_FLAG.fullmatch(each) is not None for each in items]
        return ["***" if at and secret[at - 1] else _cleaned(each, depth + 1) for at, each in enumerate(items)]
    return without_secrets(value) if isinstance(value, str) else value


def part(value: Object, *path: str) -> Object:
    """Return the mapping at a path of an object; empty if there is none."""
    for key in path:
        found: Any = value.get(key)
        value = cast("Object", found) if isinstance(found, dict) else {}
    return value


def rows(value: Object, *path: str) -> list[Object]:
    """Return the mappings in the list at a path of an object; empty if there is none."""
    found: Any = part(value, *path[:-1]).get(path[-1])
    listed = cast("list[Any]", found) if isinstance(found, list) else []
    return [cast("Object", each) for each in listed if isinstance(each, dict)]


def name_of(item: Object) -> str:
    """Return an object's name."""
    return str(part(item, "metadata").get("name", ""))


def is_ready(pod: Object) -> bool:
    """Return whether a pod's condition says that it is ready."""
    conditions = rows(pod, "status", "conditions")
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)
