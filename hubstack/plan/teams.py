# SPDX-License-Identifier: Apache-2.0
"""A team whose models have a namespace of their own. `hubstack.inputs.teams` reads the user's setting."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hubstack import names


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamPlan:
    """One team."""

    key: str
    namespace: str
    """Kubernetes namespace of its models."""
    home: str
    """Namespace of the stack, where the gateway is."""
    owner: str | None = None
    """Who is responsible, such as an e-mail address."""
    quota: Mapping[str, int] = field(default_factory=dict[str, int])
    """Resource of Kubernetes (`nvidia.com/gpu`) to the most that its pods may request; empty: no limit."""
    priority: int | None = None
    """Value of the PriorityClass of its servers; None: they have none."""

    def priority_class(self, stack: str) -> str:
        """Return the name of its PriorityClass, which a cluster has once."""
        return names.shorten(f"hubstack-{names.slug(stack)}-{self.key}", names.DNS_LABEL_MAX)
