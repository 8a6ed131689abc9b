# SPDX-License-Identifier: Apache-2.0
"""How a program or a person talks to a running model."""
