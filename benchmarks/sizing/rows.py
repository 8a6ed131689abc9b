# SPDX-License-Identifier: Apache-2.0
"""Public boots of engines (docs/benchmarks/sizing.md) as hubstack's own inputs, or why a row cannot be compared.

Settings that a row leaves out are the engine's documented defaults (docs/concepts/sizing.md), never fitted: sequences
1024 on H100, H200, B200 and GB200-class cards and 256 elsewhere; tokens of a step 8192 on those cards and 2048 elsewhere,
and the whole context on vLLM's V0 engine; the share 0.90, and 0.92 from 0.23 on.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.kinds import EngineKind
from hubstack.planner.engines import spec_of
from hubstack.planner.memory.sizing import GIB, Device, Workload
from hubstack.planner.model.geometry import Geometry, read_geometry
from hubstack.planner.model.weights import WeightsSize, choose_files, weights_size

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "facts"
ENGINES = {
    "vllm": EngineKind.VLLM,
    "vllm (NIM)": EngineKind.VLLM,
    "vllm-tpu": EngineKind.VLLM_TPU,
    "sglang": EngineKind.SGLANG,
    "tei": EngineKind.TEI,
}
VISIBLE_GIB = (
    ("H100 NVL", 93.02),
    ("H100", 79.18),
    ("H800", 79.18),
    ("GH200", 95.0),
    ("H200", 139.81),
    ("H20", 95.0),
    ("B200", 178.36),
    ("A100 MIG 1g.5gb", 4.75),
    ("A100-40", 39.5),
    ("A100-SXM4-40", 39.5),
    ("A100-PCIE-40", 39.5),
    ("A100 40", 39.5),
    ("A100", 79.2),
    ("A800", 79.2),
    ("L40S", 44.4),
    ("A6000", 44.4),
    ("L4", 22.03),
    ("A10G", 22.2),
    ("A10", 22.07),
    ("A5000", 23.68),
    ("T4", 14.74),
    ("RTX PRO 6000", 94.97),
    ("96GB single", 94.97),
    ("3090", 23.6),
    ("RTX 4090", 23.6),
    ("RTX 5090", 31.6),
    ("RTX 7800 XT", 16.0),
    ("RX 7800 XT", 15.98),
    ("MI50", 15.98),
    ("GB10", 121.69),
    ("v6e", 31.24),
    ("v5e", 15.75),
    ("v7x", 94.75),
    ("TPU7x", 94.75),
    ("Arc 16GB", 15.9),
)
"""Card to visible GiB as engines print it, the longest name first. The MIG slice is GKE's 4.75 GiB."""
LARGE_GIB = 70
"""vLLM's defaults are larger from here on, but not on A100 and GB10 (0.33.0, engine/arg_utils.py)."""


@dataclass(frozen=True)
class Judged:
    """A row with enough information to be evaluated."""

    row: dict[str, Any]
    facts: ModelFacts
    geometry: Geometry
    weights: WeightsSize
    device: Device | None
    load: Workload | None
    missing: tuple[str, ...]
    """Settings without which only the weights can be evaluated."""
    missing_pool: tuple[str, ...]
    """Settings without which the verdict can be evaluated, but not the size of the pool."""

    @property
    def reported(self) -> dict[str, Any]:
        return self.row["reported"]


def read_rows() -> tuple[list[Judged], list[tuple[dict[str, Any], str]]]:
    """Return the rows that can be evaluated, and the reasons why the others cannot."""
    models, skipped = _models(), yaml.safe_load((HERE / "models.yaml").read_text())["skipped"]
    judged: list[Judged] = []
    left: list[tuple[dict[str, Any], str]] = []
    for row in yaml.safe_load((SHARED / "serving_logs.yaml").read_text()):
        facts = models.get(f"{row['model']} @ {row['quantization']}") or models.get(row["model"])
        if row["engine"] not in ENGINES:
            left.append((row, f"{row['engine']} is not planned for"))
        elif facts is None:
            left.append((row, "no config.json of this model was found"))
        elif row["id"] in skipped:
            left.append((row, skipped[row["id"]]))
        elif row["tensor_parallel"] is None:
            left.append((row, "the number of ranks is not said"))
        else:
            found = _judged(row, facts)
            left.append((row, found)) if isinstance(found, str) else judged.append(found)
    return judged, left


def _models() -> dict[str, ModelFacts]:
    hub = {m["id"]: m for m in yaml.safe_load((SHARED / "hub_models.yaml").read_text())["models"]}
    made: dict[str, ModelFacts] = {}
    for entry in yaml.safe_load((HERE / "models.yaml").read_text())["models"]:
        base = hub.get(entry.get("hub", ""), {})
        counted = base.get("safetensors_parameters") or {}
        files = base.get("files") or {}
        config = {**(base.get("config") or {}), **entry.get("config", {})}
        quantization = entry.get("quantization") or config.pop("quantization_config", None) or {}
        twin = "quantization" in entry or "parameters" in entry
        size = entry.get("weights_gib") or (None if twin else files.get("weight_files_gib"))
        size_bytes = int(size * GIB) if size else (None if twin else files.get("index_total_size_bytes"))
        facts = ModelFacts(
            id=entry["names"][0],
            revision="main",
            commit="0" * 40,
            config=config,
            quantization=quantization,
            parameters_total=entry.get("parameters") or counted.get("total"),
            parameters={} if twin else counted.get("by_dtype") or {},
            files=(FileFacts(path="model.safetensors", size_bytes=size_bytes),) if size_bytes else (),
        )
        made.update(dict.fromkeys(entry["names"], facts))
    return made


def _judged(row: dict[str, Any], facts: ModelFacts) -> Judged | str:
    geometry = read_geometry(facts)
    weights = weights_size(facts, choose_files(facts), geometry)
    if weights is None:
        return "its facts give no size"
    if "--language-model-only" in (row["notes"] or ""):
        towers = 2 * (geometry.vision_parameters + geometry.audio_parameters)
        weights = replace(weights, size_bytes=weights.size_bytes - towers, how=f"{weights.how} - towers")
        geometry = replace(geometry, vision_parameters=0, vision_heads=0, audio_parameters=0)
    missing: list[str] = []
    card = row["accelerator"] or ""
    visible = row["accelerator_memory_gib"] or next((gib for name, gib in VISIBLE_GIB if name in card), None)
    version = (
        None if geometry.compressed_token_bytes else _version(row, geometry)
    )  # DeepSeek-V4 came with today's engine
    share = row["gpu_memory_utilization"]
    if visible is None:
        missing.append("the card's memory")
    if share is None and row["engine"] != "tei":
        missing.append("the share of memory")
    large = bool(visible and visible >= LARGE_GIB and not any(name in card for name in ("A100", "GB10")))
    said = row["settings"] or {}
    context = row["max_model_len"] or (min(geometry.max_context or 0, 131072) or None)
    if context is None or (row["max_model_len"] is None and (geometry.state_layers or geometry.window_layers)):
        missing.append("the context")
    notes = row["notes"] or ""
    if "V0" in notes and geometry.vision_parameters:
        missing.append("V0 profiled images of every sequence at once, which no engine does any more")
    guessed = re.search(r"MTP (?:n=|k=)?(\d|speculative)", notes)
    # Without a number, one: what num_nextn_predict_layers of these configs says.
    drafts = 0 if guessed is None else 1 if guessed[1] == "speculative" else int(guessed[1])
    seqs = re.search(r"(?:max_num_seqs|MAX_NUM_SEQS) (\d+)", notes) or re.search(r"(\d+) sequences?\b", notes)
    if said.get("data_parallel"):
        missing.append("data parallel groups, which hubstack does not plan")
    old = version is not None and version < (0, 10)
    is_sync = "no async" in (row["notes"] or "") or "async scheduling off" in (row["notes"] or "")
    # V0 chunked prefill by itself above 32k, but not with latent attention.
    whole = old and context and (context <= 32768 or geometry.latent)
    tokens = said.get("max_num_batched_tokens") or (context if whole else 8192 if large and not old else 2048)
    spec = spec_of(ENGINES[row["engine"]])
    load = Workload(
        engine=spec.memory,
        tensor_parallel=row["tensor_parallel"],
        pipeline_parallel=row["pipeline_parallel"] or 1,
        context=context or 4096,
        concurrency=1,
        batch_tokens=tokens or 2048,
        max_num_seqs=said.get("max_num_seqs") or (int(seqs[1]) if seqs else 1024 if large and not old else 256),
        draft_tokens=drafts,
        draft_layers=1 if drafts else 0,
        memory_share_override=share,
        kv_cache_dtype="fp8" if _is_8bit(row["kv_cache_dtype"]) else "auto",
        is_async=None if not is_sync else False,
        cuda_graphs=not said.get("enforce_eager"),
        engine_version=".".join(map(str, version)) if version else None,
    )
    device = (
        None
        if visible is None
        else Device(
            visible_bytes=int(visible * GIB),
            is_tpu=spec.is_for_tpu,
            # TEI's image for Turing has no fused attention, its generic CUDA image has.
            has_flash_attention="turing" not in (row["engine_version"] or ""),
        )
    )
    pool = ()
    if geometry.compressed_token_bytes and not is_sync and not row["engine_version"]:
        pool = ("whether scheduling was asynchronous, which doubles the compressors' state",)
    return Judged(row, facts, geometry, weights, device, load, tuple(missing), pool)


def _counts_all_groups(row: dict[str, Any]) -> bool:
    tokens, fold = row["reported"].get("kv_cache_tokens"), row["reported"].get("max_concurrency")
    return bool(tokens and fold and row["max_model_len"]) and abs(tokens / (fold * row["max_model_len"]) - 1) < 0.01


def _is_8bit(word: str | None) -> bool:
    return bool(word) and any(part in str(word) for part in ("fp8", "int8"))


def _version(row: dict[str, Any], geometry: Geometry) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", row["engine_version"] or "")
    if found and row["engine"].startswith("vllm"):
        return int(found[1]), int(found[2])
    if row["engine"] == "vllm (NIM)" and geometry.state_layers:
        return (0, 9)  # NIM 1.12: V1 had no recurrent layers yet, and its pool is that of V0
    if (
        row["engine"].startswith("vllm")
        and row["engine"] != "vllm-tpu"
        and not re.search(r"\bV0\b", row["notes"] or "")
    ):
        # Not said. One token line for several caches tells 0.21 and later; for plain ones the two differ by the graphs.
        return None if _counts_all_groups(row) else (0, 20)
    # vLLM's V0 engine was the only one before 0.8 and was gone by 0.11.
    return (0, 8) if re.search(r"\bV0\b", row["notes"] or "") else None
