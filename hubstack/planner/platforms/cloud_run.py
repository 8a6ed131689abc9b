# SPDX-License-Identifier: Apache-2.0
"""Cloud Run's instances in a region, and the service that runs a model there.

Owns the instances, expressed as offers so that sizing, engines and flags work as on GKE, and what a service needs
besides its server. Does not own the search (`hubstack.planner.placement.candidates`) or which settings are allowed
(`hubstack.planner.platforms.rules`). Sources: docs/concepts/cloud-run.md.
"""

from collections.abc import Iterator
from dataclasses import replace

from hubstack.catalog import Catalog, CloudRunGpu, InstanceShape, MachineType, Price, Provenance
from hubstack.files.problems import Problem
from hubstack.inputs.models import ModelRequest
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import CapacityKind, PlatformKind
from hubstack.names import MODEL_DIR
from hubstack.plan import ServerPlan
from hubstack.plan.managed import CloudRunPlan, JobPlan
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model_plan import Draft, Hosting, PlacedDraft
from hubstack.planner.placement.candidates import Candidate
from hubstack.planner.placement.offers import Offer
from hubstack.planner.platforms.rules import absent_accelerators, beside_nodes, no_eula
from hubstack.planner.platforms.spec import PlatformSpec
from hubstack.planner.serving.choose_loading import mount_elsewhere
from hubstack.planner.serving.container import answer_seconds

GIB = 1024**3
SECONDS_PER_HOUR = 3600
JOB_OVERHEAD_GIB = 4
"""Memory of the loader's own process, as on GKE (`hubstack.deploy.manifests`)."""
JOB_TIMEOUT_SECONDS = 6 * SECONDS_PER_HOUR
LEAST_TIMEOUT_SECONDS, MOST_TIMEOUT_SECONDS = 300, 3600
"""Request timeout: Cloud Run's default and its maximum."""
MOST_CONCURRENCY = 1000


def list_offers(catalog: Catalog, target: StackSettings) -> tuple[Offer, ...]:
    """Return every instance shape available in the region, each as an offer of one machine with one GPU."""
    return tuple(
        _offer(gpu, shape, catalog, target.region)
        for gpu in catalog.cloud_run.gpus.values()
        if target.region in gpu.regions
        for shape in gpu.shapes
    )


def _offer(gpu: CloudRunGpu, shape: InstanceShape, catalog: Catalog, region: str) -> Offer:
    accelerator = catalog.accelerators[gpu.accelerator]
    name = f"cloud-run-{gpu.accelerator}-{shape.vcpu}vcpu-{shape.memory_gib}gib"
    machine = MachineType(
        name=name,
        gce_machine_type=name,
        accelerator=gpu.accelerator,
        accelerator_count=1,
        accelerator_fraction=None,
        accelerator_memory_gb=accelerator.memory_gb_marketing,
        vcpu=shape.vcpu,
        ram_gb=shape.memory_gib,
        allocatable_cpu_millicores=shape.vcpu * 1000,
        # The 10 % that nodes reserve for DaemonSets covers the files that a server writes and the bucket mount's
        # cache here: both are kept in memory.
        allocatable_memory_bytes=shape.memory_gib * GIB,
        local_ssd_bundled_gib=0,
        network_gbit_per_s=None,
        on_demand=True,
        spot=False,
        flex_start=False,
        reservation=False,
        min_gke_version=None,
        boot_disk_type=None,
        unverified=frozenset(),
        sources=gpu.sources,
    )
    return Offer(
        machine=machine,
        accelerator=accelerator,
        count=1,
        zones=(region,),
        row=instance_price(gpu, shape, catalog, region, name),
    )


def instance_price(
    gpu: CloudRunGpu, shape: InstanceShape, catalog: Catalog, region: str, name: str
) -> Price | None:
    """Return an instance's price in USD per hour (GPU, vCPU and memory), or None if a rate is unknown."""
    rates = [catalog.cloud_run_price(item, region) for item in (gpu.name, "vcpu", "memory-gib")]
    known = [rate for rate in rates if rate is not None]
    if len(known) < len(rates):
        return None
    card, vcpu, memory = known
    second = card.usd_per_second + shape.vcpu * vcpu.usd_per_second + shape.memory_gib * memory.usd_per_second
    how = (
        f"({card.usd_per_second:g} + {shape.vcpu} x {vcpu.usd_per_second:g} + "
        f"{shape.memory_gib} x {memory.usd_per_second:g}) USD per second"
    )
    origin = Provenance(
        source=card.source, as_of=card.as_of, derived=how, is_unverified=any(rate.is_unverified for rate in known)
    )
    return Price(
        machine_type=name,
        region=region,
        on_demand=round(second * SECONDS_PER_HOUR, 6),
        spot=None,
        flex_start=None,
        cud_1y=None,
        cud_3y=None,
        is_list_price=False,
        provenance={"on_demand": origin},
    )


def job_of(largest_file_bytes: int, catalog: Catalog) -> JobPlan | None:
    """Return the loader's Job, or None if no Job has enough memory for the largest file."""
    needed = 2 * largest_file_bytes / GIB + JOB_OVERHEAD_GIB
    shape = next((shape for shape in catalog.cloud_run.memory if shape.memory_gib >= needed), None)
    if shape is None:
        return None
    return JobPlan(vcpu=shape.vcpu, memory_gib=shape.memory_gib, timeout_seconds=JOB_TIMEOUT_SECONDS)


def _refuse(draft: Draft, catalog: Catalog) -> Refusal | None:
    """Return why no Job can copy the weights, or None if one can."""
    largest_file_bytes = draft.demand.largest_file_bytes
    if job_of(largest_file_bytes, catalog):
        return None
    size, most = largest_file_bytes / GIB, catalog.cloud_run.memory[-1].memory_gib
    return Refusal(
        why=f"has a {size:.1f} GiB file: a Cloud Run Job needs twice that in memory, and has at most {most} GiB",
        hint="set `platform: gke`",
        field="platform",
    )


def _plan(draft: Draft, taken: Candidate, catalog: Catalog, target: StackSettings) -> Hosting:
    """Return how a Cloud Run instance serves one model."""
    job = job_of(draft.demand.largest_file_bytes, catalog)
    if job is None:  # `_refuse` rejects these models first
        raise ValueError(f"{draft.demand.request.key} has a file too large for any Cloud Run Job")
    gpu = catalog.cloud_run.gpus[taken.offer.accelerator.id]
    facts, machine = draft.demand.facts, taken.offer.machine
    # The whole bucket is mounted (components/pulumi_hubstack/cloud_run_service.py), so the engine gets the path of
    # the commit's folder.
    loading = mount_elsewhere(draft.demand.weights.size_bytes, "Cloud Run", catalog.load_rates)
    model = PlacedDraft(
        draft=draft,
        taken=taken,
        loading=loading,
        limits=catalog.termination,
        model_dir=f"{MODEL_DIR}/{facts.commit}",
    )
    price = taken.offer.price(CapacityKind.ON_DEMAND)
    server = _server(model.server, taken, gpu)
    limits, allowed = catalog.cloud_run, server.startup.period_seconds * server.startup.failure_threshold
    period = min(server.startup.period_seconds, limits.probe_period_seconds)
    failures = min(allowed, limits.probe_window_seconds) // period
    bandwidth = taken.offer.accelerator.bandwidth_gbps
    wait = server.load_seconds + answer_seconds(draft.demand.weights.size_bytes, 1, bandwidth)
    run = CloudRunPlan(
        accelerator=gpu.name,
        vcpu=machine.vcpu,
        memory_gib=int(machine.ram_gb),
        concurrency=_concurrency(draft, taken),
        timeout_seconds=min(max(LEAST_TIMEOUT_SECONDS, wait), MOST_TIMEOUT_SECONDS),
        startup_period_seconds=period,
        startup_failure_threshold=failures,
        ingress=target.run_ingress,
        invokers=target.run_invokers,
        usd_per_instance_hour=price.usd_per_hour if price else None,
        price_source=price.source if price else None,
        price_as_of=price.as_of if price else None,
        loader=job,
    )
    return Hosting(
        placed=model,
        platform_name="Cloud Run",
        server=server,
        cloud_run=run,
        warnings=tuple(_warnings(model, gpu, target)),
    )


def _server(server: ServerPlan, taken: Candidate, gpu: CloudRunGpu) -> ServerPlan:
    """Return the server adapted to an instance: it gets all vCPUs and runs as the image's own user."""
    env = dict(server.env)
    if _is_old(gpu, taken):
        env |= spec_of(taken.kind).old_driver_env
    return replace(server, env=tuple(sorted(env.items())), cpu_millicores=taken.offer.machine.vcpu * 1000)


def _is_old(gpu: CloudRunGpu, taken: Candidate) -> bool:
    return (taken.engine.min_driver or 0) > gpu.driver


def _concurrency(draft: Draft, taken: Candidate) -> int:
    """Return the requests that Cloud Run sends to an instance at once; the excess waits in the engine's queue."""
    if spec_of(taken.kind).has_slots:
        return min(draft.demand.settings.concurrency, MOST_CONCURRENCY)
    return min(taken.load.sequences, MOST_CONCURRENCY)


def _warnings(model: PlacedDraft, gpu: CloudRunGpu, target: StackSettings) -> Iterator[str]:
    taken, replicas = model.taken, model.replicas.max
    name = taken.offer.accelerator.name
    if target.region in gpu.by_invitation:
        yield f"Cloud Run offers {name} in {target.region} by invitation only: ask Google for access first"
    if target.region in gpu.in_doubt:
        opened = f"Google's pages disagree on whether Cloud Run's {name} in {target.region} is open to everyone"
        yield f"{opened} or by invitation only: check before you deploy"
    if gpu.is_preview:
        yield f"Cloud Run's {name} was in preview when the catalogue was written"
    if gpu.default_quota is not None and replicas > gpu.default_quota:
        wanted = f"{replicas} instances exceed the default quota of {gpu.default_quota}"
        yield f"{wanted} (NVIDIA L4 without zonal redundancy, per region): request an increase"
    if _is_old(gpu, taken):
        floor = (
            f"{taken.engine.name} needs driver {taken.engine.min_driver}, but Cloud Run's {name} has {gpu.driver}"
        )
        helped = bool(spec_of(taken.kind).old_driver_env)
        how = "it starts with CUDA's compatibility package" if helped else "it may not start"
        yield f"{floor}: {how}"


def _find_problems(request: ModelRequest, region: str, catalog: Catalog) -> Iterator[Problem]:
    gpus = catalog.cloud_run.gpus
    yield from beside_nodes(request)
    yield from absent_accelerators(request, sorted(gpus), catalog)
    wanted = {row.id for word in request.settings.accelerators if (row := catalog.accelerator(word))} or set(gpus)
    able = [gpus[name] for name in sorted(wanted & set(gpus))]
    if able and not any(region in gpu.regions for gpu in able):
        where = "; ".join(f"{gpu.accelerator}: {', '.join(gpu.regions)}" for gpu in able)
        named = " or ".join(gpu.accelerator for gpu in able)
        message = f"Cloud Run has no {named} in {region}"
        yield request.mark("platform").problem(message, f"regions in the catalogue: {where}")
    yield from no_eula(request)


SPEC = PlatformSpec(
    kind=PlatformKind.CLOUD_RUN,
    offers=list_offers,
    find_problems=_find_problems,
    refuse=_refuse,
    takes_identity=True,
    plan=_plan,
)
