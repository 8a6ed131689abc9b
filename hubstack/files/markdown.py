# SPDX-License-Identifier: Apache-2.0
"""Other people's texts in Markdown: no link, mention, image or markup of theirs comes through."""

import re

from hubstack.files.problems import visible


def escape(text: str) -> str:
    """Return a text that a host's Markdown shows as it is, on one line."""
    flat = visible(" ".join(text.split()))
    plain = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = re.sub(r"([\\`*_\[\]|~!])", r"\\\1", plain)
    # A zero-width space keeps names from being told, and addresses from being made links.
    return re.sub(r"@(?=\w)", "@\u200b", marked).replace("://", ":\u200b//").replace("www.", "www\u200b.")
