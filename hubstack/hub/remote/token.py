# SPDX-License-Identifier: Apache-2.0
"""The token: where it comes from, which is told, and what it is, which is not.

Which one is sent is huggingface_hub's decision; its order is repeated here only to name the place.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import constants, get_token
from huggingface_hub.errors import OIDCError

_SHAPE = re.compile(r"hf_[A-Za-z0-9_]{4,}")


def token_place(token: str | None = None) -> str | None:
    """Return where the token that is sent stands, for people; None where none is sent.

    Args:
        token: the token that the caller gives; by default huggingface_hub looks for one.
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
    """Return a function that takes tokens out of a text: those that are known, and what has their shape."""
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
