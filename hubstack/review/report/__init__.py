# SPDX-License-Identifier: Apache-2.0
"""Tables for the terminal and the HTML page of a plan."""
