# SPDX-License-Identifier: Apache-2.0
"""A model's geometry and the size of its weights."""
