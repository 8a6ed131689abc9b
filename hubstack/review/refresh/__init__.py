# SPDX-License-Identifier: Apache-2.0
"""Reads prices, quotas, reservations and availability of a user's own project through Google's client."""
