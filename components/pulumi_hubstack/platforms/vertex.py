# SPDX-License-Identifier: Apache-2.0
"""Vertex AI: a deployment from Model Garden, which fetches the weights itself."""

from pulumi_hubstack.managed_models import create_deployment
from pulumi_hubstack.platforms import PlatformResources

RESOURCES = PlatformResources(service="aiplatform", create=create_deployment)
