# SPDX-License-Identifier: Apache-2.0
"""The Pulumi program: the stack's fleet and its outputs."""

import pulumi_hubstack

pulumi_hubstack.run()
