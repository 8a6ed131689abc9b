# SPDX-License-Identifier: Apache-2.0
"""The keys of policy.yaml: names, types and the text that documents each.

Owns what the file may say. Does not own reading with positions (`hubstack.review.check.policy_file`).
"""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hubstack.review.check.rules import Level

_Text = Annotated[str, Field(min_length=1)]


class Waiver(BaseModel):
    """One exception to one rule, with someone who answers for it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    rule: str
    """Id of the rule."""
    model: _Text | None = None
    """Key of the model that it is for. Without `model` and `resource` it is for the stack as a whole."""
    resource: _Text | None = None
    """Logical name of the resource that it is for, as `hubstack preview` prints it."""
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    """Who answers for it: an e-mail address."""
    until: dt.date
    """The last day on which it holds, as `2027-01-31`. After it the waiver itself is a finding."""
    why: _Text
    """Why the rule does not hold here."""


class Limits(BaseModel):
    """What may differ by environment."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    licenses: list[_Text] | None = None
    """Allowed licences as the Hub writes them: ids (`apache-2.0`), or the name where the id is `other`. Default:
    any that is stated."""
    weights_formats: list[_Text] | None = None
    """Allowed formats of weights. Default: safetensors and gguf, which hold numbers only."""
    regions: list[_Text] | None = None
    """Regions in which resources may be. A bucket's multi-region (`us`) must be named too. Default: any."""
    max_usd_per_month: float | None = Field(None, gt=0, strict=False, allow_inf_nan=False)
    """Largest bill of a plan, with every model at its most replicas. Default: no limit but `hubstack:budget`."""
    max_accelerators: dict[str, Annotated[int, Field(ge=0)]] | None = None
    """Most accelerators that all node pools together may grow to, by GKE's name (`nvidia-l4`, `tpu-v6e-slice`). A
    kind that is not named is not allowed. Default: no limit."""
    registries: list[_Text] | None = None
    """Registries, or folders of one, from which images may come; `docker.io/vllm` for Docker Hub. Default: any."""
    spot_forbidden_in: list[_Text] | None = None
    """Environments that buy no spot nodes. Default: prod."""
    required_labels: list[_Text] | None = None
    """Labels that every Google Cloud resource must have. Default: managed-by and hubstack-stack."""
    levels: dict[str, Level] | None = None
    """By rule id: `error` fails the check, `warn` is printed, `off` is not looked at. Default: see each rule."""
    waivers: list[Waiver] | None = None
    """Exceptions, each for one rule, with an owner and a last day."""


class PolicyFile(Limits):
    """The limits of every environment, and what is otherwise in one."""

    environments: dict[str, Limits] | None = None
    """By the name of the stack; `prod` holds for `prod-eu` too, the stack of one of its clusters. A key is taken
    whole; levels are laid over the shared ones, waivers are added."""
