# SPDX-License-Identifier: Apache-2.0
"""Extracts facts about an engine release from its wheel into the catalogue.

`python -m tools.engine_facts WHEEL...` prints differences from the catalogue; `--write` updates it. Get wheels with
`pip download --no-deps`: the engines, and the transformers release that they run with. They are parsed, never
imported, because importing an engine requires CUDA libraries.
"""
