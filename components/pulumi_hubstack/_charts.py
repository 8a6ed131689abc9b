# SPDX-License-Identifier: Apache-2.0
"""Registers the plan's Helm charts: one pinned Release each, with the plan's values."""

from collections.abc import Iterable

import pulumi
import pulumi_kubernetes as kubernetes

from hubstack.deploy.manifests import Chart
from pulumi_hubstack._options import child


def release(
    name: str, chart: Chart, parent: pulumi.Resource, after: Iterable[pulumi.Resource]
) -> kubernetes.helm.v3.Release:
    """Install a chart into an existing namespace.

    Args:
        name: logical name.
        chart: what to install.
        parent: the parent resource, which also supplies the provider.
        after: resources to create first.
    """
    repository = kubernetes.helm.v3.RepositoryOptsArgs(repo=chart.repository) if chart.repository else None
    return kubernetes.helm.v3.Release(
        name,
        name=chart.release,
        chart=chart.chart,
        version=chart.version,
        repository_opts=repository,
        namespace=chart.namespace,
        values=chart.values,
        # Roll back a failed first install, so that the next one starts clean.
        atomic=True,
        timeout=900,
        opts=child(parent, depends_on=list(after)),
    )
