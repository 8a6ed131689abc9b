# SPDX-License-Identifier: Apache-2.0
"""Reads engines.yaml. Owns the form of that file; the types are in `hubstack.catalog.engines`."""

from collections.abc import Iterator, Mapping

from hubstack.catalog.engines import Engine, EngineImage, ModelTypeSupport
from hubstack.catalog.row import Row
from hubstack.kinds import AcceleratorKind


def read_engines(file: Row) -> Iterator[Engine]:
    """Yield the engines of the file."""
    for row in file.rows("engines"):
        run_as = row.maybe_row("run_as")
        conversion = row.maybe_row("conversion")
        yield Engine(
            id=row.text("id"),
            name=row.text("name"),
            kind=row.word("kind", AcceleratorKind),
            version=_version(row),
            images=tuple(_images(row)),
            port=row.integer("port"),
            health_path=row.text("health_path"),
            metrics_path=row.maybe_text("metrics_path"),
            metrics_argument=row.maybe_text("metrics_argument"),
            api_path=row.text("api_path"),
            model_argument=row.text("model_argument"),
            revision_argument=row.maybe_text("revision_argument"),
            host_argument=row.maybe_text("host_argument"),
            arguments=row.texts("arguments"),
            min_compute_capability=row.maybe_number("min_compute_capability"),
            min_driver=row.maybe_integer("min_driver"),
            gpu_memory_utilization=row.maybe_number("gpu_memory_utilization"),
            run_as_user=run_as.integer("user") if run_as else None,
            run_as_group=run_as.integer("group", may_be_zero=True) if run_as else None,
            has_tensor_parallel=row.maybe_flag("has_tensor_parallel"),
            max_batch_tokens=row.maybe_integer("max_batch_tokens"),
            dtypes=row.texts("dtypes"),
            formats=row.texts("formats"),
            pipeline_tags=row.texts("pipeline_tags"),
            architectures={use: frozenset(names) for use, names in _lists(row, "architectures")},
            architectures_version=row.maybe_text("architectures_version"),
            architecture_accelerators=dict(_lists(row, "architecture_accelerators")),
            conversion_bases=conversion.texts("bases") if conversion else (),
            conversion_suffixes=_texts_by_key(conversion.row("suffixes")) if conversion else {},
            removed_architectures={
                name: version for version, names in _lists(row, "removed_architectures") for name in names
            },
            plugin_architectures=frozenset(row.texts("plugin_architectures")),
            model_types=dict(_model_types(row)),
            quantization=_quantization(row),
            tool_call_parsers=row.texts("tool_call_parsers"),
            reasoning_parsers=row.texts("reasoning_parsers"),
            notes=row.texts("notes"),
            unverified=frozenset(row.texts("unverified")),
            sources=row.texts("sources"),
        )
        row.done()


def _version(row: Row) -> str | None:
    """Return the pinned version; an engine that has none says so with `pin: none`."""
    version, pin = row.maybe_text("version"), row.maybe_text("pin")
    if (version is None) == (pin is None):
        row.refuse("give either `version` or `pin: none`")
    return version


def _images(row: Row) -> Iterator[EngineImage]:
    for image in row.rows("images"):
        yield EngineImage(
            image=image.text("image"),
            accelerators=image.texts("accelerators"),
            is_experimental=image.flag("experimental"),
        )
        image.done()


def _lists(row: Row, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    lists = row.maybe_row(key)
    if lists is not None:
        for name in lists.names():
            yield name, lists.texts(name)


def _texts_by_key(row: Row) -> Mapping[str, str]:
    return {key: row.text(key) for key in row.names()}


def _model_types(row: Row) -> Iterator[tuple[str, ModelTypeSupport]]:
    types = row.maybe_row("model_types")
    if types is not None:
        for name, support in types.items():
            yield (
                name,
                ModelTypeSupport(
                    can_classify=support.flag("classify"),
                    min_compute_capability=support.maybe_number("min_compute_capability"),
                    dtype=support.maybe_text("dtype"),
                ),
            )
            support.done()


def _quantization(row: Row) -> Mapping[str, float | None]:
    plain: dict[str, float | None] = dict.fromkeys(row.texts("quantization_methods"))
    return plain | dict(row.numbers("quantization"))
