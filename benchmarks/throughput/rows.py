# SPDX-License-Identifier: Apache-2.0
"""Rows of throughput.yaml as hubstack's own inputs, or why a row is not compared.

Settings that a row leaves out are its engine's documented defaults, never fitted: the batch limit (vLLM 256, or 1,024
on cards of 70 GiB and more other than A100 since 0.8; TensorRT-LLM 2,048), the tokens of a step (2,048, or 8,192 on
those cards), and on MoE checkpoints in 4 bits attention in 16 bits, as their publishers keep it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack.catalog import load_catalog
from hubstack.hub.facts import ModelFacts
from hubstack.kinds import AcceleratorKind, EngineKind
from hubstack.planner.engines import spec_of
from hubstack.planner.memory.kv_cache import kv_window_bytes_per_token
from hubstack.planner.memory.sizing import GIB, Device, Workload, size_model
from hubstack.planner.model.geometry import Geometry, read_geometry
from hubstack.planner.model.weights import WeightsSize, choose_files, weights_size
from hubstack.planner.performance.costs import Cache, Layout, Lengths
from hubstack.planner.performance.hardware import Hardware, generation_of, read_hardware
from hubstack.planner.performance.work import Work, read_work

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "facts"
ROWS = SHARED / "throughput.yaml"
ENGINES = ("vllm", "sglang", "trtllm", "jetstream")
QUANTIZATION: dict[str, dict[str, Any]] = {
    "bf16": {},
    "fp16": {},
    "fp8": {"quant_method": "fp8"},
    "nvfp4": {"quant_method": "nvfp4", "format": "nvfp4-pack-quantized"},
    "mxfp4": {"quant_method": "mxfp4"},
    "int8": {"quant_method": "compressed-tensors", "format": "int-quantized", "bits": 8},
    "int8-w8a8": {"quant_method": "compressed-tensors", "format": "int-quantized", "bits": 8},
    "int4": {"quant_method": "compressed-tensors", "format": "pack-quantized", "bits": 4},
    "w4a16": {"quant_method": "compressed-tensors", "format": "pack-quantized", "bits": 4},
    "awq": {"quant_method": "awq", "bits": 4},
    "awq-int4": {"quant_method": "awq", "bits": 4},
    "gptq": {"quant_method": "gptq", "bits": 4},
    "gptq-int4": {"quant_method": "gptq", "bits": 4},
}
SHAREGPT = (245.0, 350.0)
"""Tokens of a ShareGPT conversation if a row gives none: the mean of the rows that do."""
VLLM_UNTIL = (("20250318", (0, 7)), ("20260120", (0, 13)))
"""Releases of vLLM before a date, on which PyPI got 0.8 and 0.14: for a row that gives a date and no release."""
SEVERAL_PAST = 3000
"""Requests of an offline run that does not say how many: enough that its beginning and end do not count."""


@dataclass(frozen=True)
class Measured:
    """A row with enough information to be evaluated."""

    row: dict[str, Any]
    model: str
    """First name of the model's entry, by which rows are left out together."""
    engine: str
    """Key of the constants: an engine, or a release line of it with different kernels."""
    hardware: Hardware
    work: Work
    layout: Layout
    cache: Cache
    lengths: Lengths
    chunk: float
    replicas: int
    mode: str
    """`closed` (fixed number of callers), `at once` (all prompts queued) or `open` (fixed request rate)."""
    callers: float
    limit: float
    """Maximum running sequences by memory and the engine's limit."""
    prompts: float
    is_varied: bool
    """Whether request lengths vary widely."""
    is_lockstep: bool
    """Whether all callers start together with equal lengths, so that prompts never interrupt decoding."""
    is_output: bool
    """Whether the row's figure is output tokens per second; otherwise time per token."""
    value: float
    first_token_s: float | None

    @property
    def batch(self) -> float:
        return max(min(self.callers, self.limit), 1.0)

    @property
    def quality(self) -> str:
        return self.row["quality"]

    @property
    def has_experts(self) -> bool:
        return bool(self.work.experts)

    @property
    def ranks(self) -> int:
        return self.layout.tensor_parallel * self.layout.pipeline_parallel

    @property
    def accelerator(self) -> str:
        return self.row["accelerator"]


def read_rows(path: Path) -> tuple[list[Measured], list[tuple[str, str]]]:
    """Return the rows that can be judged, and the ids of the others with their reasons."""
    judged: list[Measured] = []
    left: list[tuple[str, str]] = []
    for row in _read(path):
        found = _measured(row)
        if isinstance(found, str):
            left.append((row["id"], found))
        else:
            judged.append(found)
    return judged, left


def _read(path: Path) -> Iterator[dict[str, Any]]:
    """Read one row a line: the file is JSON in YAML, and a YAML reader takes a minute for it."""
    for line in path.read_text().splitlines():
        if line.startswith("- {"):
            yield json.loads(line[2:])


@cache
def _models() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    hub = SHARED / "hub_models.yaml"
    if hub.is_file():
        for entry in yaml.load(hub.read_bytes(), Loader=yaml.CSafeLoader)["models"]:
            total = (entry.get("safetensors_parameters") or {}).get("total")
            if total and entry.get("config") and not entry.get("quantization"):
                found[entry["id"]] = {"names": [entry["id"]], "parameters": total, "config": entry["config"]}
    for entry in yaml.safe_load((HERE / "models.yaml").read_text())["models"]:
        found |= dict.fromkeys(entry["names"], entry)
    return found


@cache
def _accelerators() -> dict[str, tuple[Hardware, int, bool, bool]]:
    """Return name to what a rank can do, bytes that an engine sees, whether it is a TPU, and a large card of today."""
    said = yaml.safe_load((HERE / "accelerators.yaml").read_text())
    found: dict[str, tuple[Hardware, int, bool, bool]] = {}
    for accelerator in load_catalog().accelerators.values():
        is_tpu, size = accelerator.kind is AcceleratorKind.TPU, accelerator.memory_bytes_visible
        large = not is_tpu and size >= 70 * GIB and "a100" not in accelerator.id
        found[accelerator.id] = (read_hardware(accelerator), size, is_tpu, large)
    for each in said["accelerators"]:
        generation, link = generation_of(AcceleratorKind.GPU, each["capability"]), each.get("link_gb_per_s")
        hardware = Hardware(
            generation=generation,
            bytes_per_s=each["gb_per_s"] * 1e9,
            operations_per_s={name: tera * 1e12 for name, tera in each["tflops"].items()},
            link="nvlink" if link else "pcie",
            link_bytes_per_s=link * 1e9 / 2 if link else (32e9 if generation == "hopper" else 16e9),
        )
        found[each["id"]] = (hardware, int(each["memory_gib"] * GIB), False, each["memory_gib"] >= 70)
    return found | {name: found[other] for name, other in said["names"].items()}


def _reason(row: dict[str, Any]) -> str | None:
    """Return why a row cannot be evaluated, if it says so itself."""
    notes = row["notes"] or ""
    if row["engine"] not in ENGINES:
        return f"{row['engine']} has no constants"
    if row["model"] not in _models():
        return "no config.json of this model was found"
    if row["accelerator"] not in _accelerators():
        return f"the accelerator is `{row['accelerator']}`"
    if row["tensor_parallel"] is None:
        return "the parallel layout is not stated"
    if re.search(r"speculative decoding;|SPECULATIVE|EAGLE|speculative-algo", notes):
        return "speculative decoding"
    if re.search(r"disaggregat|prefill.decode separat", notes, re.IGNORECASE):
        return "prompts are read by other accelerators (disaggregated)"
    if re.search(r"cross.node|across nodes|two nodes", notes, re.IGNORECASE):
        return "tensor parallelism across nodes"
    if "image inputs" in notes or row["dataset"] == "image":
        return "images as inputs"
    if row["output_tokens"] == 0:
        return "no tokens are written (an encoder)"
    if row["weights_format"] not in QUANTIZATION:
        return f"the weights' format is `{row['weights_format']}`"
    return None


def _measured(row: dict[str, Any]) -> Measured | str:
    reason = _reason(row)
    if reason:
        return reason
    notes = row["notes"] or ""
    entry = _models()[row["model"]]
    facts, geometry = _facts(row, entry)
    weights = weights_size(facts, choose_files(facts), geometry)
    work = read_work(facts, geometry, weights) if weights else None
    if work is None or weights is None:
        return "its config does not give its geometry"
    value = _value(row, notes)
    if value is None:
        return "neither throughput nor a time per token"
    hardware, visible, is_tpu, large = _accelerators()[row["accelerator"]]
    prompt, answer = _lengths(row)
    layout = _layout(row, notes, work)
    release = _release(row)
    most = _batch_limit(row, notes, release, large=large)
    room, load = _room(row, weights, work, geometry, layout, visible, is_tpu, large, most, prompt + answer)
    said = re.search(r"KV cache ([\d.]+) GiB", notes)
    kept = Cache(
        token_bytes=room[0],
        window_token_bytes=0 if is_tpu else kv_window_bytes_per_token(geometry, load),
        state_bytes=geometry.state_layers * geometry.state_bytes / load.ranks,
        fixed_bytes=room[1],
        room_bytes=float(said[1]) * GIB if said else room[2],
    )
    # TensorRT-LLM lets a request in when its whole length fits; the others when its prompt does, and grow.
    grown = 1.0 if row["engine"] == "trtllm" else 0.7
    limit = min(most, kept.sequences(prompt + grown * answer) * layout.attention_groups)
    replicas = row["data_parallel"] or 1
    at_once = not row["concurrency"] or re.search(r"(?:all|requests) .*at once", notes)
    mode = "open" if row["request_rate"] else "at once" if at_once else "closed"
    asked = row["concurrency"] or row["num_prompts"] or SEVERAL_PAST
    uniform = row["dataset"] in {"random", "?"} and "uniformly below" not in notes
    first = row["ttft_ms_mean"] or row["ttft_ms_median"]
    return Measured(
        row=row,
        model=entry["names"][0],
        engine=_engine(row, release, is_tpu=is_tpu),
        hardware=hardware,
        work=work,
        layout=layout,
        cache=kept,
        lengths=Lengths(prompt=prompt, answer=answer),
        chunk=8192 if large or row["engine"] == "trtllm" else 2048,
        replicas=replicas,
        mode=mode,
        callers=asked / replicas,
        limit=limit,
        prompts=(row["num_prompts"] or SEVERAL_PAST) / replicas,
        is_varied=not uniform,
        is_lockstep=uniform and mode == "closed" and "InferenceX" not in notes,
        is_output=value[0],
        value=value[1],
        first_token_s=first / 1e3 if first else None,
    )


def _facts(row: dict[str, Any], entry: dict[str, Any]) -> tuple[ModelFacts, Geometry]:
    plain = ModelFacts(
        id=entry["names"][0],
        revision="main",
        commit="0" * 40,
        config=entry["config"],
        parameters_total=entry["parameters"],
    )
    geometry = read_geometry(plain)
    quantization = dict(QUANTIZATION[row["weights_format"]])
    if geometry.experts and "4" in row["weights_format"]:
        quantization["modules_to_not_convert"] = {"attention": -1}
    facts = ModelFacts(
        id=plain.id,
        revision="main",
        commit=plain.commit,
        config=entry["config"],
        parameters_total=entry["parameters"],
        quantization=quantization,
    )
    return facts, geometry


def _value(row: dict[str, Any], notes: str) -> tuple[bool, float] | None:
    """Return whether a row has output tokens per second, and the figure; otherwise seconds per token."""
    if row["output_tokens_per_s"]:
        return True, row["output_tokens_per_s"]
    per_token = row["tpot_ms_mean"] or row["tpot_ms_median"]
    if per_token and "coalesced" not in notes:
        return False, per_token / 1e3
    if row["total_tokens_per_s"]:
        prompt, answer = _lengths(row)
        return True, row["total_tokens_per_s"] * answer / (prompt + answer)
    return None


def _lengths(row: dict[str, Any]) -> tuple[float, float]:
    return row["input_tokens"] or SHAREGPT[0], row["output_tokens"] or SHAREGPT[1]


def _layout(row: dict[str, Any], notes: str, work: Work) -> Layout:
    ranks, groups = row["tensor_parallel"], 1
    said = re.search(r"attention DP (\d+)|attention data parallel x(\d+)", notes)
    if said:
        groups = int(said[1] or said[2])
    elif work.experts and ("MoE rows enable attention DP" in notes or "dp attention" in notes):
        groups = ranks
    return Layout(
        tensor_parallel=ranks,
        pipeline_parallel=row["pipeline_parallel"] or 1,
        attention_groups=max(min(groups, ranks), 1),
    )


def _release(row: dict[str, Any]) -> tuple[int, int]:
    said = re.match(r"(\d+)\.(\d+)", row["engine_version"] or "")
    if said:
        return int(said[1]), int(said[2])
    date = str(row["date"] or "9999").replace("-", "")
    return next((release for until, release in VLLM_UNTIL if row["engine"] == "vllm" and date < until), (99, 0))


def _engine(row: dict[str, Any], release: tuple[int, int], *, is_tpu: bool) -> str:
    if is_tpu:
        return "jetstream" if row["engine"] == "jetstream" else "vllm-tpu"
    if row["engine"] == "vllm":
        return "vllm-before-0.8" if release < (0, 8) else "vllm-before-0.14" if release < (0, 14) else "vllm"
    return row["engine"]


def _batch_limit(row: dict[str, Any], notes: str, release: tuple[int, int], *, large: bool) -> int:
    said = re.search(r"(?:max-num-seqs|max-running-requests)[ =](\d+)", notes)
    if said:
        return int(said[1])
    if row["engine"] == "jetstream":
        return row["concurrency"] or 256
    default = {"trtllm": 2048, "sglang": 4096}.get(row["engine"])
    return default or (1024 if large and release >= (0, 8) else 256)


def _room(
    row: dict[str, Any],
    weights: WeightsSize,
    work: Work,
    geometry: Geometry,
    layout: Layout,
    visible: int,
    is_tpu: bool,
    large: bool,
    most: int,
    context: float,
) -> tuple[tuple[float, float, float], Workload]:
    """Return cache bytes per token, per sequence, and available on one rank, as sized by hubstack."""
    ranks, groups = layout.tensor_parallel, layout.attention_groups
    whole = weights.size_bytes - work.expert_bytes
    # Under attention data parallelism a rank holds its experts, and of the rest what its own group shares.
    held = (
        weights
        if groups == 1
        else WeightsSize(size_bytes=int(whole + work.expert_bytes / groups), how="attention data parallelism")
    )
    kind = EngineKind.SGLANG if row["engine"] == "sglang" else EngineKind.VLLM_TPU if is_tpu else EngineKind.VLLM
    is_fp8 = row["kv_cache_dtype"] in {"fp8", "int8"} or (
        row["kv_cache_dtype"] is None and row["engine"] == "trtllm" and row["weights_format"] == "nvfp4"
    )
    load = Workload(
        engine=spec_of(kind).memory,
        tensor_parallel=ranks // groups,
        pipeline_parallel=layout.pipeline_parallel,
        context=int(context),
        concurrency=1,
        batch_tokens=8192 if large else 2048,
        max_num_seqs=min(most, 256),
        kv_cache_dtype="fp8" if is_fp8 else "auto",
    )
    need = size_model(held, geometry, Device(visible_bytes=visible, is_tpu=is_tpu, has_flash_attention=True), load)
    # Rows that ran although the sizing leaves nothing keep a hundredth of the card.
    return (need.kv_bytes_per_token, need.kv_fixed_bytes, max(need.kv_available_bytes, visible // 100)), load
