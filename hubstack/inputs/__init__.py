# SPDX-License-Identifier: Apache-2.0
"""What people write: the list of models, the settings of a stack, its clusters; typed requests."""
