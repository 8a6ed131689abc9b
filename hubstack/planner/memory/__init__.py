# SPDX-License-Identifier: Apache-2.0
"""How much accelerator memory a model needs, and how many tokens its KV cache holds."""
