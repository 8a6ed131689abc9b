# SPDX-License-Identifier: Apache-2.0
"""What looks like a secret in a text: tokens and keys by the form that their issuers give them.

Owns the forms. A settings file is checked with them, and everything that is read from a cluster is printed without
them.
"""

import re
from collections.abc import Mapping

FORMS: Mapping[str, re.Pattern[str]] = {
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{16,}|\bapi_org_[A-Za-z0-9]{16,}"),
    "a Google API key": re.compile(r"\bAIza[\w-]{30,}"),
    "a Google access token": re.compile(r"\bya29\.[\w.-]{20,}"),
    "an OAuth client secret": re.compile(r"\bGOCSPX-[\w-]{20,}"),
    "an API key": re.compile(r"\bsk-[\w-]{16,}"),
    "a GitHub token": re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}"),
    "a private key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)", re.DOTALL
    ),
    "a JSON Web Token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]*"),
}
"""What it is, and its form: prefixes from the issuers' documentation and from GitHub's list of secret scanning
patterns, 2026-11."""
_BEARER = re.compile(r"(?i)(\bauthorization\b\W{1,4}(?:bearer|basic)\s+|\bbearer\s+)[\w.~+/=-]{8,}")
_NAMED = re.compile(
    r"""(?i)((?:\b|_)(?:api[_-]?key|token|secret|password)["']?\s*[=:]\s*["']?)(?![\s"'{\[<(])[^\s"',;]{8,}"""
)


def kind_of_secret(text: str) -> str | None:
    """Return what a text contains that looks like a secret, or None."""
    return next((kind for kind, form in FORMS.items() if form.search(text)), None)


def without_secrets(text: str) -> str:
    """Return a text with everything that looks like a secret replaced."""
    for kind, form in FORMS.items():
        text = form.sub(f"({kind})", text)
    return _NAMED.sub(r"\1***", _BEARER.sub(r"\1***", text))
