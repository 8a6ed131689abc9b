# SPDX-License-Identifier: Apache-2.0
"""The callers' proxy, run for real: Envoy, its rate limit service, and its counters."""
