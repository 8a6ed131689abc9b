# SPDX-License-Identifier: Apache-2.0
"""Finds the containers of pods and Cloud Run services in a resource. Checks nothing."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from resources import UNKNOWN, Resource, is_object, listed, mapping

CHART = "kubernetes:helm.sh/v3:Release"


def containers(resource: Resource) -> list[dict[str, Any]]:
    """Return every container of an object's pods, for any kind of object, and of Cloud Run."""
    if resource.type.startswith("gcp:cloudrun"):
        return list(_of_pods(mapping(resource.props, "template")))
    return list(_of_pods(mapping(resource.props, "spec"))) if is_object(resource) else []


def _of_pods(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in {"containers", "initContainers", "ephemeralContainers"} and isinstance(item, list | tuple):
                yield from (dict(each) for each in item if isinstance(each, Mapping))
            else:
                yield from _of_pods(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _of_pods(item)


def words(container: Mapping[str, Any]) -> Iterator[Any]:
    for text in (part for key in ("command", "commands", "args") for part in listed(container, key)):
        yield from str(text).split()


def images(resource: Resource) -> list[str]:
    """Return the images of a resource's containers, or those that a Helm release's values name."""
    if resource.type == CHART:
        values = mapping(resource.props, "values")
        return list(dict.fromkeys(_of_values(values, str(resource.props.get("version", "")))))
    images = (each.get("image") for each in containers(resource))
    return list(dict.fromkeys(str(image) for image in images if image and image != UNKNOWN))


def _of_values(values: Mapping[str, Any], version: str) -> Iterator[str]:
    """Yield images in the two forms of hubstack's charts: `repository` and `tag`, and `images` by component."""
    repository, tag = values.get("repository"), values.get("tag")
    if isinstance(repository, str) and isinstance(tag, str):
        registry = values.get("registry")
        yield f"{registry}/{repository}:{tag}" if registry else f"{repository}:{tag}"
    for key, item in values.items():
        if not isinstance(item, Mapping):
            continue
        if key == "images":
            each = {name: one for name, one in item.items() if isinstance(one, str) and name != "tag"}
            yield from (f"{one}:{item.get('tag') or version}" for one in each.values())
        else:
            yield from _of_values(item, version)


def trimmed(registry: str) -> str:
    return str(registry).rstrip("/")


def repository(image: str) -> str:
    """Return the image without tag and digest, including the registry that Docker defaults to."""
    name = re.sub(r":[^/:]+$", "", image.split("@", maxsplit=1)[0])
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}[{index}]")
