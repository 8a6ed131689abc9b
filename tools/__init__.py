# SPDX-License-Identifier: Apache-2.0
"""Developer tools: they generate files and extract facts from engine releases."""
