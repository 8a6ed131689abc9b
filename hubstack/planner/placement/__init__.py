# SPDX-License-Identifier: Apache-2.0
"""Which machines each model runs on: offers, rules, candidates, and the solver that minimizes the total cost."""
