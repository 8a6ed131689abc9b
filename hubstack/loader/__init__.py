# SPDX-License-Identifier: Apache-2.0
"""Scripts that fill and clear a model's bucket; they run in the cluster, not here."""

from pathlib import Path


def loader_script() -> str:
    """Return the text of the script that copies weights from the Hub, as a ConfigMap carries it."""
    return _text("load_weights.py")


def collector_script() -> str:
    """Return the text of the script that removes unused commits, as a ConfigMap carries it."""
    return _text("collect_weights.py")


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
