# SPDX-License-Identifier: Apache-2.0
"""Real engines on a processor: how they are installed, tiny models for them, and containers that run them."""
