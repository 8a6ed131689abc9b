# SPDX-License-Identifier: Apache-2.0
"""Objects and other YAML that may serve a model and are not read: other kinds, charts, kustomizations.

Owns how they are told from those that serve none, and the Hub IDs that they may mean.
"""

import re
from collections.abc import Iterator
from typing import Any, cast

from hubstack.files.documents import parse_documents
from hubstack.files.errors import InputError
from hubstack.inputs.init.entry import Unknown
from hubstack.inputs.init.flags import engine_rows
from hubstack.inputs.init.objects import Part, is_kustomization
from hubstack.inputs.init.workloads import NOT_SERVED, TEMPLATES, group_of, namespace_of, runs_pods

MAX_VALUES = 10_000
"""Values of a text that holds YAML."""
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_MAX_DEPTH = 24
_MODEL_KEYS = frozenset(
    {"hfmodel", "hf_model_id", "model_id", "model_name", "model_path", "model_repo", "model_source", "model_uri"}
    | {"model_url", "modelid", "modelname", "modelpath", "modeluri", "modelurl", "storageuri"}
)
_FLAG = re.compile(r"--(?:hf-repo|model(?:[-_](?:id|name|path|source))?)")
_FLAG_AND_ID = re.compile(rf"{_FLAG.pattern}[=\s]+[\"']?({HUB_ID.pattern})")
_OWN_GROUPS = (
    *("admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "autoscaling"),
    *("autoscaling.aibrix.ai", "cert-manager.io", "cloud.google.com", "coordination.k8s.io", "discovery.k8s.io"),
    *("events.k8s.io", "external-secrets.io", "gateway.envoyproxy.io", "istio.io", "keda.sh", "kueue.x-k8s.io"),
    *("llmd.ai", "monitoring.coreos.com", "monitoring.googleapis.com", "networking.gke.io", "networking.k8s.io"),
    *("networking.serving.volcano.sh", "networking.x-k8s.io", "node.k8s.io", "policy"),
    *("rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "secrets-store.csi.x-k8s.io"),
    *("storage.k8s.io",),
)
"""Groups whose objects serve no model, by their end."""
_SERVING_GROUPS = frozenset(
    {
        "apps.nvidia.com",
        "inference.llmaz.io",
        "kaito.sh",
        "kubeai.org",
        "llmaz.io",
        "machinelearning.seldon.io",
        "mlops.seldon.io",
        "model.aibrix.ai",
        "ollama.ayaka.io",
        "ome.io",
        "serving.yatai.ai",
        "workload.serving.volcano.sh",
    }
)
"""Groups whose objects serve models, also where no field of theirs shows it."""
_CHARTS = frozenset(
    {
        ("argoproj.io", "Application"),
        ("argoproj.io", "ApplicationSet"),
        ("helm.cattle.io", "HelmChart"),
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
    }
)
"""Kinds of Argo CD, K3s and Flux that install a chart."""
_CHART_WORD = re.compile(r"llm|model|inference|ollama|kubeai|kserve|triton|\bnim\b|text-(embeddings|generation)")
"""In the name of a chart or of its folder: it may serve a model, also where its values do not show it."""


def may_serve(part: Part) -> bool:
    """Return whether an object of an unknown kind, or other YAML, may serve a model."""
    is_chart = not part.at("kind").text or _is_chart(part)
    return (
        _may_serve(part.value, is_chart=is_chart)
        or (_is_chart(part) and _installs_server(part))
        or next(_hub_ids(part), None) is not None
    )


def unread(part: Part, *, has_pods: bool) -> list[Unknown]:
    """Return the models of an object that is not read, one for each Hub ID; none if it cannot serve one.

    Args:
        part: the object.
        has_pods: whether it has pods, which are read apart.
    """
    kind, group = part.at("kind").text, group_of(part)
    if is_kustomization(part):
        hint = "pass the output of `kubectl kustomize FOLDER` instead of its files"
        why = "kustomizations are not applied here"
        return _for_each_id(part, why, hint) or [Unknown(origin=origin_of(part), why=why, hint=hint)]
    if kind in NOT_SERVED and "." in group:
        return _for_each_id(part, NOT_SERVED[kind], "list its model by hand if you want to serve it")
    if _serves_nothing(part) or (group not in _SERVING_GROUPS and not may_serve(part)):
        return []
    why = f"`{kind}` ({group}) is not supported" if kind else "it names a model and is no Kubernetes object"
    hint = "if it serves a Hub model, list it by hand, or pass the Deployment that its operator creates"
    if has_pods:
        why, hint = "its pods run no known engine", "if it serves a Hub model, list it by hand"
    elif _is_chart(part) or not kind:
        hint = "if they are values of a chart, pass the output of `helm template`; otherwise list its model by hand"
    return _for_each_id(part, why, hint) or [Unknown(origin=origin_of(part), why=why, hint=hint)]


def _for_each_id(part: Part, why: str, hint: str) -> list[Unknown]:
    ids: dict[str, Part] = {}
    for text, at in _hub_ids(part):
        ids.setdefault(text, at)
    return [Unknown(origin=origin_of(part, at), why=why, hint=hint, guess=text) for text, at in ids.items()]


def passed_over(part: Part) -> str:
    """Return what to call an object whose kind is not known, and which shows no model; empty for other objects."""
    kind, group = part.at("kind").text, group_of(part)
    if _serves_nothing(part) or is_kustomization(part) or "." not in group:
        return ""
    return (
        f"{kind} {namespace_of(part)}/{part.at('metadata', 'name').text}"
        if _is_chart(part)
        else f"{kind} ({group})"
    )


def origin_of(part: Part, at: Part | None = None) -> str:
    """Return the kind and name of an object, with its place or that of a value in it."""
    name = part.at("metadata", "name")
    mark = at.mark if at else name.mark if name.text else part.mark
    named = f" {namespace_of(part)}/{name.text}" if name.text else ""
    kind = part.at("kind").text or ("Kustomization" if is_kustomization(part) else "YAML")
    return f"{kind}{named}, {mark.path}:{mark.line}"


def _serves_nothing(part: Part) -> bool:
    kind, group = part.at("kind").text, group_of(part)
    is_known = runs_pods(part) or kind in NOT_SERVED or kind in TEMPLATES
    return is_known or group.endswith(_OWN_GROUPS) or (bool(kind) and not group)


def _is_chart(part: Part) -> bool:
    return (group_of(part), part.at("kind").text) in _CHARTS


def _installs_server(part: Part) -> bool:
    """Return whether the name of a chart, or of a folder that is installed, says that it may serve a model."""
    spec = part.at("spec")
    sources = [spec, spec.at("source"), spec.at("chart", "spec"), spec.at("template", "spec", "source")]
    sources += [*spec.at("sources").items(), *spec.at("template", "spec", "sources").items()]
    told = [source.at(key).text.lower() for source in sources for key in ("chart", "path", "repoURL")]
    return any(_CHART_WORD.search(text) for text in told)


def _may_serve(value: Any, *, is_chart: bool, key: str = "", depth: int = 0) -> bool:
    """Return whether the value contains an engine's image, a model or, but for a chart, any container."""
    if depth > _MAX_DEPTH:
        return False
    if isinstance(value, str):
        is_image = key in {"image", "repository"} and _is_engine(value)
        return (
            is_image
            or value.startswith("hf://")
            or names_model(key, value)
            or any(_may_serve(each, is_chart=is_chart, depth=depth + 1) for each in _held_yaml(value))
        )
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return any(_may_serve(each, is_chart=is_chart, key=key, depth=depth + 1) for each in items)
    if not isinstance(value, dict):
        return False
    held = cast("dict[str, Any]", value)
    is_container = isinstance(held.get("image"), str) and bool({"args", "command", "resources"} & held.keys())
    return (is_container and not is_chart) or any(
        _may_serve(each, is_chart=is_chart, key=_joined(key, name), depth=depth + 1) for name, each in held.items()
    )


def _joined(parent: str, name: str) -> str:
    """Return a key; below `model`, or llm-d's `modelArtifacts`, with it: `id` is `model_id`."""
    return f"model_{name}" if parent.lower() in {"model", "modelartifacts"} else name


def _is_engine(image: str) -> bool:
    return any(part in image for row in engine_rows() for part in row.images)


def names_model(key: str, value: str) -> bool:
    """Return whether a field or variable names a model."""
    name = key.lower().rpartition(".")[2]  # the last part of a chart's parameter
    is_model = bool({name, name.removeprefix("model_")} & _MODEL_KEYS)
    return bool(value) and (is_model or (name == "model" and bool(HUB_ID.fullmatch(value))))


def _held_yaml(text: str) -> list[Any]:
    """Return the YAML that a text contains, such as the values of a chart; nothing if it is other text."""
    if "\n" not in text or ":" not in text:
        return []
    try:
        found = [each.value for each in parse_documents(text, "", MAX_VALUES)]
    except InputError:
        return []
    return [each for each in found if isinstance(each, dict)]


def _hub_ids(part: Part, key: str = "", depth: int = 0) -> Iterator[tuple[str, Part]]:
    """Yield the Hub IDs that fields for models, flags and variables have, or that are URLs of the Hub."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(part.value, str):
        yield from ((text, part) for text in _hub_ids_of_text(part.value, key))
        for value in _held_yaml(part.value):  # its parts are not in the document: they get the place of the text
            yield from ((text, part) for text, _ in _hub_ids(Part(part.document, part.loc, value), "", depth + 1))
    before = ""
    for each in part.items():
        yield from _hub_ids(each, "model" if _FLAG.fullmatch(before) else key, depth + 1)
        before = each.text
    for name, each in part.pairs():
        is_variable = name == "value" and part.at("name").text
        yield from _hub_ids(each, part.at("name").text if is_variable else _joined(key, name), depth + 1)


def _hub_ids_of_text(value: str, key: str) -> Iterator[str]:
    text = value.removeprefix("hf://").removeprefix("huggingface://")
    if (text != value or names_model(key, text)) and HUB_ID.fullmatch(text):
        yield text
    name, given, rest = value.partition("=")  # as a generator of ConfigMaps writes it
    if given and names_model(name, rest) and HUB_ID.fullmatch(rest):
        yield rest
    yield from (match[1] for match in _FLAG_AND_ID.finditer(value))
