# SPDX-License-Identifier: Apache-2.0
"""How a placed model loads its weights, and how long that takes.

Owns the choice between streaming, mounting the bucket and mounting a disk, the reasons, and the estimate: bytes /
rate, with the rates of catalog/load_rates.yaml. Does not own flags (`hubstack.planner.engines`), Kubernetes objects
(`hubstack.deploy.manifests`) or how weights are copied to the bucket (`hubstack.deploy.weights_job`). The methods
are compared in docs/concepts/weights.md.
"""

from dataclasses import dataclass

from hubstack.catalog import LoadRate, LoadRates
from hubstack.kinds import EngineKind
from hubstack.plan import Reason
from hubstack.plan.loading import LoadingMethod, LoadingPlan
from hubstack.planner.engines import spec_of
from hubstack.planner.engines.spec import Refusal
from hubstack.planner.model.weights import WeightsFormat

GIB = 1024**3
MIN_GAIN_SECONDS = 120
"""Minimum saving for which `auto` streams instead of mounting, which works with every engine."""
CACHE_SHARE_OF_DISK = 0.5
"""Maximum share of a node's boot disk for the weights' read cache; the rest is for system, images and scratch."""
STREAM_BUFFER_BYTES = 40_000_000_000
"""The Run:ai streamer's default buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loadable:
    """The properties of one placed model that determine how it is loaded."""

    engine: EngineKind
    format: WeightsFormat
    size_bytes: int
    """Bytes of the weight files in the bucket."""
    largest_file_bytes: int
    pooling: bool
    chat_template: bool
    has_folders: bool = False
    """Whether some weight files are in subfolders of the repository."""
    is_mistral: bool = False
    """Whether the weights use Mistral's format, which needs its own load format."""
    has_adapters: bool = False
    """Whether the model includes LoRA adapters for images or sounds."""
    ranks: int
    """Of one node."""
    hosts: int
    free_memory_bytes: int
    """Host memory of the server's container in bytes that its processes, its adapters and /dev/shm leave free."""
    adapter_bytes: int = 0
    """Bytes of adapters that all ranks of one node keep in it."""
    machine_types: tuple[str, ...]
    """Of every capacity step."""
    zones: tuple[tuple[str, ...], ...]
    """Of every capacity step."""
    boot_disk_gib: int
    network_bytes_per_second: int | None
    """The server's share of its node's network; None if the catalogue does not have it."""
    bucket_uri: str
    """`gs://bucket/commit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """The chosen loading method and the reason."""

    plan: LoadingPlan
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a node takes to load its weights."""

    seconds: int
    how: str
    """The arithmetic with its figures."""
    source: str | None
    """Source of the rate; None if it is our assumption."""


def refuse_loading(
    asked: str, cache: str, engine: EngineKind, format_: WeightsFormat, *, pooling: bool, chat_template: bool
) -> Refusal | None:
    """Return why the requested loading cannot work, as far as is known before placement; None otherwise."""
    if asked == LoadingMethod.HYPERDISK_ML and cache == "anywhere":
        why = "sets a bucket cache but loads from a disk, so nothing would use the cache"
        return Refusal(why=why, hint="remove `cache:`", field="cache")
    if asked != LoadingMethod.RUNAI_STREAMER:
        return None
    why = _cannot_stream(engine, format_, pooling=pooling, chat_template=chat_template)
    return _refused(asked, why) if why else None


def choose_loading(asked: str, cache: str, what: Loadable, rates: LoadRates) -> Loading | Refusal:
    """Choose how a placed model loads its weights.

    Args:
        asked: `auto` or a value of LoadingMethod.
        cache: `none` or `anywhere`.
        what: the placed model.
        rates: the catalogue's load rates.
    """
    early = _lacks_host_memory(what) or refuse_loading(
        asked, cache, what.engine, what.format, pooling=what.pooling, chat_template=what.chat_template
    )
    if early:
        return early
    cached, no_stream = cache == "anywhere", _cannot_stream_here(what)
    match asked:
        case LoadingMethod.HYPERDISK_ML:
            return _disk(what, rates)
        case LoadingMethod.GCSFUSE:
            return _mount(what, rates, "as set by `loading:`", cached=cached)
        case LoadingMethod.RUNAI_STREAMER if no_stream:
            return _refused(asked, no_stream)
        case LoadingMethod.RUNAI_STREAMER:
            return _stream(what, rates, "as set by `loading:`", cached=cached)
        case _:
            return _automatic(what, rates, no_stream, cached=cached)


def _lacks_host_memory(what: Loadable) -> Refusal | None:
    if not what.adapter_bytes or what.free_memory_bytes >= 0:
        return None
    held, room = what.adapter_bytes / GIB, max(what.free_memory_bytes + what.adapter_bytes, 0) / GIB
    why = f"keeps {held:.1f} GiB of adapters in host memory, but beside the engine its pod has {room:.1f} GiB"
    return Refusal(why=why, hint="list fewer adapters, or choose a machine with more memory", field="lora")


def _automatic(what: Loadable, rates: LoadRates, no_stream: str | None, *, cached: bool) -> Loading:
    """Stream if the engine can and it saves enough time; otherwise mount."""
    if no_stream:
        return _mount(what, rates, f"not streamed: {no_stream}", cached=cached)
    mounted, streamed = (
        estimate(method, what, rates, cached=cached)
        for method in (LoadingMethod.GCSFUSE, LoadingMethod.RUNAI_STREAMER)
    )
    gain = mounted.seconds - streamed.seconds
    if gain < MIN_GAIN_SECONDS:
        why = f"streaming would save only {max(gain, 0):,} of {mounted.seconds:,} s (minimum {MIN_GAIN_SECONDS})"
        return _mount(what, rates, why, cached=cached)
    return _stream(what, rates, f"saves {gain:,} of the {mounted.seconds:,} s that a mount takes", cached=cached)


def mount_elsewhere(size_bytes: int, platform: str, rates: LoadRates) -> Loading:
    """Return how a managed platform loads weights: through its own mount, whose rate is unknown."""
    seconds = -(-size_bytes // rates.slow_bytes_per_second)
    speed = rates.slow_bytes_per_second / 1e6
    text = f"{platform} loads the weights: {size_bytes / 1e9:,.1f} GB / {speed:,.0f} MB/s (our assumption)"
    plan = LoadingPlan(seconds=seconds, slow_seconds=seconds)
    return Loading(plan=plan, reason=Reason(topic="loading", text=f"{text} = {seconds:,} s"))


def estimate(method: LoadingMethod, what: Loadable, rates: LoadRates, *, cached: bool = False) -> Estimate:
    """Return the seconds that one node takes to load its weights, with the arithmetic.

    From a mount, a node reads only the files of its pipeline stage. With streaming, every node reads every file.
    """
    size = what.size_bytes if method is LoadingMethod.RUNAI_STREAMER else -(-what.size_bytes // what.hosts)
    row = rates.rates[_rate_id(method, what, cached=cached)]
    network = what.network_bytes_per_second
    speed, of = row.bytes_per_second, row.id
    if network is not None and network < speed:
        speed, of = max(network, 1), f"the node's network, slower than {row.id}"
    seconds = -(-size // speed)
    how = f"{size / 1e9:,.1f} GB / {speed / 1e6:,.0f} MB/s ({of}{_basis(row)}) = {seconds:,} s"
    return Estimate(seconds=seconds, how=how, source=row.source)


def fits_file_cache(size_bytes: int, boot_disk_gib: int) -> bool:
    """Return whether the weights fit the mount's cache on the node's disk."""
    return size_bytes <= boot_disk_gib * GIB * CACHE_SHARE_OF_DISK


def _basis(row: LoadRate) -> str:
    return "" if row.source else ", our assumption"


def _rate_id(method: LoadingMethod, what: Loadable, *, cached: bool) -> str:
    match method:
        case LoadingMethod.RUNAI_STREAMER:
            return "runai-streamer-cached" if cached else "runai-streamer"
        case LoadingMethod.HYPERDISK_ML:
            return "hyperdisk-ml"
        case LoadingMethod.GCSFUSE:
            return "gcsfuse-cached" if fits_file_cache(what.size_bytes, what.boot_disk_gib) else "gcsfuse"


def _cannot_stream(engine: EngineKind, format_: WeightsFormat, *, pooling: bool, chat_template: bool) -> str | None:
    """Return why the engine or repository rules out streaming, or None (sources: docs/concepts/weights.md)."""
    rules = (
        (
            format_ is not WeightsFormat.SAFETENSORS,
            f"its weights are {format_}, and only safetensors can be streamed",
        ),
        (pooling, "vLLM does not stream the subfolders of pooling models"),
        (chat_template, "its `chat_template:` is a file in the repository, and streaming mounts no files"),
    )
    return spec_of(engine).not_streamed or next((why for broken, why in rules if broken), None)


def _cannot_stream_here(what: Loadable) -> str | None:
    why = _cannot_stream(what.engine, what.format, pooling=what.pooling, chat_template=what.chat_template)
    if why is None and what.has_folders:
        why = "its weights are in subfolders, which the streamer does not read"
    if why is None and what.is_mistral:
        why = "its weights are in Mistral's format, which vLLM reads with `--load-format mistral` only"
    if why is None and what.has_adapters:
        why = "its LoRA adapters for images or sounds are files, and streaming mounts none"
    if why is None and what.free_memory_bytes < _least_buffer(what):
        need, have = _least_buffer(what) / GIB, max(what.free_memory_bytes, 0) / GIB
        why = f"the streamer may need a {need:.1f} GiB buffer, but the host has {have:.1f} GiB"
    return why


def _least_buffer(what: Loadable) -> int:
    """Return the minimum host memory in bytes that streaming may need.

    A whole tensor must fit, and it is at most as large as its file. Streamers before 0.17 hold all weights in host
    memory when ranks share the reading, and the version in an image is unknown.
    """
    return what.size_bytes if what.ranks > 1 else min(what.largest_file_bytes, what.size_bytes)


def _stream(what: Loadable, rates: LoadRates, why: str, *, cached: bool) -> Loading:
    found = estimate(LoadingMethod.RUNAI_STREAMER, what, rates, cached=cached)
    least = min(what.largest_file_bytes, what.size_bytes)
    plan = LoadingPlan(
        method=LoadingMethod.RUNAI_STREAMER,
        seconds=found.seconds,
        slow_seconds=-(-what.size_bytes // rates.slow_bytes_per_second),
        uri=what.bucket_uri,
        buffer_bytes=max(least, min(STREAM_BUFFER_BYTES, what.size_bytes, what.free_memory_bytes)),
        distributed=what.ranks > 1,
        cache_zones=_all_zones(what) if cached else (),
    )
    return _said("the Run:ai streamer", why, found, plan)


def _mount(what: Loadable, rates: LoadRates, why: str, *, cached: bool) -> Loading:
    found = estimate(LoadingMethod.GCSFUSE, what, rates, cached=cached)
    file_cache = fits_file_cache(what.size_bytes, what.boot_disk_gib)
    plan = LoadingPlan(
        method=LoadingMethod.GCSFUSE,
        seconds=found.seconds,
        slow_seconds=_slow_mounted(what, rates),
        file_cache=file_cache,
        cache_zones=_all_zones(what) if cached else (),
    )
    disk = (
        "parallel downloads to the node's disk" if file_cache else "no cache: the weights exceed half the boot disk"
    )
    return _said(f"a FUSE mount ({disk})", why, found, plan)


def _disk(what: Loadable, rates: LoadRates) -> Loading | Refusal:
    unfit = sorted({name for name in what.machine_types if not rates.attaches_disk(name)})
    if unfit:
        return _refused("hyperdisk-ml", f"the catalogue does not list it as attachable to {', '.join(unfit)}")
    common = sorted(set(what.zones[0]).intersection(*what.zones[1:]))
    if not common:
        return _refused("hyperdisk-ml", "a disk is in one zone, but its capacity steps have no zone in common")
    found = estimate(LoadingMethod.HYPERDISK_ML, what, rates)
    plan = LoadingPlan(
        method=LoadingMethod.HYPERDISK_ML,
        seconds=found.seconds,
        slow_seconds=_slow_mounted(what, rates),
        zone=common[0],
        disk_throughput_mib=rates.disk_throughput_mib,
    )
    return _said("a Hyperdisk ML volume", f"as set by `loading:`; its servers run in {common[0]} only", found, plan)


def _slow_mounted(what: Loadable, rates: LoadRates) -> int:
    return -(-what.size_bytes // what.hosts // rates.slow_bytes_per_second)


def _all_zones(what: Loadable) -> tuple[str, ...]:
    return tuple(sorted({zone for zones in what.zones for zone in zones}))


def _said(name: str, why: str, found: Estimate, plan: LoadingPlan) -> Loading:
    cache = f"; Anywhere Cache in {', '.join(plan.cache_zones)}" if plan.cache_zones else ""
    return Loading(
        plan=plan, reason=Reason(topic="loading", text=f"{name}: {why}; {found.how}{cache}", source=found.source)
    )


def _refused(asked: str, why: str) -> Refusal:
    hint = "remove `loading:`, or use `gcsfuse`, which works with every engine"
    return Refusal(why=f"cannot be loaded with `{asked}`: {why}", hint=hint, field="loading")
