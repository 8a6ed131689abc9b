# SPDX-License-Identifier: Apache-2.0
"""Suggests a quantized build of a model that needs several accelerators, if the build would fit one.

Owns the suggestion. Names only builds that the lock has from the Hub. Their size is computed from the model's own
parameters, because a build is not locked. Does not change the plan: the user decides.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hubstack.hub.float4 import float4_format
from hubstack.plan import Reason, Verdict
from hubstack.planner.model.weights import ChosenFiles, WeightsFormat, count_parameters, weights_size
from hubstack.planner.placement.candidates import Candidate, CandidateFinder, Candidates
from hubstack.planner.placement.engine_rules import Demand

_METHODS: Mapping[int, Mapping[str, Any]] = {
    4: {"quant_method": "awq", "bits": 4, "group_size": 128},
    8: {"quant_method": "fp8"},
}
_GIB = 1024**3
BUILD_TOPIC = "quantized build"
"""Topic of the suggestion among a model's reasons."""


def suggest_build(
    demand: Demand, chosen: ChosenFiles, candidates: Candidates, finder: CandidateFinder
) -> Reason | None:
    """Return the suggestion, or None if one accelerator suffices or no known build fits one."""
    if not demand.facts.quantized_builds or demand.facts.quantization:
        return None
    if candidates.fitting and _accelerators(candidates.fitting[0]) == 1:
        return None
    for name, bits in demand.facts.quantized_builds.items():
        build = _quantized(demand, chosen, _method(name, bits))
        fitting = finder.find_candidates(build).fitting if build else ()
        best = next((each for each in fitting if each.verdict is Verdict.FITS and _accelerators(each) == 1), None)
        if build and best:
            held = build.weights.size_bytes / _GIB
            where = f"1 x {best.offer.accelerator.name} ({best.offer.machine.name}, ${best.alone():,.2f} an hour)"
            text = f"the Hub lists `{name}`, a {bits}-bit build: about {held:.1f} GiB of weights, which fit {where}"
            return Reason(topic=BUILD_TOPIC, text=text, source="lock")
    return None


def _accelerators(candidate: Candidate) -> int:
    return candidate.offer.count * candidate.offer.hosts


def _method(name: str, bits: int) -> Mapping[str, Any] | None:
    """Return a build's quantization as its config would have it, or None if it is unknown."""
    float4 = float4_format(name)
    if float4 is None:
        return _METHODS.get(bits)
    weights = {"num_bits": 4, "type": "float", "group_size": 16 if float4 == "nvfp4" else 32}
    groups = {"group_0": {"weights": weights}}
    return {"quant_method": "compressed-tensors", "format": f"{float4}-pack-quantized", "config_groups": groups}


def _quantized(demand: Demand, chosen: ChosenFiles, method: Mapping[str, Any] | None) -> Demand | None:
    """Return the demand of a build of this quantization, or None if its size cannot be computed."""
    total = count_parameters(demand.facts, chosen, demand.geometry)
    if method is None or not total:
        return None
    facts = replace(demand.facts, quantization=method, parameters={}, parameters_total=total, files=())
    none = ChosenFiles(format=WeightsFormat.SAFETENSORS, weights=(), side=(), patterns=())
    size = weights_size(facts, none, demand.geometry)
    return replace(demand, facts=facts, weights=size) if size else None
