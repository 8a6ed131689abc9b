# SPDX-License-Identifier: Apache-2.0
"""Traces the path that a server loads to the Hub repository that was downloaded there.

Owns what of a pod may download, and the comparison of paths through volumes.
"""

import contextlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from hubstack.inputs.init.command_line import Commands, Word, commands, variables
from hubstack.inputs.init.downloads import Download, downloads
from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.workloads import ConfigMaps, Workload, mounted_files


@dataclass(frozen=True, slots=True)
class Source:
    """A download, and where its path is: a volume and the path in it."""

    download: Download
    place: tuple[str, str]


def sources_of(workload: Workload, container: Part, run: Commands, maps: ConfigMaps) -> list[Source]:
    """Return what the container and its pod's init containers download from the Hub."""
    runs = [(container, run)]
    for each in workload.pod.at("initContainers").items():
        env = variables(each, workload.namespace, maps)
        with contextlib.suppress(ValueError):  # an unclosed quote
            runs.append((each, commands(each, env, mounted_files(workload, each, maps))))
    return [
        Source(each, _place(part, each.path))
        for part, ran in runs
        for line in ran.lines
        for each in downloads([word.text for word in line.words], ran.files)
    ]


def _place(container: Part, path: str) -> tuple[str, str]:
    """Return the volume that a path of a container is on, empty for none, and the path in it."""
    path = posixpath.normpath(path) if path else ""
    mounts = sorted(container.at("volumeMounts").items(), key=lambda each: -len(each.at("mountPath").text))
    for mount in mounts:
        at = mount.at("mountPath").text.rstrip("/")
        if at and (path == at or path.startswith(f"{at}/")):
            return mount.at("name").text, posixpath.normpath(f"{mount.at('subPath').text or '.'}/{path[len(at) :]}")
    return "", path


def staged_from(container: Part, model: Word | None, sources: Sequence[Source]) -> tuple[Download, str] | None:
    """Return the download that the model's path comes from, and the file in the repository that it names."""
    if model is None or not model.text.startswith("/"):
        return None
    volume, path = _place(container, model.text)
    for source in sources:
        (there, into), told = source.place, source.download
        if not told.path or there != volume:
            continue
        if path == into:
            return told, told.file
        if not told.file and path.startswith(f"{into}/"):
            return told, path[len(into) + 1 :]
    return None
