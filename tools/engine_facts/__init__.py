# SPDX-License-Identifier: Apache-2.0
"""Reads what a release of an engine knows from its wheel into the catalogue.

`python -m tools.engine_facts WHEEL...` prints what differs from the catalogue, and writes it anew with `--write`.
Wheels come from `pip download --no-deps`: of the engines, and of the transformers that they run with. They are
parsed, never run, since to import an engine needs CUDA's libraries.
"""
