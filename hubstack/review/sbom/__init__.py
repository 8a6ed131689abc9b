# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of a stack: CycloneDX for tools, a page for people. See docs/concepts/sbom.md."""

from hubstack.review.sbom.bom import bom_text
from hubstack.review.sbom.transparency import Section, sections

__all__ = ["Section", "bom_text", "sections"]
