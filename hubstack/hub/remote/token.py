# SPDX-License-Identifier: Apache-2.0
"""The Hub token: shows where it comes from, never its value.

huggingface_hub decides which token is sent; its order is repeated here only to show the source.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import constants, get_token
from huggingface_hub.errors import OIDCError

_SHAPE = re.compile(r"hf_[A-Za-z0-9_]{4,}")


def token_place(token: str | None = None) -> str | None:
    """Return a description of where the token comes from; None if none is sent.

    Args:
        token: the caller's token; by default huggingface_hub looks for one.
    """
    if token:
        return "the caller"
    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return None
    for name in ("HF_OIDC_RESOURCE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if os.environ.get(name, "").strip():
            return name
    return constants.HF_TOKEN_PATH if Path(constants.HF_TOKEN_PATH).is_file() else None


def redactor(token: str | None) -> Callable[[str], str]:
    """Return a function that redacts tokens from a text: known ones, and anything that looks like one."""
    secrets = {token, os.environ.get("HF_TOKEN"), os.environ.get("HUGGING_FACE_HUB_TOKEN")}
    try:
        secrets.add(get_token())
    except (OIDCError, OSError):
        secrets.add(None)
    words = sorted((word for word in secrets if word), key=len, reverse=True)

    def clean(text: str) -> str:
        for word in words:
            text = text.replace(word, "[token]").replace(word.strip() or word, "[token]")
        return _SHAPE.sub("[token]", text)

    return clean
