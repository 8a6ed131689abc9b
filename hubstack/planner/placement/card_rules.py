# SPDX-License-Identifier: Apache-2.0
"""Which GPUs have the kernels that a model needs, by compute capability: attention, KV cache and quantization.

Owns these rules and the figures in their messages. The figures come from the engine's release, as read from its
wheel (catalog/releases/), and from the upper bounds in the engine's catalogue row. Does not own memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from hubstack.catalog import Accelerator, AttentionBackend, Engine, Release
from hubstack.hub.facts import ModelFacts
from hubstack.planner.model.geometry import Geometry

_SCHEMES: Mapping[tuple[str, str], str] = {
    ("int8", "int8"): "W8A8Int8",
    ("int4", "float8"): "W4A8Fp8",
    ("int4", "int8"): "W4A8Int",
}
"""vLLM's scheme for each pair of weight and activation formats of compressed-tensors and Quark. Other schemes run
on every GPU that the images support, or fall back to one that does (fp8 to weights only)."""
_INT8_METHODS = frozenset({"w8a8_int8"})
"""SGLang's own methods with the scheme's kernel (0.5.23, layers/quantization/w8a8_int8.py)."""


def lacks_kernel(
    accelerator: Accelerator, engine: Engine, facts: ModelFacts, geometry: Geometry, cache: str
) -> str | None:
    """Return which kernel the engine lacks on a GPU, or None if it lacks none or its kernels are unknown.

    Args:
        accelerator: the GPU.
        engine: the engine that would serve the model.
        facts: the model's locked facts.
        geometry: the model's dimensions.
        cache: the requested KV cache dtype.
    """
    capability, release = accelerator.compute_capability, engine.release
    if capability is None or release is None:
        return None
    return (
        _lacks_scheme(capability, engine, release, facts)
        or _lacks_sparse(capability, engine, geometry)
        or _lacks_attention(capability, release, geometry, cache)
    )


def _lacks_scheme(capability: float, engine: Engine, release: Release, facts: ModelFacts) -> str | None:
    for scheme in _schemes(facts):
        floor, ceiling = release.quantization_schemes.get(scheme), engine.quantization_below.get(scheme)
        if floor and capability < floor:
            return f"compute capability {capability}: {scheme} in {engine.id} {release.version} needs {floor}"
        if ceiling and capability >= ceiling:
            has = f"{engine.id} {release.version} has {scheme} kernels only below {ceiling}"
            return f"compute capability {capability}: {has}"
    return None


def _schemes(facts: ModelFacts) -> Iterator[str]:
    if facts.quantization.get("quant_method") in _INT8_METHODS:
        yield "W8A8Int8"
    quark = _mapping(facts.quantization.get("global_quant_config"))
    groups = [_mapping(group) for group in _mapping(facts.quantization.get("config_groups")).values()]
    pairs = [(group.get("weights"), group.get("input_activations")) for group in groups]
    for weights, activations in (*pairs, (quark.get("weight"), quark.get("input_tensors"))):
        key = (_format(weights), _format(activations))
        if key in _SCHEMES:
            yield _SCHEMES[key]


def _format(said: Any) -> str:
    told = _mapping(said)
    if "dtype" in told:  # Quark's spelling
        return str(told["dtype"])
    return f"{told.get('type', 'int')}{told.get('num_bits', '')}" if told else ""


def _mapping(said: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", said) if isinstance(said, Mapping) else {}


def _lacks_sparse(capability: float, engine: Engine, geometry: Geometry) -> str | None:
    """Return what an engine lacks whose release lists no attention backends, by the lower bound in its row."""
    floor = engine.sparse_attention_from
    if floor is None or not geometry.index or capability >= floor:
        return None
    needs = f"sparse latent attention (MLA) in {engine.id} {engine.version} needs {floor}"
    return f"compute capability {capability}: {needs}"


def _lacks_attention(capability: float, release: Release, geometry: Geometry, cache: str) -> str | None:
    is_sparse = bool(geometry.index or geometry.compressed_token_bytes)
    is_latent = geometry.latent is not None or is_sparse
    head = geometry.latent or (None if is_latent else geometry.head_dim)
    found = [
        backend
        for backend in release.attention
        if backend.is_latent == is_latent and (not is_latent or backend.is_sparse == is_sparse)
    ]
    if not found or geometry.layers == geometry.state_layers:
        return None
    what = f"{'sparse ' if is_sparse else ''}{'latent attention (MLA)' if is_latent else 'attention'}"
    if not any(backend.holds(capability, "auto", head) for backend in found):
        return f"compute capability {capability}: this release has no {what} kernel, only for {_where(found)}"
    if cache != "auto" and not any(backend.holds(capability, cache, head) for backend in found):
        return f"compute capability {capability}: no {what} kernel supports a {cache} KV cache"
    return None


def _where(backends: list[AttentionBackend]) -> str:
    return ", ".join(f"{each:g}" for each in sorted({one for backend in backends for one in backend.capabilities}))
