# SPDX-License-Identifier: Apache-2.0
"""The keys of policy.yaml: names, types and documentation.

Owns the schema. Does not own reading the file with locations (`hubstack.review.check.policy_file`).
"""

import datetime as dt
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from hubstack.review.check.rules import Level

_Text = Annotated[str, Field(min_length=1)]


class Waiver(BaseModel):
    """One exception to one rule, with an owner and an expiry date."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    rule: str
    """ID of the rule."""
    model: _Text | None = None
    """Key of the model that it applies to. Without `model` and `resource` it applies to the whole stack."""
    resource: _Text | None = None
    """Logical name of the resource that it applies to, as printed by `hubstack preview`."""
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    """E-mail address of the person responsible."""
    until: dt.date
    """The last valid day, such as `2027-01-31`. An expired waiver is itself a finding."""
    why: _Text
    """Why the rule does not apply here."""


class Limits(BaseModel):
    """Limits that may differ per environment."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)

    licenses: list[_Text] | None = None
    """Allowed licences as the Hub writes them: IDs (`apache-2.0`), or the licence name if the ID is `other`.
    Default: any stated licence."""
    weights_formats: list[_Text] | None = None
    """Allowed weight formats. Default: safetensors and gguf, which cannot contain code."""
    regions: list[_Text] | None = None
    """Allowed regions. A bucket's multi-region (`us`) must be listed too. Default: any."""
    max_usd_per_month: float | None = Field(None, gt=0, strict=False, allow_inf_nan=False)
    """Maximum monthly cost, with every model at `replicas.max`. Default: no limit except `hubstack:budget`."""
    max_accelerators: dict[str, Annotated[int, Field(ge=0)]] | None = None
    """Maximum number of accelerators in all node pools together, by GKE name (`nvidia-l4`, `tpu-v6e-slice`).
    Types not listed are not allowed. Default: no limit."""
    registries: list[_Text] | None = None
    """Allowed image registries or repository prefixes, such as `docker.io/vllm`. Default: any."""
    spot_forbidden_in: list[_Text] | None = None
    """Environments that must not use spot nodes. Default: prod."""
    required_labels: list[_Text] | None = None
    """Labels that every Google Cloud resource must have. Default: managed-by and hubstack-stack."""
    levels: dict[str, Level] | None = None
    """Level by rule ID: `error` fails the check, `warn` only prints, `off` disables. Default: see each rule."""
    waivers: list[Waiver] | None = None
    """Exceptions, each to one rule, with an owner and an expiry date."""


class PolicyFile(Limits):
    """The shared limits, and overrides per environment."""

    environments: dict[str, Limits] | None = None
    """Overrides by stack name; `prod` also applies to its clusters, such as `prod-eu`. A key replaces the shared
    value, except that `levels` are merged and `waivers` are added."""
