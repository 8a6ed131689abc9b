# SPDX-License-Identifier: Apache-2.0
"""Completes KServe's services with the runtimes and base configurations that they refer to.

Owns how KServe merges them. Does not own what a complete service serves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from hubstack.inputs.init.objects import Part
from hubstack.inputs.init.workloads import namespace_of, runs_pods

_Held = dict[str, Any]

_RUNTIMES = ("ServingRuntime", "ClusterServingRuntime")
_BASE = "LLMInferenceServiceConfig"
_OLD = "huggingface"
"""Field of a predictor from before `model`, and its model format."""


def composed(objects: Sequence[Part]) -> tuple[list[Part], Mapping[int, Sequence[str]]]:
    """Return the objects with services completed, and for each (by `id`) notes on what is not in the files."""
    found: list[Part] = []
    notes: dict[int, list[str]] = {}
    for part in objects:
        kind, lost = part.at("kind").text, list[str]()
        if runs_pods(part) and kind == "InferenceService":
            part, lost = _with_runtime(part, objects)  # noqa: PLW2901
        elif runs_pods(part) and kind == "LLMInferenceService":
            part, lost = _with_bases(part, objects)  # noqa: PLW2901
        found.append(part)
        if lost:
            notes[id(part)] = lost
    return found, notes


def _named(objects: Sequence[Part], kinds: Sequence[str], name: str, namespace: str) -> Part | None:
    """Return the object with a name: in the namespace, or of another one, as KServe's own."""
    held = [each for each in objects if each.at("kind").text in kinds and each.at("metadata", "name").text == name]
    return next((each for each in held if namespace_of(each) == namespace), held[0] if held else None)


def _with_bases(part: Part, objects: Sequence[Part]) -> tuple[Part, list[str]]:
    spec: _Held = {}
    lost: list[str] = []
    for each in part.at("spec", "baseRefs").items():
        name = each.at("name").text
        base = _named(objects, (_BASE,), name, namespace_of(part))
        if base is None:
            lost.append(f"not read: the base configuration {name[:253]}, which is not in these files")
        elif base.at("spec").is_mapping:
            spec = _merged(spec, base.at("spec").value)
    if not spec:
        return part, lost
    own: _Held = part.at("spec").value if part.at("spec").is_mapping else {}
    return replace(part, value={**part.value, "spec": _merged(spec, own)}), lost


def _merged(low: _Held, high: _Held) -> _Held:
    """Return a strategic merge: mappings by key, lists of named items by name, and else the second value."""
    found = dict(low)
    for key, value in high.items():
        old = found.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            found[key] = _merged(cast("_Held", old), cast("_Held", value))
        elif (olds := _by_name(old)) and (news := _by_name(value)):
            both = {name: _merged(olds.get(name, {}), each) for name, each in news.items()}
            found[key] = list({**olds, **both}.values())
        else:
            found[key] = value
    return found


def _by_name(value: Any) -> dict[str, _Held]:
    """Return the items of a list by name; empty if not every one has a name."""
    items = _list(value)
    held = [cast("_Held", each) for each in items if isinstance(each, dict)]
    found = {str(each["name"]): each for each in held if "name" in each}
    return found if len(found) == len(items) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _with_runtime(part: Part, objects: Sequence[Part]) -> tuple[Part, list[str]]:
    predictor = part.at("spec", "predictor")
    held = dict(predictor.value) if predictor.is_mapping else {}
    if isinstance(held.get(_OLD), dict):
        held["model"] = {"modelFormat": {"name": _OLD}, **held.pop(_OLD)}
    if not isinstance(held.get("model"), dict):
        return part, []
    model: _Held = dict(held["model"])
    stored = predictor.at("model", "storage")
    if stored.is_mapping and not model.get("storageUri"):
        model["storageUri"] = f"{stored.at('key').text or 'storage'}:/{stored.at('path').text.lstrip('/')}"
    uris = [each.at("uri").text for each in predictor.at("storageUris").items()]
    if len(uris) == 1 and not model.get("storageUri"):
        model["storageUri"] = uris[0]
    name = predictor.at("model", "runtime").text
    runtime = (
        _named(objects, _RUNTIMES, name, namespace_of(part))
        if name
        else next(_choosing(objects, predictor.at("model", "modelFormat", "name").text, namespace_of(part)), None)
    )
    if runtime:
        pod = {key: each.value for key, each in runtime.at("spec").pairs() if key != "containers"}
        held = {**pod, **held}
        model = _of_container(runtime, model)
    text = part.at("metadata", "name").text
    model["args"] = [str(each).replace("{{.Name}}", text) for each in _list(model.get("args"))]
    value = {**part.value, "spec": {**part.value["spec"], "predictor": {**held, "model": model}}}
    lost = [] if runtime or not name else [f"not read: the runtime {name[:253]}, which is not in these files"]
    return replace(part, value=value), lost


def _choosing(objects: Sequence[Part], model_format: str, namespace: str) -> Iterator[Part]:
    """Yield the runtimes in the files that KServe chooses by itself for a format."""
    for each in objects:
        kind = each.at("kind").text
        if kind in _RUNTIMES and (kind != _RUNTIMES[0] or namespace_of(each) == namespace):
            for told in each.at("spec", "supportedModelFormats").items():
                if told.at("name").text == model_format and told.at("autoSelect").value is True:
                    yield each


def _of_container(runtime: Part, model: _Held) -> _Held:
    """Return a model with the runtime's container below it; KServe appends its arguments to the container's."""
    held = runtime.at("spec", "containers").items()
    main = next((each for each in held if each.at("name").text == "kserve-container"), None)
    if main is None or not main.is_mapping:
        return model
    below: _Held = main.value
    lists = {key: [*_list(below.get(key)), *_list(model.get(key))] for key in ("args", "env")}
    return {**below, **model, **lists}
