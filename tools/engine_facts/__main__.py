# SPDX-License-Identifier: Apache-2.0
"""Reads wheels, and compares them with the catalogue or updates it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.engine_facts import sglang_wheel, vllm_wheel
from tools.engine_facts.transformers_wheel import classes_with_tokenizer, newest, read_transformers
from tools.engine_facts.wheel import Wheel

CATALOG = Path(__file__).resolve().parents[2] / "hubstack" / "catalog" / "releases"
_HEAD = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Written by `python -m tools.engine_facts WHEEL... --write`; do not edit.\n"
)


def read(wheels: Sequence[Wheel]) -> dict[str, Any]:
    """Return the catalogue files generated from wheels, by name."""
    libraries = [wheel for wheel in wheels if wheel.package == "transformers"]
    if not libraries:
        raise SystemExit("also pass the wheel of the transformers release that the engine runs with")
    tokenized = classes_with_tokenizer(newest(libraries))
    made: dict[str, Any] = {"transformers": read_transformers(libraries)}
    for wheel in wheels:
        if wheel.package == "vllm":
            made["vllm"] = vllm_wheel.read_vllm(wheel, tokenized)
            made["vllm_flags"] = _flags(wheel, vllm_wheel.read_flags(wheel))
        elif wheel.package == "sglang":
            made["sglang"] = sglang_wheel.read_sglang(wheel, tokenized)
            made["sglang_flags"] = _flags(wheel, sglang_wheel.read_flags(wheel))
        elif wheel.package != "transformers":
            raise SystemExit(f"{wheel.name}: not a wheel of vllm, sglang or transformers")
    return made


def _flags(wheel: Wheel, flags: dict[str, Any]) -> dict[str, Any]:
    return {"version": wheel.version, "sha256": wheel.sha256, "flags": flags}


def main(args: list[str]) -> int:
    """Return 1 if the catalogue differs from the wheels."""
    wheels = [Wheel(Path(arg)) for arg in args if not arg.startswith("--")]
    differs = 0
    for name, made in read(wheels).items():
        target = CATALOG / f"{name}.yaml"
        text = _HEAD + yaml.safe_dump(made, sort_keys=False, width=116, default_flow_style=None)
        if "--write" in args:
            CATALOG.mkdir(exist_ok=True)
            target.write_text(text)
        elif not target.exists() or target.read_text() != text:
            differs = 1
            print(f"{target.name} differs from its wheels; run again with --write")
    return differs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
