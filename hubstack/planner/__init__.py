# SPDX-License-Identifier: Apache-2.0
"""Requests, facts and catalogue in; a plan out. Pure: no file, no network, no Pulumi."""
