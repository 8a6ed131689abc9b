# SPDX-License-Identifier: Apache-2.0
"""Bad files that git cannot or should not hold: large ones, folders, pipes, links. Made when they are needed."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.runner import KINDS, Outcome, base_project, run

Make = Callable[[Path], None]


def _text(text: str) -> Make:
    return lambda path: path.write_text(text) and None


def _instead(make: Make) -> Make:
    def replace(path: Path) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return replace


def _fifty_megabytes(path: Path) -> None:
    with path.open("w") as stream:
        stream.write("models:\n")
        for _ in range(50):
            stream.write("- a/b\n" * 166_667)


def _chain(path: Path) -> None:
    path.write_text("extends: base-0.yaml\n")
    for number in range(20):
        path.with_name(f"base-{number}.yaml").write_text(f"extends: base-{number + 1}.yaml\n")


def _outside(path: Path) -> None:
    path.symlink_to("/etc/hostname")


_FOLDER = _instead(Path.mkdir)
_MISSING = _instead(lambda _: None)
_LOOP = _instead(lambda path: path.symlink_to(path.name))

MADE: dict[str, Make] = {
    "models/made-50-mb": _fifty_megabytes,
    "models/made-brackets-without-end": _text("models: " + "[" * 1_900_000),
    "models/made-braces-without-end": _text("models: " + "{a: " * 400_000),
    "models/made-dashes-without-end": _text("models:\n" + "- " * 900_000),
    "models/made-values-without-end": _text("models: [" + "a," * 900_000 + "]\n"),
    "models/made-directives-without-end": _text(
        "".join(f"%TAG !{n}! tag:x,2026:\n" for n in range(50_000)) + "---\nmodels: []\n"
    ),
    "models/made-one-long-line": _text("models: [" + "owner/model, " * 5_000 + "a//b]\n"),
    "models/made-one-long-word": _text("models:\n- " + "x" * 1_900_000 + "\n"),
    "models/made-one-long-key": _text("k" * 1_900_000 + ": 1\nmodels: [a/b]\n"),
    "models/made-a-thousand-faults": _text("models:\n" + "".join(f"- owner/model-{n}-\n" for n in range(1000))),
    "models/made-a-thousand-overrides": _text(
        "models:\n"
        + "".join(f"- owner/model-{n}\n" for n in range(1000))
        + "overrides:\n"
        + "".join(f"  modell-{n}: {{context: 512}}\n" for n in range(1000))
    ),
    "models/made-chain": _chain,
    "models/made-folder": _FOLDER,
    "models/made-missing": _MISSING,
    "models/made-link-to-itself": _LOOP,
    "models/made-link-outside": _instead(_outside),
    "models/made-link-to-zeros": _instead(lambda path: path.symlink_to("/dev/zero")),
    "models/made-pipe": _instead(os.mkfifo),
    "locks/made-33-mb": _text("format: 2\nmodels:\n" + "# padding\n" * 3_300_000),
    "locks/made-folder": _FOLDER,
    "locks/made-missing": _MISSING,
    "locks/made-pipe": _instead(os.mkfifo),
    "placements/made-folder": _FOLDER,
    "placements/made-50-mb": _fifty_megabytes,
    "settings/made-missing": _MISSING,
    "settings/made-50-mb": _fifty_megabytes,
    "projects/made-50-mb": _fifty_megabytes,
    "policies/made-folder": _FOLDER,
    "policies/made-50-mb": _fifty_megabytes,
    "quotas/made-folder": _FOLDER,
    "diff_quotas/made-missing": _MISSING,
    "diff_quotas/made-folder": _FOLDER,
    "diff_quotas/made-50-mb": _fifty_megabytes,
    "listings/made-missing": _MISSING,
    "listings/made-folder": _FOLDER,
}


def run_made(name: str) -> Outcome:
    """Make a case and run the command that reads it."""
    kind = name.partition("/")[0]
    with tempfile.TemporaryDirectory(prefix="bad-input-") as made:
        folder = Path(made).resolve()
        base_project(folder)
        MADE[name](folder / KINDS[kind].path)
        return run(folder, kind)
