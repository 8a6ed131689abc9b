# SPDX-License-Identifier: Apache-2.0
"""One setting for all tests: examples of hypothesis have no deadline, since a busy machine is no defect."""

from hypothesis import settings

settings.register_profile("hubstack", deadline=None)
settings.load_profile("hubstack")
