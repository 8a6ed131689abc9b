# SPDX-License-Identifier: Apache-2.0
"""Whether a stack works: one real request a model, through the address that callers use."""
