# SPDX-License-Identifier: Apache-2.0
"""The Hub's URL: validates HF_ENDPOINT before importing the Hub's client, which trusts it."""

import os
from urllib.parse import urlsplit

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem

DEFAULT = "https://huggingface.co"


def check_endpoint() -> None:
    """Reject an HF_ENDPOINT that is not a base URL; the message omits the value, which may contain a password.

    Raises:
        InputError: HF_ENDPOINT is invalid.
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
