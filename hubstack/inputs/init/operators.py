# SPDX-License-Identifier: Apache-2.0
"""Custom resources that name a model in their own fields: KubeAI, KAITO, Ray and the vLLM production stack.

Owns these fields, and reporting other kinds that may serve a model. Does not own pods
(`hubstack.inputs.init.workloads`).
"""

import re
from collections.abc import Iterator
from typing import Any, cast

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.files.documents import Document, parse_documents
from hubstack.files.errors import InputError
from hubstack.files.whole_numbers import whole_number
from hubstack.inputs.init.entry import Entry, Setting, Unknown
from hubstack.inputs.init.objects import Part, is_kustomization
from hubstack.inputs.init.workloads import POD_OF, group_of, namespace_of

_MAX_VALUES = 10_000
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_MODEL_KEYS = frozenset({"modelurl", "modelid", "modelname", "model_source", "storageuri", "modeluri", "hfmodel"})
_DEVICES = ("nvidia.com/gpu", "google.com/tpu", "amd.com/gpu")
_OWN_GROUPS = ("networking.k8s.io", "rbac.authorization.k8s.io", "autoscaling", "policy", "storage.k8s.io")


def read_operator(part: Part, catalog: Catalog) -> list[Entry | Unknown] | None:
    """Return the models that a custom resource serves; None if it cannot serve one."""
    kind, group = part.at("kind").text, group_of(part)
    readers = {
        ("kubeai.org", "Model"): _kubeai,
        ("kaito.sh", "Workspace"): _kaito,
        ("ray.io", "RayService"): _ray,
        ("production-stack.vllm.ai", "VLLMRuntime"): _vllm_runtime,
    }
    reader = readers.get((group, kind))
    if reader is not None:
        return list(reader(part, catalog))
    if is_kustomization(part):
        hint = "pass the output of `kubectl kustomize FOLDER` instead of its files"
        why = "kustomizations are not applied here"
        return [Unknown(origin=_origin(part), why=why, hint=hint)]
    if kind in POD_OF or not group or group.endswith(_OWN_GROUPS) or not _may_serve(part.value):
        return None
    why = f"`{kind}` ({group}) is not supported"
    hint = "if it serves a Hub model, list it by hand, or pass the Deployment that its operator creates"
    return [Unknown(origin=_origin(part), why=why, hint=hint, guess=_first_hub_uri(part.value))]


def _origin(part: Part) -> str:
    mark = part.at("metadata", "name").mark if part.at("metadata", "name").text else part.mark
    name = part.at("metadata", "name").text
    named = f" {namespace_of(part)}/{name}" if name else ""
    return f"{part.at('kind').text or 'Kustomization'}{named}, {mark.path}:{mark.line}"


def _may_serve(value: Any, depth: int = 0) -> bool:
    """Return whether the value contains a container, requests an accelerator, or names a model."""
    if depth > 24:
        return False
    if isinstance(value, list):
        return any(_may_serve(each, depth + 1) for each in cast("list[Any]", value))
    if not isinstance(value, dict):
        return isinstance(value, str) and value.startswith("hf://")
    held = cast("dict[str, Any]", value)
    is_container = "image" in held and bool({"args", "command", "resources"} & held.keys())
    is_named = any(key.lower() in _MODEL_KEYS for key in held)
    return is_container or is_named or any(_may_serve(each, depth + 1) for each in held.values())


def _first_hub_uri(value: Any, depth: int = 0) -> str | None:
    held = list(cast("dict[str, Any]", value).values()) if isinstance(value, dict) else value
    if isinstance(held, list) and depth <= 24:
        return next((found for each in cast("list[Any]", held) if (found := _first_hub_uri(each, depth + 1))), None)
    text = held.removeprefix("hf://") if isinstance(held, str) and held.startswith("hf://") else ""
    return text if _HUB_ID.fullmatch(text) else None


def _entry(
    part: Part, model: Part, settings: dict[str, Setting], *, lost: list[str], name: str = ""
) -> Entry | Unknown:
    repo_id = model.text.removeprefix("hf://").removeprefix("huggingface://").partition("?")[0]
    if not _HUB_ID.fullmatch(repo_id):
        why = (
            f"`{part.at('kind').text}` names the model `{repo_id[:96]}`, which is not a Hub ID"
            if repo_id
            else (f"`{part.at('kind').text}` names no Hub model")
        )
        return Unknown(origin=_origin(part), why=why, hint="find out which Hub model it is, and list its ID")
    label = name or part.at("metadata", "name").text
    key = names.slug(label) if label else ""
    if key and key != names.key_of(repo_id) and len(key) <= names.KEY_MAX and key not in names.RESERVED_KEYS:
        settings["name"] = Setting(value=key, source=f"the name, line {part.at('metadata', 'name').mark.line}")
    notes = (f"not carried over: {', '.join(lost)}",) if lost else ()
    return Entry(id=repo_id, origin=_origin(part), settings=settings, notes=notes, spare_name=key)


def _bounds(low: Part, high: Part, default: int) -> dict[str, Setting]:
    least = default if low.count is None else low.count
    most = max(least, 1) if high.count is None else high.count
    if (least, most) == (1, 1):
        return {}
    return {"replicas": Setting(value={"min": least, "max": max(most, least, 1)}, source=f"line {low.mark.line}")}


def _flags(args: Part, settings: dict[str, Setting]) -> list[str]:
    """Add the settings for vLLM flags that have a key in the list; return the other flags."""
    lost: list[str] = []
    for part in args.items():
        flag, _, value = part.text.partition("=")
        if flag == "--max-model-len" and (context := whole_number(value)):
            settings["context"] = Setting(value=context, source=f"{flag}, line {part.mark.line}")
        elif flag.startswith("--"):
            lost.append(flag)
    return lost


def _kubeai(part: Part, catalog: Catalog) -> Iterator[Entry | Unknown]:
    spec = part.at("spec")
    settings = _bounds(spec.at("minReplicas"), spec.at("maxReplicas"), 0)
    lost = _flags(spec.at("args"), settings)
    profile = spec.at("resourceProfile")
    word = profile.text.partition(":")[0].replace("nvidia-gpu-", "").replace("google-tpu-", "tpu-")
    card = catalog.accelerator(word) or catalog.accelerator(f"nvidia-{word}")
    if card:
        settings["accelerator"] = Setting(value=card.id, source=f"resourceProfile, line {profile.mark.line}")
    elif profile.text:
        lost.append(f"resourceProfile {profile.text[:64]}")
    engine = {"OLlama": "Ollama", "FasterWhisper": "FasterWhisper", "Infinity": "Infinity"}.get(
        spec.at("engine").text
    )
    lost += [f"the engine {engine}"] if engine else []
    yield _entry(part, spec.at("url"), settings, lost=lost)


def _kaito(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    preset, machine = part.at("inference", "preset", "name"), part.at("resource", "instanceType")
    lost = [f"instanceType {machine.text[:64]}"] if machine.text else []
    settings = _bounds(part.at("resource", "count"), part.at("resource", "count"), 1)
    yield _entry(part, preset, settings, lost=lost)


def _vllm_runtime(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    spec, settings = part.at("spec"), dict[str, Setting]()
    length, count = spec.at("model", "maxModelLen"), spec.at("deploymentConfig", "replicas")
    if length.count:
        settings["context"] = Setting(value=length.count, source=f"maxModelLen, line {length.mark.line}")
    settings |= _bounds(count, count, 1)
    lost = [key for key, _ in spec.at("vllmConfig").pairs() if key != "tensorParallelSize"]
    yield _entry(part, spec.at("model", "modelURL"), settings, lost=lost)


def _ray(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    """Read the `llm_configs` of Ray Serve's LLM applications."""
    said = part.at("spec", "serveConfigV2")
    try:
        documents: list[Document] = parse_documents(said.text, said.mark.path, _MAX_VALUES)
    except InputError:
        documents = []
    found = False
    for document in documents:
        for application in Part(document, (), document.value).at("applications").items():
            for config in application.at("args", "llm_configs").items():
                found = True
                yield _ray_model(part, config)
    if not found:
        why = "its `serveConfigV2` has no `llm_configs`"
        yield Unknown(origin=_origin(part), why=why, hint="if its Python serves a Hub model, list it by hand")


def _ray_model(part: Part, config: Part) -> Entry | Unknown:
    told, kwargs = config.at("model_loading_config"), config.at("engine_kwargs")
    source = told.at("model_source") if told.at("model_source").text else told.at("model_id")
    settings = dict[str, Setting]()
    if length := kwargs.at("max_model_len").count:
        settings["context"] = Setting(value=length, source="engine_kwargs.max_model_len")
    scale = config.at("deployment_config", "autoscaling_config")
    settings |= _bounds(scale.at("min_replicas"), scale.at("max_replicas"), 1)
    lost = [key for key, _ in kwargs.pairs() if key not in {"max_model_len", "tensor_parallel_size"}]
    return _entry(part, source, settings, lost=lost, name=told.at("model_id").text.rpartition("/")[2])
