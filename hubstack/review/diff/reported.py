# SPDX-License-Identifier: Apache-2.0
"""Base class of the types in the report's JSON."""

from typing import ClassVar

from pydantic import ConfigDict


class Reported:
    """Makes the docstring under a field its description in docs/reference/change.schema.json."""

    __slots__ = ()
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(use_attribute_docstrings=True)
