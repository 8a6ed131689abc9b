# SPDX-License-Identifier: Apache-2.0
"""The script that sends requests to every model of a stack, from a Job or from the user's machine."""

from functools import cache
from pathlib import Path


@cache
def ask_script() -> str:
    """Return the script, for a ConfigMap."""
    return Path(__file__).with_name("ask_models.py").read_text(encoding="utf-8")
