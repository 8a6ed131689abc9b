# SPDX-License-Identifier: Apache-2.0
"""How a model is served: engine, container, loading, scaling, routing and objectives."""
