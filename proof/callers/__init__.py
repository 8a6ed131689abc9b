# SPDX-License-Identifier: Apache-2.0
"""The proxy that tells callers apart, run for real: Envoy, its rate limit service, and what it counts in."""
