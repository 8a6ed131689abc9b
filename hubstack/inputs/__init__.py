# SPDX-License-Identifier: Apache-2.0
"""The files that users write (model list, stack settings, clusters), parsed into typed requests."""
