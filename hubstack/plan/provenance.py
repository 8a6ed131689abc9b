# SPDX-License-Identifier: Apache-2.0
"""What must be known of a model's files before they are let in: format, whether their code runs, the Hub's scan.

Owns the words. They are written on what is registered, so that a policy pack can judge what no resource shows.
"""

from dataclasses import dataclass

CLEAN, UNFINISHED, UNKNOWN = "clean", "unfinished", "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The facts of one model that a policy judges."""

    weights_format: str = "none"
    """`safetensors`, `gguf`, `pickle`, or `none` where the model has no weights of a known kind."""
    runs_remote_code: bool = False
    """The server loads Python of the repository: it is there, and the list allows it."""
    scan: str = UNKNOWN
    """`clean`, `unfinished`, `unknown`, or the worst level that the Hub gives a file."""
