# SPDX-License-Identifier: Apache-2.0
"""Reads engines.yaml. Owns the format of that file; the types are in `hubstack.catalog.engines`."""

from collections.abc import Iterator, Mapping

from hubstack.catalog.engines import Engine, EngineImage, ImageFacts, ModelTypeSupport
from hubstack.catalog.platforms import GpuDriver
from hubstack.catalog.releases import Release
from hubstack.catalog.row import Row
from hubstack.kinds import AcceleratorKind


def read_engines(file: Row, releases: Mapping[str, Release], driver: GpuDriver) -> Iterator[Engine]:
    """Yield the engines of the file, each with its release facts and driver paths."""
    for row in file.rows("engines"):
        run_as, families = row.maybe_row("run_as"), row.maybe_row("family_parsers")
        release, kind = _release(row, releases), row.word("kind", AcceleratorKind)
        quantization = release.quantization if release else _quantization(row)
        yield row.fill(
            Engine,
            kind=kind,
            version=_version(row),
            images=tuple(_images(row)),
            image_facts=_image_facts(row, kind),
            command=_command(row),
            env={**(driver.env if kind is AcceleratorKind.GPU else {}), **row.texts_by_key("env")},
            run_as_user=run_as.integer("user") if run_as else None,
            run_as_group=run_as.integer("group", may_be_zero=True) if run_as else None,
            release=release,
            architectures=_architectures(row, release),
            architecture_accelerators=dict(_lists(row, "architecture_accelerators")),
            model_types=dict(_model_types(row)),
            quantization=_without(quantization, row.texts("quantization_unavailable")),
            family_parsers={name: families.texts_by_key(name) for name in families.names()} if families else {},
        )
        row.done()


def _version(row: Row) -> str | None:
    """Return the pinned version; an engine without one must say `pin: none`."""
    version, pin = row.maybe_text("version"), row.maybe_text("pin")
    if (version is None) == (pin is None):
        row.refuse("set either `version` or `pin: none`")
    return version


def _release(row: Row, releases: Mapping[str, Release]) -> Release | None:
    """Return the facts from the wheel of the row's version."""
    name = row.maybe_text("release")
    if name is None:
        return None
    found = releases.get(name)
    if found is None:
        row.refuse(f"unknown release `{name}`; releases/ contains {', '.join(sorted(releases))}", "release")
    elif found.version != row.text("version"):
        row.refuse(f"releases/{name}.yaml is for {found.version}: run tools/engine_facts with the wheel", "version")
    return found


def _without(methods: Mapping[str, float | None], unavailable: tuple[str, ...]) -> dict[str, float | None]:
    """Return the methods whose packages are in the image."""
    return {name: floor for name, floor in methods.items() if name not in unavailable}


def _architectures(row: Row, release: Release | None) -> Mapping[str, frozenset[str]]:
    """Return the wheel's architectures and those that the row adds (an image with more in it)."""
    found = dict(release.architectures) if release else {}
    for use, names in _lists(row, "architectures"):
        found[use] = found.get(use, frozenset()) | set(names)
    return found


def _command(row: Row) -> tuple[str, ...]:
    command = row.texts("command")
    if not command:
        row.refuse(
            "`command` is missing; it is required because an image's entrypoint may not start a server", "command"
        )
    return command


def _image_facts(row: Row, kind: AcceleratorKind) -> ImageFacts:
    """Return what is known of the row's images; a row without it is refused, as a container may not start."""
    facts = row.row("image_facts")
    entrypoint, serves = facts.texts("entrypoint"), facts.flag("serves")
    if serves and not entrypoint:
        facts.refuse(
            "an image without an `entrypoint` cannot serve by itself: name it, or set `serves: false`", "serves"
        )
    read = ImageFacts(
        entrypoint=entrypoint,
        serves=serves,
        user=facts.text("user"),
        finds_driver=facts.maybe_flag("finds_driver"),
        writes=facts.texts("writes") if "writes" in facts.names() else None,
        source=facts.text("source"),
    )
    if (read.finds_driver is None) is (kind is AcceleratorKind.GPU):
        facts.refuse("`finds_driver` belongs to images for GPUs, and all of them", "finds_driver")
    facts.done()
    return read


def _images(row: Row) -> Iterator[EngineImage]:
    for image in row.rows("images"):
        yield image.fill(EngineImage, is_experimental=image.flag("experimental"))
        image.done()


def _lists(row: Row, key: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    lists = row.maybe_row(key)
    if lists is not None:
        for name in lists.names():
            yield name, lists.texts(name)


def _model_types(row: Row) -> Iterator[tuple[str, ModelTypeSupport]]:
    types = row.maybe_row("model_types")
    if types is not None:
        for name, support in types.items():
            yield (
                name,
                support.fill(
                    ModelTypeSupport, can_classify=support.flag("classify"), is_custom=support.flag("custom")
                ),
            )
            support.done()


def _quantization(row: Row) -> Mapping[str, float | None]:
    plain: dict[str, float | None] = dict.fromkeys(row.texts("quantization_methods"))
    return plain | dict(row.numbers("quantization"))
