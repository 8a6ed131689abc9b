# SPDX-License-Identifier: Apache-2.0
"""Scripts that fill and clean up a model's bucket, and their dependencies; they run in the cluster, not here."""

import re
from functools import cache
from pathlib import Path

_REQUIREMENT = re.compile(r"^(?P<name>\S+)==(?P<version>\S+) --hash=sha256:(?P<sha256>[0-9a-f]{64})$", re.MULTILINE)


def loader_script() -> str:
    """Return the script that copies weights from the Hub, for a ConfigMap."""
    return _text("load_weights.py")


def copier_script() -> str:
    """Return the script that copies own weights between buckets, for a ConfigMap."""
    return _text("copy_objects.py")


def loader_requirements() -> str:
    """Return the loader's pip requirements, with a hash for each package, for a ConfigMap."""
    return _text("requirements.txt")


def loader_packages() -> tuple[tuple[str, str, str], ...]:
    """Return the name, version and sha256 of each package that the loader installs, sorted."""
    return tuple(
        (match["name"], match["version"], match["sha256"]) for match in _REQUIREMENT.finditer(loader_requirements())
    )


def collector_script() -> str:
    """Return the script that removes unused commits, for a ConfigMap."""
    return _text("collect_weights.py")


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
