# SPDX-License-Identifier: Apache-2.0
"""The policy pack: an independent check of what a stack registers, regardless of which program registers it.

Shares no code with hubstack (docs/adr/0014-policy.md). Its modules import each other by plain names, because Pulumi
runs the folder as a program.
"""
