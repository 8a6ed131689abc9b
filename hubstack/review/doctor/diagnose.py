# SPDX-License-Identifier: Apache-2.0
"""What is wrong with each model of a plan, in the words of the plan. Pure.

Owns which objects belong to a model, and when a model is well, starting, or wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hubstack import names
from hubstack.deploy.manifests.base import selector
from hubstack.files.jsonable import plain
from hubstack.plan import ModelPlan, Plan
from hubstack.review.doctor.causes import Cause, Found, Text, find_cause
from hubstack.review.doctor.cluster import CLASSES, ClusterState, Object, is_ready, name_of, part, rows

_LAST_LINES = 8
_GIB = 1024**3
_SCHEDULING = frozenset({"FailedScaleUp", "NotTriggerScaleUp", "FailedScheduling"})
_TELLING = frozenset({("PodScheduled", "False"), ("DisruptionTarget", "True")})
"""Type and status of a pod's conditions that say why it does not run."""
_STARTING = frozenset({"FailedMount", "FailedAttachVolume", "Failed"})


class State(StrEnum):
    """How a model is."""

    READY = "ready"
    AT_ZERO = "at zero replicas"
    STARTING = "starting"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One model."""

    key: str
    state: State
    pods: str
    """Ready pods of all."""
    cause: str | None = None
    """ID of the cause; None if it is unknown, or nothing is wrong."""
    title: str = ""
    of: str = ""
    """The pod or object that says so."""
    line: str = ""
    """What it says."""
    figures: tuple[str, ...] = ()
    """Figures of the engine beside those of the plan."""
    means: str = ""
    do: str = ""
    source: str = ""
    log: tuple[str, ...] = ()
    """Last lines of the log, if the cause is unknown or only says that the server ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All models."""

    models: tuple[Diagnosis, ...]

    @property
    def is_well(self) -> bool:
        """Return whether nothing is wrong."""
        return not any(each.state is State.WRONG for each in self.models)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {"format": 1, "is_well": self.is_well, "models": [plain(each) for each in self.models]}


def diagnose(plan: Plan, state: ClusterState, keys: Sequence[str]) -> Report:
    """Return what is wrong with the models of a plan that have pods.

    Args:
        plan: the plan.
        state: what its cluster says.
        keys: of the models to look at; empty for all.
    """
    wanted = [model for model in plan.on_gke if not keys or model.key in keys]
    return Report(models=tuple(_diagnose(model, state) for model in wanted))


def _diagnose(model: ModelPlan, state: ClusterState) -> Diagnosis:
    label = selector(model)["app.kubernetes.io/instance"]
    mine = [pod for pod in state.objects["pods"] if _label(pod, "instance") == label]
    servers = [pod for pod in mine if _label(pod, "name") == "server"]
    ready = sum(map(is_ready, servers))
    told = f"{ready} of {len(servers)} ready"
    sick = [pod for pod in mine if not is_ready(pod) and _phase(pod) != "Succeeded"]
    loaded = {_owner(pod) for pod in mine if _phase(pod) == "Succeeded"}
    sick = [pod for pod in sick if _owner(pod) not in loaded]
    enough = ready >= max(model.replicas.min, 1 if servers else 0)
    if not sick and enough:
        return Diagnosis(key=model.key, state=State.READY if servers else State.AT_ZERO, pods=told)
    texts = list(_texts(model, sick, state))
    found = find_cause(texts)
    if found is None and sick and not _has_failed(sick):
        note = "its pods run and are not ready yet"
        return Diagnosis(key=model.key, state=State.STARTING, pods=told, title=note)
    if found is None:
        return _unknown(model, told, sick, texts)
    return _found(model, told, found, texts)


def _found(model: ModelPlan, told: str, found: Found, texts: list[Text]) -> Diagnosis:
    cause = found.cause
    return Diagnosis(
        key=model.key,
        state=State.WRONG,
        pods=told,
        cause=cause.id,
        title=cause.title,
        of=found.of,
        line=found.line,
        figures=tuple(_figures(model, cause, found)),
        means=cause.means,
        do=cause.do.replace("KEY", model.key),
        source=cause.source,
        log=_last_lines(texts) if cause.id == "crash-loop" else (),
    )


def _unknown(model: ModelPlan, told: str, sick: list[Object], texts: list[Text]) -> Diagnosis:
    name = names.original_key(model)
    if not sick:
        title, do = "it has no pod", f"Run `pulumi up`; then kubectl describe deployment,leaderworkerset {name}"
    else:
        title, do = "the cause is unknown", f"Read kubectl describe pod {name_of(sick[0])} and its log"
    return Diagnosis(key=model.key, state=State.WRONG, pods=told, title=title, do=do, log=_last_lines(texts))


def _figures(model: ModelPlan, cause: Cause, found: Found) -> Iterator[str]:
    if found.figures:
        yield "the engine says: " + ", ".join(f"{name} {value}" for name, value in found.figures.items())
    need = model.need
    if cause.term == "KV cache":
        cache = f"the plan expects {need.kv_available_bytes / _GIB:.2f} GiB of KV cache"
        yield f"{cache} for a context of {need.context:,} (explain shows each term)"
    elif cause.term:
        sizes = [term.size_bytes for term in need.terms if term.name == cause.term]
        budget = f"of {need.budget_bytes / _GIB:.2f} GiB that the engine may use"
        yield f"the plan expects {sum(sizes) / _GIB:.2f} GiB of {cause.term}, {budget}"


def _texts(model: ModelPlan, sick: list[Object], state: ClusterState) -> Iterator[Text]:
    pods = {name_of(pod): _passed(pod) for pod in sick}
    root = names.original_key(model)
    for pod in sick:
        yield from (Text(where="status", of=f"pod/{name_of(pod)}", text=line) for line in _status(pod))
    for event in sorted(state.objects["events"], key=_when, reverse=True):
        about = part(event, "involvedObject") or part(event, "regarding")
        kind, name = str(about.get("kind", "")), str(about.get("name", ""))
        is_about_us = name in pods or (kind != "Pod" and (name == root or name.startswith(f"{root}-")))
        if is_about_us and event.get("reason") not in pods.get(name, ()):
            text = f"{event.get('reason', '')}: {event.get('message') or event.get('note') or ''}"
            yield Text(where="event", of=f"{kind.lower()}/{name}", text=text)
    for name, text in state.logs.items():
        if name.split("/")[0] in pods:
            yield Text(where="log", of=f"log of {name}", text=text)
    for each in state.objects.get(CLASSES, []):
        if name_of(each) == model.capacity_class and any(not passed for passed in pods.values()):
            for condition in rows(each, "status", "conditions"):
                text = f"{condition.get('reason', '')}: {condition.get('message', '')}"
                yield Text(where="class", of=f"computeclass/{model.capacity_class}", text=text)


def _passed(pod: Object) -> frozenset[str]:
    """Return the reasons of events that no longer matter, because the pod is beyond that step of its start."""
    containers = rows(pod, "status", "containerStatuses")
    has_run = any(
        each.get("restartCount") or {"running", "terminated"} & part(each, "state").keys() for each in containers
    )
    found = _SCHEDULING if part(pod, "spec").get("nodeName") else frozenset[str]()
    return found | _STARTING if has_run else found


def _status(pod: Object) -> Iterator[str]:
    status = part(pod, "status")
    if status.get("reason"):
        yield f"{status['reason']}: {status.get('message', '')}"
    for condition in rows(status, "conditions"):
        if (condition.get("type"), condition.get("status")) in _TELLING:
            yield f"{condition.get('reason', '')}: {condition.get('message', '')}"
    for each in [*rows(status, "initContainerStatuses"), *rows(status, "containerStatuses")]:
        for held in (part(each, "state"), part(each, "lastState")):
            if waiting := part(held, "waiting"):
                yield f"{each.get('name')} waiting {waiting.get('reason', '')}: {waiting.get('message', '')}"
            if ended := part(held, "terminated"):
                yield f"{each.get('name')} terminated {ended.get('reason', '')}, exit {ended.get('exitCode')}"


def _has_failed(pods: list[Object]) -> bool:
    """Return whether a pod has ended, restarted, or cannot start."""
    for pod in pods:
        for each in rows(pod, "status", "containerStatuses"):
            waiting = part(each, "state", "waiting").get("reason")
            if each.get("restartCount") or waiting not in {None, "ContainerCreating", "PodInitializing"}:
                return True
    return any(_phase(pod) == "Failed" for pod in pods)


def _last_lines(texts: list[Text]) -> tuple[str, ...]:
    log = next((text.text for text in texts if text.where == "log" and text.text.strip()), "")
    return tuple([line for line in log.splitlines() if line.strip()][-_LAST_LINES:])


def _phase(pod: Object) -> Any:
    return part(pod, "status").get("phase")


def _label(pod: Object, name: str) -> Any:
    return part(pod, "metadata", "labels").get(f"app.kubernetes.io/{name}")


def _owner(pod: Object) -> str:
    owners = rows(pod, "metadata", "ownerReferences")
    return str(owners[0].get("name")) if owners else name_of(pod)


def _when(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")
