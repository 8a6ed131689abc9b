# SPDX-License-Identifier: Apache-2.0
"""Text Embeddings Inference: encoders and small embedders on one GPU."""

from hubstack.kinds import EngineKind
from hubstack.planner.engines import arguments
from hubstack.planner.engines.spec import EngineSpec
from hubstack.planner.memory.engine_memory import tei_terms
from hubstack.planner.memory.workload import EngineMemory

SPEC = EngineSpec(
    kind=EngineKind.TEI,
    memory=EngineMemory(share=0.95, terms=tei_terms, has_kv_cache=False),
    start_seconds=60,
    args=arguments.of_row,
)
