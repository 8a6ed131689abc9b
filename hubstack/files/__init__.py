# SPDX-License-Identifier: Apache-2.0
"""Read and write files: YAML with positions, problems with a caret and a hint, atomic writes."""
