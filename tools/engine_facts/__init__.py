# SPDX-License-Identifier: Apache-2.0
"""Extracts facts about an engine release from its wheel into the catalogue, as a version that a list can name.

`python -m tools.engine_facts vllm==0.34.0` prints what the catalogue lacks or has otherwise; `--write` adds it: the
release's files, its row in engines.yaml and its sources. What the catalogue has is compared, never changed. Wheels
are fetched from the package index, or given as files; they are parsed, never imported, because importing an engine
requires CUDA libraries. llama.cpp has no wheel: `llama-server --help > llama-cpp-BUILD.help`, and that file.
"""
