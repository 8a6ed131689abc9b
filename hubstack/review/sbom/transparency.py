# SPDX-License-Identifier: Apache-2.0
"""The content of the transparency page: what runs, where, under which licence, who can reach it, what data leaves.

Owns the sentences; each follows from the plan or the lock, and unknown facts are marked as such. Does not own the
layout (`hubstack.review.sbom.page`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hubstack.deploy.manifests import CLIENT_LABEL
from hubstack.hub.facts import ModelFacts
from hubstack.kinds import Ingress
from hubstack.plan import CompanionPlan, ModelPlan, Plan
from hubstack.plan.gateway import Exposure, GatewayAuth
from hubstack.review.report.report import cards

HUB = "https://huggingface.co"
_QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Environment variables that turn off usage statistics; vLLM reads both."""
_MORE = 8
"""Maximum number of datasets shown per model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of the page."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(
    plan: Plan, facts: Mapping[str, ModelFacts], beside: Mapping[tuple[str, str], ModelFacts]
) -> tuple[Section, ...]:
    """Return the sections of the page in order.

    Args:
        plan: what runs.
        facts: locked facts by model key.
        beside: locked facts of adapters and draft models by repository ID and commit.
    """
    return (
        _what(plan),
        _where(plan),
        _licenses(plan, facts, beside),
        _origin(plan, facts, beside),
        Section(title="Who can reach it", lines=tuple(_reach(plan))),
        Section(title="What data leaves", lines=tuple(_leaves(plan))),
    )


def _what(plan: Plan) -> Section:
    rows = (
        (
            m.key,
            m.id,
            m.commit,
            f"{m.server.engine} {m.server.version or ''}".strip(),
            m.provenance.weights_format,
            f"{m.replicas.min} to {m.replicas.max}",
            m.provenance.scan,
        )
        for m in plan.models
    )
    others = (
        (
            _name(m, each),
            each.id,
            each.commit,
            "with the model",
            each.provenance.weights_format,
            "",
            each.provenance.scan,
        )
        for m, each in _companions(plan)
    )
    columns = ("name", "model on the Hub", "commit", "engine", "weights", "servers", "the Hub's security scan")
    code = [m.key for m in plan.models if m.provenance.runs_remote_code]
    said = (
        f"These models run Python code from their repository: {', '.join(code)}."
        if code
        else "No model runs Python code from its repository."
    )
    vertex = [m.key for m in plan.models if m.vertex]
    lines = [said]
    if vertex:
        lines.append(f"Vertex AI does not accept a commit and chooses the server: {', '.join(vertex)}.")
    return Section(title="What runs", lines=tuple(lines), columns=columns, rows=(*rows, *others))


def _companions(plan: Plan) -> list[tuple[ModelPlan, CompanionPlan]]:
    """Return each model with each of its adapters and its draft model; a canary uses those of its model."""
    return [(m, each) for m in plan.models if not m.canary_of for each in m.companions or ()]


def _name(model: ModelPlan, companion: CompanionPlan) -> str:
    return f"{companion.role} of {model.key}: {companion.name}"


def _where(plan: Plan) -> Section:
    rows = tuple((m.key, m.platform_name, cards(m), m.machine_type, _zones(plan, m)) for m in plan.models)
    line = f"Google Cloud project {plan.target.project}, region {plan.target.region}."
    return Section(
        title="Where", lines=(line,), columns=("name", "on", "accelerators", "machine type", "zones"), rows=rows
    )


def _zones(plan: Plan, model: ModelPlan) -> str:
    zones = sorted({zone for step in model.steps for zone in step.zones})
    return ", ".join(zones) or f"chosen by Google in {plan.target.region}"


def _licenses(plan: Plan, facts: Mapping[str, ModelFacts], beside: Mapping[tuple[str, str], ModelFacts]) -> Section:
    rows = ((m.key, m.license or "not stated", _terms(facts[m.key])) for m in plan.models)
    others = (
        (_name(m, each), each.license or "not stated", _terms(beside[each.id, each.commit]))
        for m, each in _companions(plan)
    )
    return Section(title="Licences and terms", columns=("name", "licence", "terms"), rows=(*rows, *others))


def _terms(facts: ModelFacts) -> str:
    if facts.gated is None:
        return "open to everyone"
    how = {"auto": "access is granted automatically", "manual": "the publisher approves each request"}
    said = how.get(facts.gated, "access must be requested")
    return f"gated: terms must be accepted at {HUB}/{facts.id}; {said}"


def _origin(plan: Plan, facts: Mapping[str, ModelFacts], beside: Mapping[tuple[str, str], ModelFacts]) -> Section:
    known = [(m.key, facts[m.key]) for m in plan.models]
    known += [(_name(m, each), beside[each.id, each.commit]) for m, each in _companions(plan)]
    rows = tuple(
        (name, ", ".join(own.base_models) or "none in the lock", _named(own.datasets)) for name, own in known
    )
    line = "As declared in the model cards; not verified. Locks of older hubstack versions contain neither."
    return Section(title="Provenance", lines=(line,), columns=("name", "base model", "datasets"), rows=rows)


def _named(datasets: tuple[str, ...]) -> str:
    more = f" and {len(datasets) - _MORE} more" if len(datasets) > _MORE else ""
    return (", ".join(datasets[:_MORE]) + more) or "none in the lock"


def _reach(plan: Plan) -> Iterator[str]:
    if plan.on_gke:
        yield (
            f"Inside the cluster: pods in namespace {plan.target.namespace}, pods in namespaces labelled "
            f"{CLIENT_LABEL}=true, and Google's metrics collectors. A network policy blocks all other pods."
        )
        yield _gateway(plan)
        reached = (
            "only at its address in the stack's network"
            if plan.target.private_control_plane
            else "by DNS name from any network and protected by IAM"
        )
        yield f"Nodes have no external IP address. The control plane is reachable {reached}."
    for model in plan.models:
        if run := model.cloud_run:
            callers = ", ".join(run.invokers) or "nobody until roles/run.invoker is granted"
            yield f"{model.key}: accepts {_INGRESS[run.ingress]}; allowed callers: {callers}."
        elif model.vertex:
            yield f"{model.key}: callable through the Vertex AI API with a prediction role in the project."


_INGRESS = {
    Ingress.INTERNAL: "requests from the project's own networks",
    Ingress.LOAD_BALANCER: "requests from the project's own networks and its load balancers",
    Ingress.ALL: "requests from the internet",
}


def _gateway(plan: Plan) -> str:
    gateway = plan.gateway
    if gateway is None:
        return "Outside the cluster: nobody. There is no gateway, load balancer or ingress."
    at = gateway.host or "its address"
    if plan.callers:
        where = (
            "From the internet"
            if gateway.exposure is Exposure.EXTERNAL
            else "In the VPC network and connected ones"
        )
        secured = "over TLS" if gateway.certificate else "without TLS"
        teams = "; ".join(f"{each.name} ({', '.join(each.models)})" for each in plan.callers.callers)
        return f"{where}, at {at}, {secured}: holders of a caller's key, for the models of that caller: {teams}."
    if gateway.exposure is Exposure.INTERNAL:
        secured = "over TLS" if gateway.certificate else "without TLS"
        return (
            f"In the VPC network and connected networks: every client, at {at}, {secured}. There is no "
            "authentication: anyone on the network can call the models."
        )
    who = {
        GatewayAuth.IAP: "users and service accounts authorized by Identity-Aware Proxy",
        GatewayAuth.API_KEYS: "holders of an API key",
    }
    known = who[gateway.auth] if gateway.auth else "everyone"
    return f"From the internet, at {at}, over TLS: {known}."


def _leaves(plan: Plan) -> Iterator[str]:
    copied = [m.key for m in plan.models if m.has_bucket]
    if copied:
        yield (
            "To the Hub: a loader downloads each model's files once, by repository and commit, with your token "
            "for gated models. It sends no usage data (HF_HUB_DISABLE_TELEMETRY) and installs pinned packages "
            "from PyPI."
        )
        yield from _telemetry([m for m in plan.models if m.key in copied])
        yield (
            "hubstack configures nothing that stores prompts or responses outside the server's memory; it does not "
            "know what your clients or the engine's own logs record."
        )
    if plan.on_gke:
        yield "To Cloud Logging: container output. To Cloud Monitoring: node and accelerator metrics."
        yield (
            f"Network policies block everything else from pods in namespace {plan.target.namespace}: a server "
            "reaches DNS, its metadata server and Cloud Storage (nothing if its weights are on a disk); a loader "
            "also the Hub and PyPI, by host name. DNS queries and the Cloud Storage of other projects are not "
            "blocked "
            "(docs/concepts/security.md)."
        )
    elif copied:
        yield "To Cloud Logging: container output. To Cloud Monitoring: Cloud Run metrics."
    if plan.monitoring and (plan.monitoring.emails or plan.monitoring.channels):
        told = ", ".join((*plan.monitoring.emails, *plan.monitoring.channels))
        yield f"Alerts with model names and metrics are sent to {told}."
    if outside := [m.key for m in plan.models if m.cloud_run or m.vertex]:
        yield f"Network policies do not apply to {', '.join(outside)}: they run outside the cluster."
    if vertex := [m.key for m in plan.models if m.vertex]:
        yield f"Vertex AI fetches and serves {', '.join(vertex)} itself; Google's terms cover what it retains."


def _telemetry(models: list[ModelPlan]) -> Iterator[str]:
    quiet = [m.key for m in models if any((name, value) in m.server.env for name, value in _QUIET.items())]
    offline = [m.key for m in models if ("HF_HUB_OFFLINE", "1") in m.server.env]
    loud = [m.key for m in models if m.key not in quiet]
    if quiet:
        yield f"Usage statistics disabled (DO_NOT_TRACK, VLLM_NO_USAGE_STATS): {', '.join(quiet)}."
    if loud:
        yield f"Usage statistics not disabled: {', '.join(loud)}."
    if offline:
        yield f"The server does not contact the Hub (HF_HUB_OFFLINE): {', '.join(offline)}."
