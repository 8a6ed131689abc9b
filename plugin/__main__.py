# SPDX-License-Identifier: Apache-2.0
"""The plug-in: serves the components that other languages can declare."""

from importlib.metadata import version

from pulumi.provider.experimental import component_provider_host
from pulumi_hubstack.model_stack import ModelStack

if __name__ == "__main__":
    component_provider_host(name="hubstack", components=[ModelStack], version=version("hubstack"))
