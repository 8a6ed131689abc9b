# SPDX-License-Identifier: Apache-2.0
"""What the Hub says of a model at a commit, and the lock that holds it.

`hub.remote` is the only door to the network.
"""
