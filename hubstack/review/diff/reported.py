# SPDX-License-Identifier: Apache-2.0
"""The base of what stands in the report's JSON. Owns nothing of what it says."""

from typing import ClassVar

from pydantic import ConfigDict


class Reported:
    """Makes the docstring under a field its description in docs/reference/change.schema.json."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)
