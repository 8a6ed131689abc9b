# SPDX-License-Identifier: Apache-2.0
"""SGLang, used for models that vLLM does not load."""

from collections.abc import Iterator

from hubstack.kinds import EngineKind
from hubstack.plan import ApiKey, MemoryTerm
from hubstack.planner.engines.arguments import parser_flags, port_of
from hubstack.planner.engines.spec import EngineSpec, Serving, Unassigned
from hubstack.planner.engines.tasks import GENERATE
from hubstack.planner.memory import sizing
from hubstack.planner.memory.engine_memory import COLLECTIVES_BYTES, CONTEXT_BYTES, gpu_outside_bytes
from hubstack.planner.memory.workload import Device, EngineMemory, Workload
from hubstack.planner.model.geometry import Geometry


def _args(serving: Serving) -> tuple[str, ...]:
    """Return SGLang's flags; without `--host` it listens on localhost only."""
    load = serving.load
    flags = [
        "--model-path",
        serving.model_path,
        "--served-model-name",
        serving.name,
        "--host",
        "0.0.0.0",  # noqa: S104
        "--port",
        str(port_of(serving.choice.engine.port)),
        "--tp-size",
        str(load.tensor_parallel),
        "--context-length",
        str(serving.need.context),
        "--mem-fraction-static",
        f"{load.memory_share:g}",
        "--max-running-requests",
        str(sizing.max_num_seqs(load)),
        "--chunked-prefill-size",
        str(load.batch_tokens),
        "--enable-metrics",
    ]
    if load.kv_cache_dtype != "auto":
        flags += ["--kv-cache-dtype", "fp8_e4m3"]
    if load.expert_parallel:
        flags += ["--ep-size", str(load.tensor_parallel)]
    flags += parser_flags(serving.settings, serving.model_dir)
    if serving.choice.remote_code:
        flags.append("--trust-remote-code")
    return tuple(flags)


def _takes(model: Unassigned) -> str | None:
    """Return why SGLang serves a generative model that vLLM does not support, or None."""
    task, name = model.facts.pipeline_tag, model.geometry.name
    vllm, own = (model.engine(kind) for kind in (EngineKind.VLLM, EngineKind.SGLANG))
    if task not in GENERATE:
        return None
    if not vllm.uses_of(name) and own.uses_of(name):
        return f"{task} with {name}: supported by SGLang but not by vLLM"
    return None


def _terms(_weights_bytes: int, _geometry: Geometry, _device: Device, load: Workload) -> Iterator[MemoryTerm]:
    """Yield SGLang's runtime memory; its pool is what remains of the share once weights are loaded."""
    size = CONTEXT_BYTES + (COLLECTIVES_BYTES if load.tensor_parallel > 1 else 0)
    how = "0.6 GiB of CUDA context" + (" + 1.75 GiB of collectives" if load.tensor_parallel > 1 else "")
    yield MemoryTerm(name="runtime", size_bytes=size, how=how)


SPEC = EngineSpec(
    kind=EngineKind.SGLANG,
    memory=EngineMemory(
        share=0.88, terms=_terms, outside=gpu_outside_bytes, needs_dimensions=True, fits_batch_to_states=True
    ),
    takes=_takes,
    turn=3,
    features=frozenset(
        {
            "tool_call_parser",
            "reasoning_parser",
            "chat_template",
            "expert_parallel",
            "kv_cache_dtype",
        }
    ),
    cache_without_fp8="auto",
    not_streamed="SGLang's image is not documented to include the streamer",
    # SGLang does not read the key from the environment, so the flag expands our variable.
    api_key=ApiKey(variable="HUBSTACK_API_KEY", args=("--api-key", "$(HUBSTACK_API_KEY)")),
    picker_metrics="sglang",
    compiles_kernels=True,
    start_seconds=240,
    args=_args,
)
