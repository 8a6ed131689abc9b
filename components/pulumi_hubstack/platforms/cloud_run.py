# SPDX-License-Identifier: Apache-2.0
"""Cloud Run: a service, the Job that copies the weights, their accounts and the bucket."""

from pulumi_hubstack.managed_models import create_service
from pulumi_hubstack.platforms import PlatformResources

RESOURCES = PlatformResources(service="run", reads_token=True, create=create_service)
