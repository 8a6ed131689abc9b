# SPDX-License-Identifier: Apache-2.0
"""Reads engines.yaml. Owns the format of that file; the types are in `hubstack.catalog.engines`."""

from collections.abc import Callable, Iterator, Mapping

from hubstack.catalog.engines import Engine, EngineImage, FamilyParsers, ImageFacts, ModelTypeSupport
from hubstack.catalog.platforms import GpuDriver
from hubstack.catalog.releases import Release, Releases
from hubstack.catalog.row import Row
from hubstack.kinds import AcceleratorKind

Versions = Mapping[str, Callable[[], Engine]]
"""Version to what reads an engine at it."""


def read_engines(file: Row, releases: Releases, driver: GpuDriver) -> Iterator[tuple[Engine, Versions]]:
    """Yield each engine of the file at its default version, and how its other versions are read."""
    for row in file.rows("engines"):
        engine, others = _engine(row, releases, driver), row.maybe_row("versions")
        row.done()
        yield (
            engine,
            {version: _reader(row, version, releases, driver) for version in (others.names() if others else ())},
        )


def _reader(row: Row, version: str, releases: Releases, driver: GpuDriver) -> Callable[[], Engine]:
    def read() -> Engine:
        differing = row.row("versions").row(version)
        if "version" in differing.names():
            differing.refuse("the version is the key of this row", "version")
        merged = row.over(differing, without=("version", "flags_of", "versions"), version=version)
        engine = _engine(merged, releases, driver)
        merged.done()
        return engine

    return read


def _engine(row: Row, releases: Releases, driver: GpuDriver) -> Engine:
    run_as = row.maybe_row("run_as")
    version, kind = _version(row), row.word("kind", AcceleratorKind)
    release = releases.read(row.text("id"), version) if row.flag("release") and version else None
    quantization = release.quantization if release else _quantization(row)
    return row.fill(
        Engine,
        kind=kind,
        version=version,
        images=tuple(_images(row, version or "")),
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
        family_parsers=tuple(_family_parsers(row, release)),
        parser_packages=row.texts_by_key("parser_packages"),
    )


def _family_parsers(row: Row, release: Release | None) -> Iterator[FamilyParsers]:
    """Yield the parsers of each model family that the version has and can load."""
    lacking = row.texts_by_key("parser_packages")
    known = {"tool_call": release.tool_call_parsers, "reasoning": release.reasoning_parsers} if release else {}
    for family in row.rows("family_parsers"):
        said = {use: family.maybe_text(use) for use in ("tool_call", "reasoning")}
        parsers = {use: name for use, name in said.items() if name and name not in lacking}
        yield family.fill(
            FamilyParsers,
            parsers={use: name for use, name in parsers.items() if use not in known or name in known[use]},
        )


def _version(row: Row) -> str | None:
    """Return the pinned version; an engine without one must say `pin: none`."""
    version, pin = row.maybe_text("version"), row.maybe_text("pin")
    if (version is None) == (pin is None):
        row.refuse("set either `version` or `pin: none`")
    return version


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


def _images(row: Row, version: str) -> Iterator[EngineImage]:
    for image in row.rows("images"):
        name = image.text("image").replace("{version}", version)
        yield image.fill(EngineImage, image=name, is_experimental=image.flag("experimental"))
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
                    ModelTypeSupport,
                    can_classify=support.flag("classify"),
                    is_sparse=support.flag("sparse"),
                    is_custom=support.flag("custom"),
                ),
            )
            support.done()


def _quantization(row: Row) -> Mapping[str, float | None]:
    plain: dict[str, float | None] = dict.fromkeys(row.texts("quantization_methods"))
    return plain | dict(row.numbers("quantization"))
