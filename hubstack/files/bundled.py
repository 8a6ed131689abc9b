# SPDX-License-Identifier: Apache-2.0
"""Finds the folders that ship with hubstack beside its code: the policy pack, the pages, the recipes.

A wheel holds them in `hubstack/bundled` (`pyproject.toml`); in a clone they are where they are edited.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_IN_WHEEL = _PACKAGE / "bundled"


def is_clone() -> bool:
    """Return whether this hubstack runs from a clone rather than from an installed wheel."""
    return not _IN_WHEEL.is_dir()


def bundled(path: str) -> Path:
    """Return a file or folder that ships with hubstack, by its path in a clone: `policy/judge.py`."""
    return (_PACKAGE.parent if is_clone() else _IN_WHEEL) / path


def import_paths() -> tuple[Path, ...]:
    """Return what a child process needs on its import path; nothing if hubstack is installed."""
    root = _PACKAGE.parent
    return (root / "components", root) if is_clone() else ()
