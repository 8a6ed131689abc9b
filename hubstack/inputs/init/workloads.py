# SPDX-License-Identifier: Apache-2.0
"""Extracts the workloads from Kubernetes objects, with their replicas and pod specs.

Owns the supported kinds and where each has its pod spec. Does not own what a container serves. Reads no Secrets.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hubstack import names
from hubstack.files.whole_numbers import whole_number
from hubstack.inputs.init.objects import Part

POD_OF: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
    "Rollout": ("spec", "template", "spec"),
    "Service": ("spec", "template", "spec"),
    "LeaderWorkerSet": ("spec", "leaderWorkerTemplate", "leaderTemplate", "spec"),
    "InferenceService": ("spec", "predictor"),
    "LLMInferenceService": ("spec", "template"),
    "DeploymentConfig": ("spec", "template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
}
"""Kind to the path of its pod spec."""
_GROUPS: Mapping[str, str] = {
    "InferenceService": "serving.kserve.io",
    "LLMInferenceService": "serving.kserve.io",
    "Rollout": "argoproj.io",
    "Service": "serving.knative.dev",
}
"""Kinds that are supported in one API group only."""
TEMPLATES = frozenset(
    {"ClusterServingRuntime", "ClusterStorageContainer", "LLMInferenceServiceConfig", "ServingRuntime"}
)
"""Kinds that others refer to: their containers serve nothing by themselves."""
NOT_SERVED: Mapping[str, str] = {
    "CronJob": "it runs to completion, and hubstack runs servers only",
    "DaemonSet": "it runs one pod on every node; set `replicas` by hand to approximate that",
    **dict.fromkeys(
        ("Job", "MPIJob", "PyTorchJob", "RayJob", "TrainJob", "Workflow"),
        "it runs to completion, and hubstack runs servers only",
    ),
}
"""Kinds that have no counterpart in hubstack."""
_DEFAULT_CLASS = "cloud.google.com/default-compute-class"
"""GKE's label of a namespace whose pods have a compute class."""
_MAX_DEPTH = 24
_IN_ALL = frozenset({"spec", "template", "extraPodSpec", "podTemplate"})
"""Parts of the path of a pod spec that say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Replica bounds, and where they were found."""

    min: int
    max: int | None
    source: str


_ONE = Replicas(min=1, max=1, source="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One object that runs containers."""

    kind: str
    namespace: str
    name: str
    root: Part
    pod: Part
    """The pod spec, or its equivalent in KServe kinds."""
    replicas: Replicas
    role: str = ""
    """Path of the pod spec in an object of a kind with several, or one that is not in `POD_OF`."""

    @property
    def label(self) -> str:
        """Kind, namespace and name, with the role."""
        role = f" ({self.role})" if self.role else ""
        return f"{self.kind} {self.namespace}/{self.name}{role}"

    @property
    def origin(self) -> str:
        """Kind, namespace and name, with file and line."""
        mark = self.root.at("metadata", "name").mark
        return f"{self.label}, {mark.path}:{mark.line}"

    @property
    def stage(self) -> str:
        """`prefill` or `decode` if a label says so, as llm-d's; empty for other workloads."""
        places = (("metadata", "labels"), ("spec", "template", "metadata", "labels"))
        labels = [each.text for path in places for key, each in self.root.at(*path).pairs() if key.endswith("role")]
        return next((text for text in labels if text in {"decode", "prefill"}), "")

    def annotation(self, key: str) -> str:
        """Return an annotation of the object, or an empty string."""
        return self.root.at("metadata", "annotations", key).text


ConfigMaps = Mapping[tuple[str, str], Mapping[str, str]]
"""Namespace and name to data."""


def config_maps(objects: Iterable[Part]) -> ConfigMaps:
    """Return the data of every ConfigMap."""
    return {
        (namespace_of(each), each.at("metadata", "name").text): {k: v.text for k, v in each.at("data").pairs()}
        for each in objects
        if each.at("kind").text == "ConfigMap"
    }


def mounted_files(workload: Workload, container: Part, maps: ConfigMaps) -> dict[str, str]:
    """Return the text of the files of ConfigMaps that a container mounts, by path."""
    held: dict[str, dict[str, str]] = {}
    for volume in workload.pod.at("volumes").items():
        sources = [volume, *volume.at("projected", "sources").items()]
        held[volume.at("name").text] = {
            path: text
            for source in sources
            for path, text in _files_of(source.at("configMap"), workload.namespace, maps).items()
        }
    found: dict[str, str] = {}
    for mount in container.at("volumeMounts").items():
        files, at = held.get(mount.at("name").text, {}), mount.at("mountPath").text.rstrip("/")
        inside = mount.at("subPath").text
        if inside in files:
            found[at] = files[inside]
        elif not inside:
            found |= {f"{at}/{path}": text for path, text in files.items()}
    return found


def _files_of(source: Part, namespace: str, maps: ConfigMaps) -> dict[str, str]:
    data = maps.get((namespace, source.at("name").text), {})
    items = {each.at("key").text: each.at("path").text for each in source.at("items").items()}
    return {path: data[key] for key, path in items.items() if key in data} if items else dict(data)


def workloads(objects: Sequence[Part]) -> list[Workload]:
    """Return the workloads in order, without those owned by another object in the files."""
    scalers = {key: found for each in objects for key, found in _scaler(each)}
    classes = {
        each.at("metadata", "name").text: each.at("metadata", "labels", _DEFAULT_CLASS).text
        for each in objects
        if each.at("kind").text == "Namespace"
    }
    owned = {(namespace_of(o), o.at("kind").text, o.at("metadata", "name").text) for o in objects}
    found: list[Workload] = []
    for each in objects:
        kind, space = each.at("kind").text, namespace_of(each)
        owners = [
            (space, owner.at("kind").text, owner.at("name").text)
            for owner in each.at("metadata", "ownerReferences").items()
        ]
        if any(owner in owned for owner in owners):
            continue
        name = each.at("metadata", "name").text or each.at("metadata", "generateName").text.rstrip("-")
        scaler = scalers.get((space, kind, name))
        if runs_pods(each):
            pods = [("", pod, scaler or _replicas(each, kind)) for pod in _pods(each, kind)]
        elif kind in TEMPLATES or "." not in group_of(each):
            continue
        else:
            parts = [part for key, part in each.pairs() if key not in {"metadata", "status"}]
            held = [pod for part in parts for pod in _nested_pods(part, _ONE, tuple(map(str, part.loc[-1:])))]
            pods = [(role, pod, scaler or count) for role, pod, count in held]
        found += [
            Workload(kind=kind, namespace=space, name=name, root=each, pod=of_class, replicas=replicas, role=role)
            for role, pod, replicas in pods
            for of_class in [_with_class(pod, classes.get(space, ""))]
        ]
    return found


def _with_class(pod: Part, default: str) -> Part:
    """Return a pod spec that selects the compute class of its namespace, unless it selects one itself."""
    selector = pod.at("nodeSelector")
    if not default or not pod.is_mapping or selector.at(names.CLASS_LABEL).text:
        return pod
    held: dict[str, Any] = selector.value if selector.is_mapping else {}
    return replace(pod, value={**pod.value, "nodeSelector": {**held, names.CLASS_LABEL: default}})


def _nested_pods(part: Part, replicas: Replicas, role: tuple[str, ...]) -> Iterator[tuple[str, Part, Replicas]]:
    """Yield the pod specs anywhere in a custom resource: path, spec, and the product of `replicas` above."""
    if part.at("containers").items() or part.at("mainContainer").is_mapping:
        yield ".".join(key for key in role if key not in _IN_ALL), part, replicas
        return
    said = part.at("replicas")
    if said.count is not None:
        count = said.count * replicas.min
        replicas = Replicas(min=count, max=max(count, 1), source=f"replicas, line {said.mark.line}")
    if len(role) < _MAX_DEPTH:
        for key, each in part.pairs():
            yield from _nested_pods(each, replicas, (*role, key))
        for number, each in enumerate(part.items()):
            yield from _nested_pods(each, replicas, (*role, each.at("name").text or str(number)))


def group_of(part: Part) -> str:
    """Return the API group; empty for the core group."""
    group, slash, _ = part.at("apiVersion").text.partition("/")
    return group if slash else ""


def runs_pods(part: Part) -> bool:
    """Return whether an object is of a kind in `POD_OF`, and of that kind's group."""
    kind = part.at("kind").text
    return kind in POD_OF and _GROUPS.get(kind, group_of(part)) == group_of(part)


def namespace_of(part: Part) -> str:
    """Return the namespace of an object."""
    return part.at("metadata", "namespace").text or "default"


def _pods(part: Part, kind: str) -> list[Part]:
    """Return the pod spec; of a LeaderWorkerSet that of the leader, then that of the workers."""
    pod = part.at(*POD_OF[kind])
    if kind != "LeaderWorkerSet":
        return [pod]
    return [*([pod] if pod.is_mapping else []), part.at("spec", "leaderWorkerTemplate", "workerTemplate", "spec")]


def _replicas(part: Part, kind: str) -> Replicas:
    if kind == "InferenceService":
        return _bounds(part.at("spec", "predictor"), ("minReplicas", "maxReplicas"), 1)  # KServe's default
    if kind == "LLMInferenceService" and part.at("spec", "scaling").is_mapping:
        return _bounds(part.at("spec", "scaling"), ("minReplicas", "maxReplicas"), 1)
    if kind == "Service":
        notes = part.at("spec", "template", "metadata", "annotations")
        low, high = (_annotation(notes, word) for word in ("min", "max"))
        least, most = (whole_number(each.text) for each in (low, high))
        return Replicas(min=least or 0, max=most, source=f"min-scale, line {low.mark.line}")
    said = part.at("spec", "replicas")
    count = 1 if said.count is None else said.count
    return Replicas(min=count, max=max(count, 1), source=f"replicas, line {said.mark.line}")


def _annotation(notes: Part, word: str) -> Part:
    """Return Knative's annotation of a bound, by its name or its old one."""
    old = notes.at(f"autoscaling.knative.dev/{word}Scale")
    return old if old.text else notes.at(f"autoscaling.knative.dev/{word}-scale")


def _bounds(part: Part, keys: tuple[str, str], default: int, name: str = "") -> Replicas:
    low, high = (part.at(key) for key in keys)
    mark = low.mark
    source = f"{name}, {mark.path}:{mark.line}" if name else f"{keys[0]}, line {mark.line}"
    return Replicas(min=default if low.count is None else low.count, max=high.count, source=source)


def _scaler(part: Part) -> list[tuple[tuple[str, str, str], Replicas]]:
    """Return the target of an autoscaler and its bounds; the last one for a workload applies."""
    kind, spec = part.at("kind").text, part.at("spec")
    target = spec.at("scaleTargetRef")
    if kind == "Rollout" and spec.at("workloadRef").is_mapping:  # it runs the pods of a Deployment
        target, found = spec.at("workloadRef"), _replicas(part, kind)
    elif kind == "ScaledObject":
        found = _bounds(spec, ("minReplicaCount", "maxReplicaCount"), 0, kind)
    elif kind == "HTTPScaledObject":
        found = _bounds(spec.at("replicas"), ("min", "max"), 0, kind)
    elif spec.at("maxReplicas").count is not None:
        found = _bounds(spec, ("minReplicas", "maxReplicas"), 1, kind)
    else:
        return []
    name = target.at("name").text
    return [((namespace_of(part), target.at("kind").text or "Deployment", name), found)] if name else []
