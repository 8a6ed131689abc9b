# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's server: GGUF files on one GPU."""

from hubstack.kinds import EngineKind
from hubstack.plan import ApiKey
from hubstack.planner.engines import arguments
from hubstack.planner.engines.spec import EngineSpec, Unassigned
from hubstack.planner.memory.engine_memory import llama_cpp_terms
from hubstack.planner.memory.workload import EngineMemory
from hubstack.planner.model.weights import WeightsFormat


def _takes(model: Unassigned) -> str | None:
    return "the weights are GGUF, which llama.cpp serves" if model.chosen.format is WeightsFormat.GGUF else None


SPEC = EngineSpec(
    kind=EngineKind.LLAMA_CPP,
    memory=EngineMemory(share=0.95, terms=llama_cpp_terms, estimates_without_layers=True),
    takes=_takes,
    turn=1,
    has_slots=True,
    not_streamed="llama-cpp reads files only",
    api_key=ApiKey(variable="LLAMA_API_KEY"),
    start_seconds=60,
    args=arguments.of_row,
)
