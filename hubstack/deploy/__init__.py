# SPDX-License-Identifier: Apache-2.0
"""A plan as Kubernetes objects, dashboards and the weights job: plain data."""
