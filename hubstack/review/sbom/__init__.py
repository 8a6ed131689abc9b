# SPDX-License-Identifier: Apache-2.0
"""The bill of models of a stack, for machines (CycloneDX) and for people (a page). See docs/concepts/sbom.md."""

from hubstack.review.sbom.bom import bom_text
from hubstack.review.sbom.transparency import Section, sections

__all__ = ["Section", "bom_text", "sections"]
