# SPDX-License-Identifier: Apache-2.0
"""Custom resources that name a model in their own fields: KubeAI, KAITO, llm-d, Ray and the vLLM production stack.

Owns these fields, and reporting other kinds, and values of charts, that may serve a model. Does not own pods
(`hubstack.inputs.init.workloads`).
"""

import re
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qsl

from hubstack import names
from hubstack.catalog import Catalog
from hubstack.files.documents import Document, parse_documents
from hubstack.files.errors import InputError
from hubstack.files.whole_numbers import whole_number
from hubstack.inputs.init.entry import Entry, Setting, Unknown
from hubstack.inputs.init.flags import engine_rows
from hubstack.inputs.init.objects import Part, is_kustomization
from hubstack.inputs.init.workloads import TEMPLATES, group_of, namespace_of, runs_pods

_MAX_VALUES, _MAX_DEPTH = 10_000, 24
_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_MODEL_KEYS = frozenset(
    {
        "hfmodel",
        "model_id",
        "model_name",
        "model_source",
        "modelid",
        "modelname",
        "modeluri",
        "modelurl",
        "storageuri",
    }
)
_OWN_GROUPS = (
    *("autoscaling", "networking.k8s.io", "networking.x-k8s.io", "policy", "rbac.authorization.k8s.io"),
    "storage.k8s.io",
)
"""Groups whose objects serve no model, by their end."""
_SERVING_GROUPS = frozenset(
    {
        "apps.nvidia.com",
        "kaito.sh",
        "kubeai.org",
        "machinelearning.seldon.io",
        "mlops.seldon.io",
        "serving.yatai.ai",
    }
)
"""Groups whose objects serve models, also where no field of theirs shows it."""
_CHARTS = frozenset({"Application", "ApplicationSet", "HelmChart", "HelmRelease"})
"""Kinds of Argo CD, Flux and K3s that install a chart."""


def read_operator(part: Part, catalog: Catalog) -> list[Entry | Unknown] | None:
    """Return the models that a custom resource serves; None if it cannot serve one."""
    kind, group = part.at("kind").text, group_of(part)
    readers = {
        ("kubeai.org", "Model"): _kubeai,
        ("kaito.sh", "Workspace"): _kaito,
        ("kaito.sh", "InferenceSet"): _kaito,
        ("llm-d.ai", "ModelService"): _model_service,
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
    if runs_pods(part) or kind in TEMPLATES or group.endswith(_OWN_GROUPS) or (kind and not group):
        return None
    if group not in _SERVING_GROUPS and not may_serve(part):
        return None
    why = f"`{kind}` ({group}) is not supported" if kind else "it names a model and is no Kubernetes object"
    hint = "if it serves a Hub model, list it by hand, or pass the Deployment that its operator creates"
    if kind in _CHARTS or not kind:
        hint = "if they are values of a chart, pass the output of `helm template`; otherwise list its model by hand"
    return [Unknown(origin=_origin(part), why=why, hint=hint, guess=_first_hub_id(part.value))]


def may_serve(part: Part) -> bool:
    """Return whether an object of an unknown kind, or other YAML, may serve a model."""
    kind = part.at("kind").text
    return _may_serve(part.value, is_chart=not kind or kind in _CHARTS)


def _origin(part: Part) -> str:
    mark = part.at("metadata", "name").mark if part.at("metadata", "name").text else part.mark
    name = part.at("metadata", "name").text
    named = f" {namespace_of(part)}/{name}" if name else ""
    kind = part.at("kind").text or ("Kustomization" if is_kustomization(part) else "YAML")
    return f"{kind}{named}, {mark.path}:{mark.line}"


def _may_serve(value: Any, *, is_chart: bool, depth: int = 0) -> bool:
    """Return whether the value contains a container or names a model; in a chart, a container of an engine."""
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, str):
        return value.startswith("hf://") or any(
            _may_serve(each, is_chart=is_chart, depth=depth + 1) for each in _held_yaml(value)
        )
    if isinstance(value, list):
        return any(_may_serve(each, is_chart=is_chart, depth=depth + 1) for each in cast("list[Any]", value))
    if not isinstance(value, dict):
        return False
    held = cast("dict[str, Any]", value)
    is_container = "image" in held and bool({"args", "command", "resources"} & held.keys())
    is_server = is_container and (not is_chart or _is_engine(str(held["image"])))
    return (
        is_server
        or any(_names_model(key, each) for key, each in held.items())
        or any(_may_serve(each, is_chart=is_chart, depth=depth + 1) for each in held.values())
    )


def _is_engine(image: str) -> bool:
    return any(part in image for row in engine_rows() for part in row.images)


def _names_model(key: str, value: Any) -> bool:
    if not isinstance(value, str) or not value:
        return False
    return key.lower() in _MODEL_KEYS or (key.lower() == "model" and bool(_HUB_ID.fullmatch(value)))


def _held_yaml(text: str) -> list[Any]:
    """Return the YAML that a text contains, such as the values of a chart; nothing if it is other text."""
    if "\n" not in text or ":" not in text:
        return []
    try:
        found = [each.value for each in parse_documents(text, "", _MAX_VALUES)]
    except InputError:
        return []
    return [each for each in found if isinstance(each, dict)]


def _first_hub_id(value: Any, key: str = "", depth: int = 0) -> str | None:
    """Return the first Hub ID that a field for models has, or that is written `hf://`."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, str):
        text = value.removeprefix("hf://")
        if (text != value or _names_model(key, text)) and _HUB_ID.fullmatch(text):
            return text
        held: list[tuple[str, Any]] = [("", each) for each in _held_yaml(value)]
    elif isinstance(value, dict):
        held = list(cast("dict[str, Any]", value).items())
    else:
        held = [(key, each) for each in cast("list[Any]", value)] if isinstance(value, list) else []
    return next((found for name, each in held if (found := _first_hub_id(each, name, depth + 1))), None)


def _entry(
    part: Part, model: Part, settings: dict[str, Setting], *, lost: list[str], name: str = ""
) -> Entry | Unknown:
    repo_id, _, query = model.text.removeprefix("hf://").removeprefix("huggingface://").partition("?")
    for word, value in parse_qsl(query):
        if word in {"rev", "revision"}:
            settings["revision"] = Setting(value=value, source=f"the URL, line {model.mark.line}")
        else:
            lost = [*lost, f"`{word[:32]}` of the URL"]
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
    words = (word, f"nvidia-{word}", f"{word}-80gb")  # KubeAI's `nvidia-gpu-h100` is the card with 80 GB
    card = next((row for each in words if (row := catalog.accelerator(each))), None)
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
    is_set = part.at("kind").text == "InferenceSet"
    told = part.at("spec", "template") if is_set else part
    count = part.at("spec", "replicas") if is_set else part.at("resource", "count")
    machine = told.at("resource", "instanceType")
    lost = [f"instanceType {machine.text[:64]}"] if machine.text else []
    yield _entry(part, told.at("inference", "preset", "name"), _bounds(count, count, 1), lost=lost)


def _model_service(part: Part, _catalog: Catalog) -> Iterator[Entry | Unknown]:
    """Read llm-d's ModelService, whose replicas and flags are those of its decode pods."""
    decode = part.at("spec", "decode")
    settings = _bounds(decode.at("replicas"), decode.at("replicas"), 1)
    lost = [name for each in decode.at("containers").items() for name in _flags(each.at("args"), settings)]
    lost += ["prefill"] if part.at("spec", "prefill").is_mapping else []
    yield _entry(part, part.at("spec", "modelArtifacts", "uri"), settings, lost=lost)


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
