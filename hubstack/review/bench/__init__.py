# SPDX-License-Identifier: Apache-2.0
"""Measures a running model with vLLM's load tool, so that plans use measured figures (docs/guides/measure.md)."""
