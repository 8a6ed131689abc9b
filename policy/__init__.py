# SPDX-License-Identifier: Apache-2.0
"""The policy pack: a second opinion on what a stack registers, whoever wrote it.

Shares no code with hubstack (docs/adr/0014-policy.md). Its files stand side by side and import each other by their
plain names, since Pulumi runs the folder as a program.
"""
