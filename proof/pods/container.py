# SPDX-License-Identifier: Apache-2.0
"""A container as a local process: its command, its environment, its paths.

Owns Kubernetes' rules for them: `command` replaces the entrypoint, `$(NAME)` is a variable, values are of fields,
ConfigMaps and Secrets. A path of a mount is replaced by the volume's folder. Our own environment is not passed on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from proof.api import Object
from proof.binaries import SandboxError
from proof.pods.images import Image
from proof.quantity import amount

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IDLE = ("/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done")
_VARIABLE = re.compile(r"\$(\$?)\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")

ReadData = Callable[[str, str], Mapping[str, bytes]]
"""Returns the content of a ConfigMap or Secret by kind and name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What is started."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: Mapping[str, Path]
    """Path in the container to the folder that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a container is on this machine."""

    mounts: Mapping[str, Path]
    folder: Path
    """For its image's programs."""
    words: Mapping[str, str]
    """What braces in images.yaml stand for."""


def launch(pod: Object, container: Object, image: Image, read_data: ReadData, place: Place) -> Launch:
    """Return what is started for a container, with its image's programs written to its folder.

    Args:
        pod: with its status, for the address.
        container: of the pod.
        image: its row.
        read_data: of ConfigMaps and Secrets.
        place: where it is.
    """
    mounts, folder, words = place.mounts, place.folder, place.words
    values = environment(pod, container, read_data)
    if image.is_idle:
        return Launch(command=_IDLE, environment={"PATH": SYSTEM_PATH}, mounts=mounts)
    command = [expand(word, values) for word in container.get("command", ())]
    arguments = [expand(word, values) for word in container.get("args", ())]
    folder.mkdir(parents=True, exist_ok=True)
    for name, script in image.programs.items():
        _write_script(folder / name, script, place)
    found = [remap(word, mounts) for word in (*command, *arguments)]
    if not command:
        found.insert(0, _write_script(folder / "entrypoint", _entrypoint(image), place))
    elif Path(command[0]).name in image.programs:
        found[0] = str(folder / Path(command[0]).name)
    inside = {name: remap(value, mounts) for name, value in values.items()}
    path = f"{folder}:{inside.get('PATH') or SYSTEM_PATH}"
    added = {name: _filled(value, words) for name, value in image.environment.items()}
    host = {"HOSTNAME": pod["metadata"]["name"], "HOME": "/"}
    # `env` looks a program up by the container's PATH, not by ours.
    return Launch(
        command=("/usr/bin/env", *found), environment={**host, **inside, **added, "PATH": path}, mounts=mounts
    )


def environment(pod: Object, container: Object, read_data: ReadData) -> dict[str, str]:
    """Return a container's variables."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        kind, reference = (
            ("ConfigMap", source["configMapRef"]) if "configMapRef" in source else ("Secret", source["secretRef"])
        )
        held = {name: value.decode() for name, value in read_data(kind, reference["name"]).items()}
        found |= {source.get("prefix", "") + name: value for name, value in held.items()}
    for row in container.get("env", ()):
        if "valueFrom" in row:
            value = _value_from(pod, container, row["valueFrom"], read_data)
            if value is None:
                continue
            found[row["name"]] = value
        else:
            found[row["name"]] = expand(row.get("value", ""), found)
    return found


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$(NAME)` and names that are not there stay as they are, as in Kubernetes."""

    def value(match: re.Match[str]) -> str:
        return match[0][1:] if match[1] else values.get(match[2], match[0])

    return _VARIABLE.sub(value, text)


def remap(text: str, mounts: Mapping[str, Path]) -> str:
    """Replace the paths of mounts, wherever they stand as whole parts of a path."""
    if not mounts:
        return text
    longest_first = sorted(mounts, key=len, reverse=True)
    pattern = rf"(?<![\w./-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w.-])"
    return re.sub(pattern, lambda match: str(mounts[match[0]]), text)


def mounts_of(container: Object, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Return path in the container to folder."""
    return {
        each["mountPath"].rstrip("/"): folders[each["name"]] / each["subPath"]
        if each.get("subPath")
        else folders[each["name"]]
        for each in container.get("volumeMounts", ())
    }


def port_number(container: Object, port: int | str) -> int:
    """Return the number of a port that a probe names."""
    if isinstance(port, int):
        return port
    named = {each.get("name"): each["containerPort"] for each in container.get("ports", ())}
    return named[port] if port in named else int(port)


def _value_from(pod: Object, container: Object, source: Object, read_data: ReadData) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return _resource(container, source["resourceFieldRef"])
    kind = "ConfigMap" if "configMapKeyRef" in source else "Secret"
    reference = source["configMapKeyRef" if kind == "ConfigMap" else "secretKeyRef"]
    try:
        return read_data(kind, reference["name"])[reference["key"]].decode()
    except KeyError:
        if reference.get("optional"):
            return None
        raise SandboxError(f"{kind} {reference['name']} has no key {reference['key']}") from None


def field_value(pod: Object, path: str) -> str:
    """Return a field of a pod, as the downward API names it."""
    keyed = _KEYED.fullmatch(path)
    if keyed:
        return pod["metadata"].get(keyed[1], {}).get(keyed[2], "")
    found: object = pod
    for part in path.split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return str(found)


def _resource(container: Object, reference: Object) -> str:
    kind, _, name = reference["resource"].partition(".")
    value = amount(container.get("resources", {}).get(kind, {})[name])
    return str(-(-value // amount(reference.get("divisor", "1"))))


def _entrypoint(image: Image) -> str:
    if image.entrypoint is None:
        raise SandboxError(f"a container of {image.image} has no command, and images.yaml no entrypoint for it")
    return image.entrypoint


def _write_script(path: Path, script: str, place: Place) -> str:
    path.write_text(f"#!/bin/sh\n{_filled(remap(script, place.mounts), place.words)}\n")
    path.chmod(0o755)
    return str(path)


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"(?<!\$)\{([a-z]+(?::\d+)?)\}", lambda match: words[match[1]], text)
