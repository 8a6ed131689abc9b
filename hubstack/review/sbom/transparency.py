# SPDX-License-Identifier: Apache-2.0
"""What people ask of a stack that answers them: what runs, where, under which licence, who reaches it, what leaves.

Owns the sentences; each follows from the plan or the lock, and what is not known is said so. Does not own how they
look (`hubstack.review.sbom.page`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hubstack.deploy.manifests import CLIENT_LABEL
from hubstack.hub.facts import ModelFacts
from hubstack.kinds import Ingress
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import Exposure, GatewayAuth
from hubstack.review.report.report import cards

HUB = "https://huggingface.co"
_QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Settings by which engines are told to send no usage statistics; vLLM knows both."""
_MORE = 8
"""Names of datasets that are shown of one model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of the page."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(plan: Plan, facts: Mapping[str, ModelFacts]) -> tuple[Section, ...]:
    """Return the parts of the page in their order.

    Args:
        plan: what runs.
        facts: what the lock says, by the key of the model.
    """
    return (
        _what(plan), _where(plan), _licenses(plan, facts), _origin(plan, facts),
        Section(title="Who can reach it", lines=tuple(_reach(plan))),
        Section(title="What data leaves", lines=tuple(_leaves(plan))),
    )  # fmt: skip


def _what(plan: Plan) -> Section:
    rows = (
        (m.key, m.id, m.commit, f"{m.server.engine} {m.server.version or ''}".strip(), m.provenance.weights_format,
         f"{m.replicas.min} to {m.replicas.max}", m.provenance.scan)
        for m in plan.models
    )  # fmt: skip
    columns = ("name", "model on the Hub", "commit", "engine", "weights", "servers", "the Hub's security scan")
    code = [m.key for m in plan.models if m.provenance.runs_remote_code]
    said = f"Python of the repository runs in: {', '.join(code)}." if code else "No repository's own Python runs."
    vertex = [m.key for m in plan.models if m.vertex]
    lines = [said]
    if vertex:
        lines.append(f"Vertex AI takes no commit and chooses the server itself: {', '.join(vertex)}.")
    return Section(title="What runs", lines=tuple(lines), columns=columns, rows=tuple(rows))


def _where(plan: Plan) -> Section:
    rows = tuple((m.key, m.platform_name, cards(m), m.machine_type, _zones(plan, m)) for m in plan.models)
    line = f"Google Cloud project {plan.target.project}, region {plan.target.region}."
    return Section(
        title="Where", lines=(line,), columns=("name", "on", "accelerators", "machine type", "zones"), rows=rows
    )


def _zones(plan: Plan, model: ModelPlan) -> str:
    zones = sorted({zone for step in model.steps for zone in step.zones})
    return ", ".join(zones) or f"chosen by Google in {plan.target.region}"


def _licenses(plan: Plan, facts: Mapping[str, ModelFacts]) -> Section:
    rows = ((m.key, m.license or "not stated", _terms(m, facts[m.key])) for m in plan.models)
    return Section(title="Licences and terms", columns=("name", "licence", "terms"), rows=tuple(rows))


def _terms(model: ModelPlan, facts: ModelFacts) -> str:
    if facts.gated is None:
        return "open to everyone"
    how = {"auto": "access follows at once", "manual": "the publisher decides who gets access"}
    said = how.get(facts.gated, "access must be asked for")
    return f"gated: terms were to be accepted on {HUB}/{model.id}; {said}"


def _origin(plan: Plan, facts: Mapping[str, ModelFacts]) -> Section:
    rows = tuple(
        (m.key, ", ".join(facts[m.key].base_models) or "the lock names none", _named(facts[m.key].datasets))
        for m in plan.models
    )
    line = "As the publishers' cards say; nobody has checked it. A lock made by an older hubstack names neither."
    return Section(title="Made from", lines=(line,), columns=("name", "base model", "datasets"), rows=rows)


def _named(datasets: tuple[str, ...]) -> str:
    more = f" and {len(datasets) - _MORE} more" if len(datasets) > _MORE else ""
    return (", ".join(datasets[:_MORE]) + more) or "the lock names none"


def _reach(plan: Plan) -> Iterator[str]:
    if plan.on_gke:
        yield (
            f"In the cluster: pods of the namespace {plan.target.namespace}, pods of namespaces with the label "
            f"{CLIENT_LABEL}=true, and Google's metrics collectors. Other pods are kept out by a network policy."
        )
        yield _gateway(plan)
        yield "The nodes have no public address. The control plane answers by DNS name, to those whom IAM lets in."
    for model in plan.models:
        if run := model.cloud_run:
            callers = ", ".join(run.invokers) or "nobody until the role roles/run.invoker is given"
            yield f"{model.key}: {_INGRESS[run.ingress]}; answered are {callers}."
        elif model.vertex:
            yield f"{model.key}: Vertex AI's API, for those with a role in the project that lets them ask it."


_INGRESS = {
    Ingress.INTERNAL: "requests from the project's own networks",
    Ingress.LOAD_BALANCER: "requests from the project's own networks and its load balancers",
    Ingress.ALL: "requests from the internet",
}


def _gateway(plan: Plan) -> str:
    gateway = plan.gateway
    if gateway is None:
        return "From outside the cluster: nobody. There is no gateway, no load balancer and no ingress."
    at = gateway.host or "its address"
    if gateway.exposure is Exposure.INTERNAL:
        secured = "over TLS" if gateway.certificate else "without TLS"
        return (
            f"In the VPC network and in networks joined to it: every client, at {at}, {secured}. It asks for no "
            "name: whoever reaches the network reaches the models."
        )
    who = {
        GatewayAuth.IAP: "people and accounts that Identity-Aware Proxy lets in",
        GatewayAuth.API_KEYS: "holders of an API key",
    }
    known = who[gateway.auth] if gateway.auth else "everyone"
    return f"From the internet, at {at}, over TLS: {known}."


def _leaves(plan: Plan) -> Iterator[str]:
    copied = [m.key for m in plan.models if m.has_bucket]
    if copied:
        yield (
            "To the Hub: a loader asks for the files of each model once, by repository and commit, and for a gated "
            "model with your token. It sends no usage data (HF_HUB_DISABLE_TELEMETRY). It installs pinned packages "
            "from PyPI."
        )
        yield from _telemetry([m for m in plan.models if m.key in copied])
        yield (
            "Prompts and answers stay in the server's memory, as far as hubstack sets it up; what your clients and "
            "an engine's own log write is not known here."
        )
    if plan.on_gke:
        yield "To Cloud Logging: what containers print. To Cloud Monitoring: metrics of nodes and cards."
        yield (
            "Nothing is set up to send anything else, and nothing forbids it: pods may open connections to the "
            "internet through Cloud NAT. A network policy for egress is yours to add."
        )
    elif copied:
        yield "To Cloud Logging: what containers print. To Cloud Monitoring: Cloud Run's own metrics."
    if plan.monitoring and (plan.monitoring.emails or plan.monitoring.channels):
        told = ", ".join((*plan.monitoring.emails, *plan.monitoring.channels))
        yield f"Alerts, with names of models and figures, go to {told}."
    if vertex := [m.key for m in plan.models if m.vertex]:
        yield f"Vertex AI fetches and serves {', '.join(vertex)} itself; what it keeps, Google's terms say."


def _telemetry(models: list[ModelPlan]) -> Iterator[str]:
    quiet = [m.key for m in models if any((name, value) in m.server.env for name, value in _QUIET.items())]
    offline = [m.key for m in models if ("HF_HUB_OFFLINE", "1") in m.server.env]
    loud = [m.key for m in models if m.key not in quiet]
    if quiet:
        yield f"Told to send no usage statistics (DO_NOT_TRACK, VLLM_NO_USAGE_STATS): {', '.join(quiet)}."
    if loud:
        yield f"Not told to send no usage statistics: {', '.join(loud)}."
    if offline:
        yield f"The server does not ask the Hub (HF_HUB_OFFLINE): {', '.join(offline)}."
