# SPDX-License-Identifier: Apache-2.0
"""Rules about a model's licence, files and code, based on hubstack's annotations."""

import re
from collections.abc import Iterator

from containers import containers, words
from resources import ANNOTATION, RUN_SERVICE, Resource, Settings, has_kind, is_object, mapping


def _told(resource: Resource) -> dict[str, str]:
    """Return a server's hubstack annotations without their prefix; empty for other resources.

    The Job that copies an adapter or a draft model has them too; one that copies a model does not name its format.
    """
    if is_object(resource) and has_kind(resource, "Job"):
        notes = mapping(resource.props, "metadata", "annotations")
        notes = notes if f"{ANNOTATION}weights-format" in notes else {}
    elif is_object(resource) and has_kind(resource, "Deployment", "LeaderWorkerSet"):
        notes = mapping(resource.props, "metadata", "annotations")
    elif resource.type == RUN_SERVICE:
        notes = mapping(resource.props, "annotations")
    else:
        return {}
    told = {key.removeprefix(ANNOTATION): str(text) for key, text in notes.items() if key.startswith(ANNOTATION)}
    return told if "model" in told else {}


def license_allowed(resource: Resource, settings: Settings) -> Iterator[str]:
    """Require every part of a licence such as `mit, apache-2.0` to be allowed."""
    told, allowed = _told(resource), settings.get("licenses")
    if not told or allowed is None:
        return
    lowered = {str(one).lower() for one in allowed}
    refused = [one for one in re.split(r",\s*", told.get("license", "")) if one.lower() not in lowered]
    if refused:
        yield f"licence {', '.join(refused) or 'not stated'}; allowed: {', '.join(allowed)}"


def license_stated(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001  one signature
    told = _told(resource)
    if told and not told.get("license"):
        yield "no licence stated"


def no_remote_code(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    """Check the engine's flag regardless of the annotation."""
    flags = [str(arg) for container in containers(resource) for arg in words(container)]
    if any(flag.split("=")[0].replace("_", "-") == "--trust-remote-code" for flag in flags):
        yield "the server runs with --trust-remote-code"
    elif _told(resource).get("remote-code") == "true":
        yield "Python code from the model's repository runs in the server"


def weights_format(resource: Resource, settings: Settings) -> Iterator[str]:
    told, allowed = _told(resource), settings.get("weights_formats") or []
    held = told.get("weights-format", "not stated")
    if told and held not in allowed:
        yield f"weights use the {held} format; allowed: {', '.join(allowed)}"


def scan_clean(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    scan = _told(resource).get("scan", "unknown")
    if scan not in {"clean", "unknown", "unfinished"}:
        yield f"the Hub's security scan reports {scan}"


def scan_known(resource: Resource, settings: Settings) -> Iterator[str]:  # noqa: ARG001
    told = _told(resource)
    if told and told.get("scan", "unknown") in {"unknown", "unfinished"}:
        yield f"the Hub's security scan is {told.get('scan', 'unknown')}"
