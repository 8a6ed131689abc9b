# SPDX-License-Identifier: Apache-2.0
"""hubstack's throughput predictor against public measurements: fit, judge and the page docs/benchmarks/throughput.md."""
