# SPDX-License-Identifier: Apache-2.0
"""Where the Hub is: HF_ENDPOINT, checked before the Hub's client is imported, which reads and trusts it."""

import os
from urllib.parse import urlsplit

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

DEFAULT = "https://huggingface.co"


def check_endpoint() -> None:
    """Refuse an HF_ENDPOINT that is no base URL; the text is not repeated, since it may hold a password.

    Raises:
        InputError: it is none.
    """
    value = os.environ.get("HF_ENDPOINT")
    if not value:
        return
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good or not value.isprintable() or " " in value:
        hint = f"set it to the Hub's address ({DEFAULT}), or unset it"
        raise InputError([Problem(path="HF_ENDPOINT", message="is not an http or https URL", hint=hint)])
