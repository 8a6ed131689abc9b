# SPDX-License-Identifier: Apache-2.0
"""What a request may not ask for on the platform that it names.

Owns these rules and their words; each points at the line of the setting. A setting that says its default is no
question, so that one model of a list may go elsewhere than its `defaults`. Does not own memory or prices.
"""

from collections.abc import Iterator

from hubstack.catalog import Catalog
from hubstack.files.problems import Problem
from hubstack.inputs.models import CapacityStep, ModelRequest
from hubstack.kinds import CapacityKind, PlatformKind

BOUGHT_AS_IS = (CapacityStep(kind=CapacityKind.ON_DEMAND),)


def find_problems(request: ModelRequest, region: str, catalog: Catalog) -> list[Problem]:
    """Return every setting that has no place on the platform of a model."""
    if request.platform is PlatformKind.CLOUD_RUN:
        return [*_beside_gke(request), *_on_cloud_run(request, region, catalog)]
    if request.platform is PlatformKind.VERTEX:
        return [*_beside_gke(request), *_on_vertex(request, catalog)]
    if request.accept_eula:
        yes = "`accept_eula` is for Model Garden: on gke the weights come from the Hub"
        return [request.mark("accept_eula").problem(yes, "leave it out, or set `platform: vertex`")]
    return []


def _beside_gke(request: ModelRequest) -> Iterator[Problem]:
    platform = request.platform
    asked = (
        ("capacity", request.capacity != BOUGHT_AS_IS, "no nodes are bought there",
         "say `capacity: [on-demand]` for this model, or leave it out"),
        ("share_gpu", request.share_gpu, "a server has a card of its own there",
         "say `share_gpu: false` for this model, or leave it out"),
        ("expert_parallel", request.expert_parallel, "a server has one machine there", "leave it out"),
        ("canary", request.canary_of is not None, "only the gateway of a cluster splits requests",
         "leave it out, or set `platform: gke`"),
        ("loading", request.loading != "auto", "the platform reads the weights in its own way", "leave it out"),
        ("cache", request.cache != "none", "it serves the nodes of a cluster", "leave it out"),
        ("keep_previous", request.keep_previous, "nothing is removed there", "leave it out"),
        ("lora", bool(request.lora_slots), "adapters that are loaded while it runs are lost when it stops",
         "leave it out, or set `platform: gke`"),
    )  # fmt: skip
    for setting, is_asked, why, hint in asked:
        if is_asked:
            yield request.mark(setting).problem(f"`{setting}` makes no sense on {platform}: {why}", hint)


def _accelerators(request: ModelRequest, known: list[str], catalog: Catalog) -> Iterator[Problem]:
    """Name each accelerator that the platform does not have; unknown words are another rule's."""
    for word in request.accelerators:
        row = catalog.accelerator(word)
        if row and row.id not in known:
            hint = f"it has: {', '.join(known)}"
            yield request.mark("accelerator").problem(f"{request.platform} has no `{word}`", hint)


def _on_cloud_run(request: ModelRequest, region: str, catalog: Catalog) -> Iterator[Problem]:
    gpus = catalog.cloud_run.gpus
    yield from _accelerators(request, sorted(gpus), catalog)
    wanted = {row.id for word in request.accelerators if (row := catalog.accelerator(word))} or set(gpus)
    able = [gpus[name] for name in sorted(wanted & set(gpus))]
    if able and not any(region in gpu.regions for gpu in able):
        where = "; ".join(f"{gpu.accelerator}: {', '.join(gpu.regions)}" for gpu in able)
        named = " or ".join(gpu.accelerator for gpu in able)
        message = f"Cloud Run has no {named} in {region}"
        yield request.mark("platform").problem(message, f"regions that the catalogue lists: {where}")
    if request.accept_eula:
        yield _no_eula(request)


def _no_eula(request: ModelRequest) -> Problem:
    why = "`accept_eula` is for Model Garden: on cloud-run the weights come from the Hub"
    return request.mark("accept_eula").problem(why, "leave it out, or set `platform: vertex`")


def _on_vertex(request: ModelRequest, catalog: Catalog) -> Iterator[Problem]:
    yield from _accelerators(request, sorted(catalog.vertex.accelerators), catalog)
    if request.replicas_min < 1:
        why = "a Model Garden deployment keeps at least one replica (`min_replica_count`)"
        hint = "set `replicas: {min: 1}`, or `platform: cloud-run`, which costs nothing while idle"
        yield request.mark("replicas").problem(f"replicas of `{request.key}`: {why}", hint)
    if request.revision != "main":
        why = "Model Garden takes no revision: it deploys whatever the repository holds then"
        yield request.mark("revision").problem(f"`{request.revision}`: {why}", "leave `revision:` out")
    for setting, value in (
        ("engine", request.engine), ("file", request.file), ("chat_template", request.chat_template),
        ("tool_call_parser", request.tool_call_parser), ("reasoning_parser", request.reasoning_parser),
        ("speculative", request.speculative_method), ("trust_remote_code", request.trust_remote_code),
    ):  # fmt: skip
        if value:
            why = f"`{setting}` makes no sense on vertex: Model Garden chooses the server and its flags"
            yield request.mark(setting).problem(why, "leave it out, or set `platform: cloud-run` or `gke`")
    if request.kv_cache_dtype != "auto":
        why = "`kv_cache_dtype` makes no sense on vertex: Model Garden chooses the server and its flags"
        yield request.mark("kv_cache_dtype").problem(why, "leave it out, or set `platform: cloud-run` or `gke`")
