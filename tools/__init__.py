# SPDX-License-Identifier: Apache-2.0
"""Programs for hubstack's developers: they write generated files and read releases of engines."""
