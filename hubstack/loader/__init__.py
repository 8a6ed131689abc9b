# SPDX-License-Identifier: Apache-2.0
"""The script that copies weights from the Hub to a bucket; it runs in the cluster, not here."""

from pathlib import Path


def loader_script() -> str:
    """Return the text of the script, as the ConfigMap carries it."""
    return Path(__file__).with_name("load_weights.py").read_text(encoding="utf-8")
