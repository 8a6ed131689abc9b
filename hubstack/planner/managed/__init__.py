# SPDX-License-Identifier: Apache-2.0
"""Models on managed platforms: Cloud Run and Vertex AI."""
