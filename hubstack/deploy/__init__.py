# SPDX-License-Identifier: Apache-2.0
"""Turns a plan into Kubernetes objects, dashboards and the weights Jobs, all as plain data."""
