# SPDX-License-Identifier: Apache-2.0
"""A plan as one self-contained HTML page: `page_text`."""

from hubstack.page.page import page_text

__all__ = ["page_text"]
