# SPDX-License-Identifier: Apache-2.0
"""Facts from the Hub about each model at its commit, and the lock that records them.

Only `hub.remote` accesses the network.
"""
