# SPDX-License-Identifier: Apache-2.0
"""Moves the changelog fragments into CHANGELOG.md: `python -m tools.changelog 0.2.0`.

Owns the kinds of change and their order. A fragment is `changelog.d/NAME.KIND.md`; one of kind `breaking` has a
sentence that starts with `What to do:`, the migration note.
"""

import datetime as dt
import re
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
KINDS = {
    "breaking": "Breaking",
    "security": "Security",
    "added": "Added",
    "changed": "Changed",
    "fixed": "Fixed",
}
MIGRATION = re.compile(r"(?:^|\s)What to do: \S")
_UNRELEASED = "## Unreleased\n"


def fragments(folder: Path) -> dict[Path, str]:
    """Return each fragment's kind.

    Raises:
        ValueError: a file in the folder has an invalid name, or a breaking change has no migration note.
    """
    found: dict[Path, str] = {}
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        name = re.fullmatch(r"[a-z0-9-]+\.([a-z]+)\.md", path.name)
        if name is None or name[1] not in KINDS:
            raise ValueError(f"{path.name}: must be named NAME.KIND.md, where KIND is one of {', '.join(KINDS)}")
        if name[1] == "breaking" and not MIGRATION.search(path.read_text("utf-8")):
            raise ValueError(f"{path.name}: has no sentence that starts with `What to do:`, for who upgrades")
        found[path] = name[1]
    return found


def release_notes(found: dict[Path, str], version: str, day: dt.date) -> str:
    """Return the section of one release."""
    parts = [f"## {version} ({day.isoformat()})\n"]
    for kind, title in KINDS.items():
        lines = [f"- {path.read_text('utf-8').strip()}" for path, own in found.items() if own == kind]
        if lines:
            parts.append(f"### {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def main(version: str, folder: Path = PROJECT) -> None:
    """Write the section below `## Unreleased` and delete the fragments."""
    found = fragments(folder / "changelog.d")
    changelog = folder / "CHANGELOG.md"
    notes = release_notes(found, version, dt.datetime.now(tz=dt.UTC).date())
    changelog.write_text(changelog.read_text("utf-8").replace(_UNRELEASED, f"{_UNRELEASED}\n{notes}", 1), "utf-8")
    for path in found:
        path.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.fullmatch(r"\d+\.\d+\.\d+", sys.argv[1]):
        sys.exit("usage: python -m tools.changelog MAJOR.MINOR.PATCH")
    main(sys.argv[1])
