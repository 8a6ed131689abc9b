# SPDX-License-Identifier: Apache-2.0
"""Whole numbers written as text in untrusted input.

`str.isdigit` accepts characters that `int` refuses, such as `²`, and `int` refuses more than 4300 digits.
"""

import re


def whole_number(text: object) -> int | None:
    """Return the number of up to fifteen digits that a text or a YAML key consists of, or None."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text if 0 <= text < 10**15 else None
    return int(text) if isinstance(text, str) and re.fullmatch(r"[0-9]{1,15}", text) else None
