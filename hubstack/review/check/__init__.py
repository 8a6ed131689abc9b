# SPDX-License-Identifier: Apache-2.0
"""`hubstack check`: reports policy violations with their location and fix (docs/concepts/policy.md).

Owns the rules that need list, lock and plan. Rules on registered resources belong to the policy pack, which runs in
a separate process (docs/adr/0014-policy.md).
"""
