# SPDX-License-Identifier: Apache-2.0
"""Labels of the user's own: cost centre, team. Owns what a key and a value may be on Google Cloud and Kubernetes.

Google: lower-case letters, digits, `_` and `-`, at most 63, at most 64 labels on a resource (Resource Manager docs,
"Labels overview"). Kubernetes: the same characters among others, a letter or digit at both ends (Kubernetes docs,
"Labels and Selectors").
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from hubstack.files.problems import RefusedError

MAX_LABELS = 32
"""Leaves room on each resource for the labels of hubstack and of Google."""
_KEY = r"[a-z]([-_a-z0-9]{0,61}[a-z0-9])?"
_VALUE = r"[a-z0-9]([-_a-z0-9]{0,61}[a-z0-9])?"
_RESERVED = r"managed-by|(hubstack|goog|google|gke|k8s|kubernetes|kubernetes-io|pulumi)([-_].*)?"
"""Keys that hubstack, Google or Kubernetes set or read."""
_KEY_HINT = "use lower-case letters, digits, `-` and `_`, a letter first, at most 63: `cost-center`"
_VALUE_HINT = "use lower-case letters, digits, `-` and `_`, at most 63"


def _checked(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not re.fullmatch(_KEY, key):
            raise RefusedError(f"`{key}` is not the key of a label", _near(key, _KEY, _KEY_HINT))
        if re.fullmatch(_RESERVED, key):
            raise RefusedError(
                f"the label `{key}` is reserved by hubstack, Google or Kubernetes", "choose another key"
            )
        if not re.fullmatch(_VALUE, value):
            message = f"`{value}` is not a value of the label `{key}`"
            raise RefusedError(message, _near(value, _VALUE, _VALUE_HINT))
    return dict(sorted(labels.items()))


def _near(text: str, pattern: str, hint: str) -> str:
    found = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")
    return f"did you mean `{found}`? {hint}" if re.fullmatch(pattern, found) else hint


Labels = Annotated[dict[str, str], Field(max_length=MAX_LABELS), AfterValidator(_checked)]
