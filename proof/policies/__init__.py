# SPDX-License-Identifier: Apache-2.0
"""Enforces the network policies of a graph between pods that have networks of their own on this machine."""
