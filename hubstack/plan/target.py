# SPDX-License-Identifier: Apache-2.0
"""Where a stack goes and what is asked of that place: a part of the Plan.

Owns the type. What a user wrote is `hubstack.inputs.settings`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hubstack.names import KEDA_NAMESPACE
from hubstack.plan.settings import MaintenancePlan, SecurityPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """Where it goes."""

    stack: str
    project: str
    region: str
    namespace: str
    deletion_protection: bool
    release_channel: str
    """GKE release channel."""
    maintenance: MaintenancePlan | None = None
    """When GKE may upgrade; None: whenever it likes."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    keda_namespace: str = KEDA_NAMESPACE
    """Of the autoscaler: one of its own where clusters may share a project, since IAM knows its account by it."""
    security: SecurityPlan | None = None
    """What is asked of Google beyond its defaults; None: nothing."""

    @property
    def kms_key(self) -> str | None:
        """The key that encrypts what the stack stores; None: Google's own."""
        return self.security.kms_key if self.security else None

    @property
    def binary_authorization(self) -> bool:
        """Whether images are held against the project's policy."""
        return self.security is not None and self.security.binary_authorization
