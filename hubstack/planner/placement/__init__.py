# SPDX-License-Identifier: Apache-2.0
"""Which machines a model runs on: offers, rules, candidates, and the solver that chooses the fleet."""
