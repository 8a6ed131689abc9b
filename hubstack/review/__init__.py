# SPDX-License-Identifier: Apache-2.0
"""What people and CI read before anything is applied: preview, diff, check, report, bill of models, drift."""
