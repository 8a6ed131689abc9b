# SPDX-License-Identifier: Apache-2.0
"""Which cards have the kernels that a model needs: attention, cache and quantization against compute capability.

Owns these rules, each with the figure that breaks it. The figures are those of the engine's release, read from its
wheel (catalog/releases/), and the upper bounds of its row. Does not own memory.
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
"""Weights and activations of a compressed-tensors group to vLLM's scheme; others run on every card of the images,
or fall back to one that does (fp8 to weights alone)."""


def lacks_kernel(
    accelerator: Accelerator, engine: Engine, facts: ModelFacts, geometry: Geometry, cache: str
) -> str | None:
    """Say which kernel the engine lacks on a card; None where it has all, or where no list is known.

    Args:
        accelerator: the card.
        engine: what serves on it.
        facts: of the model.
        geometry: of the model.
        cache: number format of its cache, as asked.
    """
    capability, release = accelerator.compute_capability, engine.release
    if capability is None or release is None:
        return None
    return _lacks_scheme(capability, engine, release, facts) or _lacks_attention(
        capability, release, geometry, cache
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
    groups: Any = facts.quantization.get("config_groups")
    for group in cast("Mapping[str, Any]", groups).values() if isinstance(groups, Mapping) else ():
        if isinstance(group, Mapping):
            said = cast("Mapping[str, Any]", group)
            key = (_format(said.get("weights")), _format(said.get("input_activations")))
            if key in _SCHEMES:
                yield _SCHEMES[key]


def _format(said: Any) -> str:
    if not isinstance(said, Mapping):
        return ""
    told = cast("Mapping[str, Any]", said)
    return f"{told.get('type', 'int')}{told.get('num_bits', '')}"


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
