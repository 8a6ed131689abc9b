# SPDX-License-Identifier: Apache-2.0
"""Facts, requests and targets for tests of planning: real models from facts.yaml, others made on the spot."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from hubstack import names
from hubstack.catalog import Catalog, load_catalog
from hubstack.files.documents import Mark
from hubstack.hub.facts import FileFacts, ModelFacts
from hubstack.hub.lock import Lock
from hubstack.inputs.gateway import GatewaySettings
from hubstack.inputs.measured import Measurement
from hubstack.inputs.models import ModelRequest, Request
from hubstack.inputs.models_schema import CapacityStep, Settings
from hubstack.inputs.settings import StackSettings
from hubstack.kinds import CapacityKind, EngineKind
from hubstack.plan import MemoryNeed, ModelPlan, Plan
from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.settings import MonitoringPlan
from hubstack.planner.engines import spec_of
from hubstack.planner.memory import sizing
from hubstack.planner.memory.sizing import Device, Workload
from hubstack.planner.model.geometry import Geometry, read_geometry
from hubstack.planner.model.weights import choose_files, weights_size
from hubstack.planner.placement.placement_file import Placement
from hubstack.planner.planner import plan_stack

COMMIT = "0123456789" * 4
GIB = 1024**3


@cache
def catalog() -> Catalog:
    return load_catalog()


@cache
def _rows() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_name("facts.yaml").read_text()
    return {row["id"]: row for row in yaml.safe_load(text)["models"]}


def hub_ids() -> list[str]:
    return sorted(_rows())


def hub(repo_id: str, **changes: Any) -> ModelFacts:
    """Return the facts of a real model; for AWQ and the like its quantization, which the sources do not copy."""
    row = _rows()[repo_id]
    said = {
        key: row[key]
        for key in ("config", "pipeline_tag", "license", "gated", "parameters", "parameters_total", "quantization")
        if key in row
    }
    return ModelFacts(**{"id": repo_id, "revision": "main", "commit": COMMIT, **said, **changes})


def weight_files_gib(repo_id: str) -> float:
    return _rows()[repo_id]["weight_files_gib"]


def made(repo_id: str = "acme/model", **fields: Any) -> ModelFacts:
    """Return the facts of a made-up model."""
    return ModelFacts(**{"id": repo_id, "revision": "main", "commit": COMMIT, **fields})


def llama(repo_id: str = "acme/llama", **fields: Any) -> ModelFacts:
    """Return a small dense model that vLLM serves on one L4; `config` adds to or replaces its config."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "torch_dtype": "bfloat16",
    }
    given = {
        "pipeline_tag": "text-generation",
        "license": "apache-2.0",
        "parameters": {"BF16": 1_235_814_400},
        **fields,
    }
    return made(repo_id, **{**given, "config": {**config, **fields.get("config", {})}})


def geometry(config: Mapping[str, Any]) -> Geometry:
    return read_geometry(made(config=config))


def hub_geometry(repo_id: str) -> Geometry:
    return read_geometry(hub(repo_id))


def file(path: str, size_bytes: int = 1_000) -> FileFacts:
    return FileFacts(path=path, size_bytes=size_bytes)


def load(engine: EngineKind = EngineKind.VLLM, **fields: Any) -> Workload:
    given: dict[str, Any] = {"tensor_parallel": 1, "context": 8192, "concurrency": 1}
    return Workload(engine=spec_of(engine).memory, **{**given, **fields})


def gpu(visible_gib: float, card: str | None = None, weights_format: str | None = None) -> Device:
    """Return a device; of a named card with the kernel that vLLM takes there for experts of this format."""
    row = catalog().accelerators[card] if card else None
    kernel = catalog().expert_kernel(EngineKind.VLLM, weights_format, row) if row else None
    return Device(
        visible_bytes=int(visible_gib * GIB), is_tpu=False, has_flash_attention=True, expert_kernel=kernel
    )


def size(facts: ModelFacts, device: Device, on: Workload) -> MemoryNeed:
    """Size a model on one rank."""
    shape = read_geometry(facts)
    weights = weights_size(facts, choose_files(facts), shape)
    assert weights is not None
    return sizing.size_model(weights, shape, device, on)


def ask(repo_id: str, **fields: Any) -> ModelRequest:
    """Return a request: settings as in a list, or fields of the request; the others have their defaults."""
    own = {"key", "was", "canary_of", "marks"} & fields.keys()
    given = {
        "key": names.key_of(repo_id),
        "marks": {"id": Mark("acme.models.yaml", 3, 5, f"  - {repo_id}")},
        **{name: fields.pop(name) for name in own},
    }
    return ModelRequest(id=repo_id, settings=Settings.model_validate(fields), **given)


def steps(*words: str) -> tuple[CapacityStep, ...]:
    """Return capacity steps: `spot`, `on-demand`, or `reservation:NAME`."""
    split = (word.partition(":") for word in words)
    return tuple(CapacityStep(kind=CapacityKind(kind), reservation=name or None) for kind, _, name in split)


def target(
    *, gateway: GatewayPlan | None = None, monitoring: MonitoringPlan | None = None, **fields: Any
) -> StackSettings:
    """Return settings, those of a plan's parts made from the parts; nothing is watched unless it is said."""
    given: dict[str, Any] = {
        "stack": "acme",
        "project": "acme-ml",
        "region": "us-central1",
        "models_file": "acme.models.yaml",
        "monitored": monitoring is not None,
    }
    if monitoring:
        given |= {
            "alerts": (*monitoring.emails, *monitoring.channels),
            "billing_account": monitoring.billing_account,
            "billing_budget": monitoring.budget_usd_per_month,
        }
    if gateway:
        said = {key: value for key, value in asdict(gateway).items() if value is not None}
        given["gateway_settings"] = GatewaySettings(**said)
    return StackSettings(**{**given, **fields})


FactsAndRequest = ModelFacts | tuple[ModelFacts, ModelRequest]


def plan(
    *models: FactsAndRequest,
    where: StackSettings | None = None,
    placement: Placement | None = None,
    measured: tuple[Measurement, ...] = (),
    catalogue: Catalog | None = None,
    beside: tuple[ModelFacts, ...] = (),
) -> Plan:
    """Plan models that are locked, each with the request beside it or a default one.

    Args:
        models: the models.
        where: settings of the stack.
        placement: earlier places.
        measured: measurements.
        catalogue: the catalogue. Default: our own.
        beside: further locked repositories: adapters and draft models.
    """
    pairs = [model if isinstance(model, tuple) else (model, ask(model.id)) for model in models]
    lock = Lock(path="acme.models.lock.yaml", models=(*(facts for facts, _ in pairs), *beside))
    request = Request(path="acme.models.yaml", models=tuple(sorted((r for _, r in pairs), key=lambda r: r.key)))
    return plan_stack(request, lock, catalogue or catalog(), where or target(), placement, measured=measured)


def plan_one(
    facts: ModelFacts,
    where: StackSettings | None = None,
    measured: tuple[Measurement, ...] = (),
    beside: tuple[ModelFacts, ...] = (),
    **settings: Any,
) -> ModelPlan:
    """Plan one model with settings of the request."""
    return plan((facts, ask(facts.id, **settings)), where=where, measured=measured, beside=beside).models[0]
