# SPDX-License-Identifier: Apache-2.0
"""`hubstack check`: what of a stack breaks which rule, where it is said, and what to do (docs/concepts/policy.md).

Owns the rules that need list, lock and plan. Those that look at what is registered are the policy pack's, run in a
process of its own (docs/adr/0014-policy.md).
"""
