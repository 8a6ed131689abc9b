# SPDX-License-Identifier: Apache-2.0
"""The proxy that tells callers apart: configuration of Envoy and of its rate limit service, as plain data."""
