# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's server: GGUF files on one GPU."""

from hubstack.kinds import EngineKind
from hubstack.planner.engines import arguments
from hubstack.planner.engines.spec import EngineSpec
from hubstack.planner.memory.engine_memory import llama_cpp_terms
from hubstack.planner.memory.workload import EngineMemory

SPEC = EngineSpec(
    kind=EngineKind.LLAMA_CPP,
    memory=EngineMemory(share=0.95, terms=llama_cpp_terms, estimates_without_layers=True),
    start_seconds=60,
    args=arguments.of_row,
)
