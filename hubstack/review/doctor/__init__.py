# SPDX-License-Identifier: Apache-2.0
"""Why a model does not start, from what its cluster says."""
