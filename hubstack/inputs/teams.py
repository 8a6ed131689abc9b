# SPDX-License-Identifier: Apache-2.0
"""The stack setting `hubstack:teams`: who owns models of the list, and what their namespaces may use.

Owns its keys, the namespaces that belong to others, and the labels of a team's models. Does not own which models
are a team's (`team:` in the list) or whether they fit in its quota (`hubstack.planner.teams`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from hubstack.inputs.labels import Labels
from hubstack.inputs.setting_types import form, refusal
from hubstack.names import DNS_LABEL_MAX, shorten

SETTING = "hubstack:teams"
EXAMPLE = '{"search":{"owner":"search@example.com","quota":{"l4":4}}}'
LABEL = "team"
"""Label with the key of a model's team."""
TEAM = r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?"
_TAKEN_NAMESPACES = (
    r"default|(kube|gke|gmp|keda|lws|istio|cnrm|anthos|asm)(-.*)?"
    r"|(config-management|gatekeeper|resource-group|configconnector-operator)-.*"
)
"""Namespaces of Kubernetes, GKE's own workloads, Google's add-ons and the stack's controllers."""


def is_free(namespace: str) -> str:
    """Return a namespace that may be the models'; raise for one of others."""
    if re.fullmatch(_TAKEN_NAMESPACES, namespace):
        raise refusal(f"is `{namespace}`, which Kubernetes, GKE or the stack's controllers use: choose another")
    return namespace


Namespace = Annotated[
    str, form(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a Kubernetes namespace"), AfterValidator(is_free)
]
Owner = Annotated[str, form(r"[^\s\x00-\x1f]{1,128}", "one word, such as an e-mail address")]


class TeamSettings(BaseModel):
    """One team (docs/guides/teams.md)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    namespace: Namespace | None = None
    """Namespace of the team's models. Default: the stack's namespace and the team's key, `models-search`."""
    owner: Owner | None = None
    """Who is responsible: an e-mail address or a group, an annotation of the namespace."""
    labels: Labels = Field(default={})
    """Labels on the team's models, over those of the stack and under their own. `team` is set to the team's key."""
    quota: dict[str, Annotated[int, Field(ge=0, le=100_000)]] = Field(default={})
    """The most accelerators by catalogue ID, `{l4: 4, h100-80gb: 8}`; no others may be used. Checked by the plan,
    and by a ResourceQuota for all GPUs and all TPU chips together. Default: no limit."""
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] | None = None
    """Priority of the team's servers: where nodes are short, they are scheduled before servers of lower priority
    and may replace them (PriorityClass). Default: 0, as for all pods."""

    def model_labels(self, key: str) -> dict[str, str]:
        """Return the labels of the team's models."""
        return {LABEL: key, **self.labels}

    def namespace_of(self, key: str, stacks: str) -> str:
        """Return the team's namespace.

        Args:
            key: key of the team.
            stacks: namespace of the stack.
        """
        return self.namespace or shorten(f"{stacks}-{key}", DNS_LABEL_MAX)


def team_problems(teams: Mapping[str, TeamSettings], stacks: str) -> Iterator[tuple[str, str, str]]:
    """Yield key, message and hint for each team that conflicts with the others.

    Args:
        teams: team key to settings.
        stacks: namespace of the stack.
    """
    held: dict[str, str] = {stacks: "the stack"}
    for key, team in teams.items():
        if not re.fullmatch(TEAM, key):
            yield (
                key,
                "is not a valid team key",
                "use 1 to 30 lower-case letters, digits and hyphens, a letter first: `search`",
            )
            continue
        space = team.namespace_of(key, stacks)
        if other := held.get(space):
            yield f"{key}.namespace", f"is `{space}`, which is already that of {other}", "choose another"
        held.setdefault(space, f"the team `{key}`")
