# SPDX-License-Identifier: Apache-2.0
"""What to write for a key that other tools have: a flag of an engine, a machine, a region.

Owns these words. Does not own misspelt keys (`hubstack.files.schema_errors`) or the rules about flags
(`hubstack.catalog.engine_arguments`).
"""

from collections.abc import Collection

from hubstack.catalog import load_catalog
from hubstack.catalog.engine_arguments import Owner, argument_rules
from hubstack.catalog.engine_flags import engine_flags
from hubstack.kinds import EngineKind

_MACHINE = (
    "write `accelerator: l4`, or a machine type in `capacity: [{kind: on-demand, machine_type: g2-standard-8}]`"
)
_WORDS = {
    "region": "the region is the stack's: `pulumi config set gcp:region us-central1`",
    "project": "the project is the stack's: `pulumi config set gcp:project NAME`",
    "spot": "write `capacity: [spot]`",
    "preemptible": "write `capacity: [spot]`",
    "flex_start": "write `capacity: [flex-start]`",
    "on_demand": "write `capacity: [on-demand]`",
    "gpu": _MACHINE,
    "gpus": _MACHINE,
    "gpu_type": _MACHINE,
    "gpu_count": _MACHINE,
    "tpu": "write `accelerator: v6e`",
    "machine": _MACHINE,
    "machine_type": _MACHINE,
    "instance_type": _MACHINE,
    "args": "write `engine_args: {FLAG: VALUE}`",
    "env_vars": "write `env: {NAME: VALUE}`",
    "environment": "write `env: {NAME: VALUE}`",
    "version": "write `engine: {kind: vllm, version: VERSION}`",
    "image": "the engine's version decides its image: `engine: {kind: vllm, version: VERSION}`",
}
_SHORT = {
    "max_length": "max-model-len",
    "max_len": "max-model-len",
    "precision": "dtype",
    "tensor_parallel": "tensor-parallel-size",
    "tp": "tensor-parallel-size",
    "pipeline_parallel": "pipeline-parallel-size",
}


def hint_of_other_word(key: str, known: Collection[str]) -> str | None:
    """Return what to write instead of an unknown key of a model, or None if it is no word of another tool."""
    if "engine_args" not in known:  # a key of another level
        return None
    word = key.lower().replace("-", "_")
    return _WORDS.get(word) or _of_flag(f"--{_SHORT.get(word, word.replace('_', '-'))}")


def _of_flag(flag: str) -> str | None:
    engines = load_catalog().engines
    for kind in EngineKind:
        if flag not in engine_flags(engines[kind]).flags:
            continue
        rule = argument_rules(kind).ruled(flag)
        if rule is None:
            return f"`{flag}` is a flag of {kind}: write `engine_args: {{{flag.removeprefix('--')}: VALUE}}`"
        if rule.owner is Owner.KEY:
            return f"`{rule.why}:` sets `{flag}` of {kind}"
        return f"`{flag}` is a flag of {kind}, but {rule.why}"
    return None
