# SPDX-License-Identifier: Apache-2.0
"""The callers' proxy: configuration of Envoy and of its rate limit service, as plain data."""
