# SPDX-License-Identifier: Apache-2.0
"""Where a stack goes: the settings of `stacks/Pulumi.<env>.yaml`, read from Pulumi's own config texts.

Owns the keys and their rules. Values arrive as Pulumi hands them to a program: text, with JSON for lists.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem, nearest
from hubstack.inputs import monitoring
from hubstack.inputs.gateway import SETTING, read_gateway
from hubstack.inputs.maintenance import EXAMPLE, read_window
from hubstack.inputs.pulumi_config import placed
from hubstack.inputs.security import read_security
from hubstack.kinds import Ingress
from hubstack.names import KEDA_NAMESPACE
from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.settings import MaintenancePlan, MonitoringPlan, SecurityPlan

DEFAULT_NAMESPACE = "models"
DEFAULT_RELEASE_CHANNEL = "REGULAR"
KEYS = (
    "gcp:project",
    "gcp:region",
    "hubstack:alerts",
    "hubstack:autoscaling",
    "hubstack:binaryAuthorization",
    "hubstack:billingAccount",
    "hubstack:billingBudget",
    "hubstack:budget",
    "hubstack:clusters",
    "hubstack:deletionProtection",
    "hubstack:gateway",
    "hubstack:hfToken",
    "hubstack:kmsKey",
    "hubstack:maintenanceWindow",
    "hubstack:models",
    "hubstack:monitoring",
    "hubstack:namespace",
    "hubstack:regions",
    "hubstack:releaseChannel",
    "hubstack:restrictedApis",
    "hubstack:runIngress",
    "hubstack:runInvokers",
    "hubstack:servicePerimeter",
    "hubstack:shardOf",
    "hubstack:zones",
)
_EXAMPLES = {
    "gcp:project": "my-project-id", "gcp:region": "us-central1", "hubstack:namespace": DEFAULT_NAMESPACE,
    "hubstack:billingAccount": "0A1B2C-3D4E5F-678901",
}  # fmt: skip
SECRETS = ("hubstack:apiKey", "hubstack:hfToken", "hubstack:iapClientSecret")
"""Settings that no plan reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One environment."""

    stack: str
    project: str
    """Google Cloud project id."""
    region: str
    zones: tuple[str, ...] = ()
    """Zones that may be used; empty: every zone of the region that has the accelerator."""
    models_path: str
    """Of the request, relative to the project folder."""
    namespace: str = DEFAULT_NAMESPACE
    """Kubernetes namespace of the models."""
    budget_usd_per_month: float | None = None
    """A plan whose largest bill is above it is shown, and not applied."""
    deletion_protection: bool = True
    autoscaling: bool = True
    """Whether replicas follow the load; off: they are set by hand."""
    maintenance: MaintenancePlan | None = None
    """When GKE may upgrade; None: whenever it likes."""
    monitoring: MonitoringPlan | None = None
    """Who is told of incidents; None: nothing is watched."""
    regions: tuple[str, ...] = ()
    """Regions to compare with in `hubstack plan`; `any` is every one."""
    gateway: GatewayPlan | None = None
    """None: models are reached inside the cluster only."""
    security: SecurityPlan | None = None
    """What is asked of Google beyond its defaults; None: nothing."""
    run_ingress: Ingress = Ingress.INTERNAL
    """Who reaches Cloud Run services; IAM asks each caller for an identity whatever it says."""
    run_invokers: tuple[str, ...] = ()
    """IAM members that may call the Cloud Run services (`group:team@example.com`); empty: whom the project lets."""
    keda_namespace: str = KEDA_NAMESPACE
    release_channel: str = DEFAULT_RELEASE_CHANNEL
    settings_file: str = ""
    """As messages name it; empty: the stack's own."""

    @property
    def settings_name(self) -> str:
        """Return the file that a wrong setting is mended in."""
        return self.settings_file or f"Pulumi.{self.stack}.yaml"

    settings: Mapping[str, str] = field(default_factory=dict[str, str], compare=False, repr=False)
    """What it was read from; where each stands is for `hubstack.inputs.pulumi_config.placed` to say."""

    def problem(self, setting: str, message: str, hint: str) -> Problem:
        """Return a problem at the line of a setting, where it is known."""
        problem = Problem(path=self.settings_name, message=message, hint=hint, setting=setting)
        return placed(self.settings, [problem])[0]


def read_target(stack: str, config: Mapping[str, str], settings_file: str = "") -> Target:
    """Read the target from Pulumi's config.

    Args:
        stack: name of the stack.
        config: full key (`gcp:project`) to text.
        settings_file: where the settings stand, for messages; the stack's own file by default.

    Raises:
        InputError: every setting that is missing or wrong.
    """
    reader = _Reader(settings_file or f"Pulumi.{stack}.yaml", config)
    target = Target(
        stack=stack, settings_file=settings_file,
        project=reader.text("gcp:project", r"[a-z][-a-z0-9:.]{4,61}[a-z0-9]", "a Google Cloud project id"),
        region=reader.text("gcp:region", r"[a-z]+-[a-z]+\d+", "a region such as us-central1"),
        zones=reader.words("hubstack:zones"),
        models_path=reader.path_inside("hubstack:models") or f"stacks/{stack}.models.yaml",
        namespace=reader.text(
            "hubstack:namespace", r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", "a Kubernetes namespace",
            default=DEFAULT_NAMESPACE,
        ),
        budget_usd_per_month=reader.number("hubstack:budget"),
        regions=reader.regions("hubstack:regions"),
        deletion_protection=reader.flag("hubstack:deletionProtection", default=True),
        autoscaling=reader.flag("hubstack:autoscaling", default=True),
        maintenance=reader.window("hubstack:maintenanceWindow"),
        gateway=reader.gateway(),
        monitoring=reader.monitoring(),
        security=read_security(
            config, config.get("gcp:region", ""), lambda key: reader.flag(key, default=False), reader.refuse
        ),
        run_ingress=reader.ingress("hubstack:runIngress"), run_invokers=reader.members("hubstack:runInvokers"),
        release_channel=config.get("hubstack:releaseChannel") or DEFAULT_RELEASE_CHANNEL,
        settings=config,
    )  # fmt: skip
    reader.check_zones(target)
    reader.check_names()
    if reader.problems:
        raise InputError(placed(config, reader.problems))
    return target


class _Reader:
    def __init__(self, path: str, config: Mapping[str, str]) -> None:
        self.path, self.config = path, config
        self.problems: list[Problem] = []

    def refuse(self, key: str, message: str, example: str) -> None:
        hint = f"pulumi config set {key} {example}, or edit the file"
        self.problems.append(Problem(path=self.path, message=f"`{key}` {message}", hint=hint, setting=key))

    def check_names(self) -> None:
        """Refuse settings that nobody reads: the Pulumi CLI takes any."""
        known = {*KEYS, *SECRETS}
        for key in self.config:
            if key.startswith("hubstack:") and key not in known:
                near = nearest(key, sorted(known))
                hint = f"did you mean `{near}`?" if near else "the settings: docs/getting-started/first-stack.md"
                self.problems.append(
                    Problem(path=self.path, message=f"unknown setting `{key}`", hint=hint, setting=key)
                )

    def text(self, key: str, pattern: str, what: str, default: str = "") -> str:
        value = self.config.get(key, default)
        if not value:
            self.refuse(key, f"is missing: {what}", _EXAMPLES[key])
        elif not re.fullmatch(pattern, value):
            self.refuse(key, f"is `{value}`, which is not {what}", _EXAMPLES[key])
        return value

    def path_inside(self, key: str) -> str:
        value = self.config.get(key, "")
        if Path(value).is_absolute() or ".." in Path(value).parts or value.startswith(("[", "{")) or "\0" in value:
            self.refuse(key, f"is `{value}`, which is no path inside the project", "stacks/dev.models.yaml")
            return ""
        return value

    def words(self, key: str, what: str = "zone names", example: str = "'[\"us-central1-a\"]'") -> tuple[str, ...]:
        value = self._json(key, [])
        if isinstance(value, list) and all(isinstance(word, str) for word in cast("list[Any]", value)):
            return tuple(cast("list[str]", value))
        self.refuse(key, f"must be a list of {what}", example)
        return ()

    def regions(self, key: str) -> tuple[str, ...]:
        """Read `any`, one region or a list of them; whether they exist is for the catalogue to say."""
        text = self.config.get(key) or ""
        if text and not text.lstrip().startswith("["):
            return (text.strip(),)
        return self.words(key)

    def ingress(self, key: str) -> Ingress:
        text = self.config.get(key) or Ingress.INTERNAL.value
        known = [each.value for each in Ingress]
        if text in known:
            return Ingress(text)
        self.refuse(key, f"is `{text}`, which is none of {', '.join(known)}", Ingress.INTERNAL.value)
        return Ingress.INTERNAL

    def members(self, key: str) -> tuple[str, ...]:
        """Read IAM members; everyone is none of them, for each call costs money."""
        value = self._json(key, [])
        example = "'[\"group:team@example.com\"]'"
        if not isinstance(value, list) or not all(isinstance(word, str) for word in cast("list[Any]", value)):
            self.refuse(key, "must be a list of IAM members", example)
            return ()
        members = tuple(dict.fromkeys(cast("list[str]", value)))
        for member in members:
            if member.lower() in {"allusers", "allauthenticatedusers"}:
                self.refuse(key, f"names `{member}`: models are never open to everyone", example)
            elif not re.fullmatch(r"(user|group|serviceAccount|domain|principal|principalSet):\S+", member):
                self.refuse(key, f"names `{member}`, which is no IAM member", example)
        return members

    def number(self, key: str) -> float | None:
        text = self.config.get(key)
        if not text:
            return None
        value = _read(float, text)
        if value is None or not 0 < value < 1e12:
            self.refuse(key, f"is `{text}`, which is no sum in USD a month", "5000")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        text = self.config.get(key)
        if text is None or text == "":
            return default
        if text.lower() not in {"true", "false"}:
            self.refuse(key, f"is `{text}`: true or false", "true")
        return text.lower() == "true"

    def window(self, key: str) -> MaintenancePlan | None:
        if not self.config.get(key):
            return None
        found = read_window(self._json(key, None))
        if isinstance(found, MaintenancePlan):
            return found
        for sentence in found:
            self.refuse(key, sentence, f"'{EXAMPLE}'")
        return None

    def gateway(self) -> GatewayPlan | None:
        gateway, problems = read_gateway(self.path, self.config.get(SETTING))
        self.problems += problems
        return gateway

    def monitoring(self) -> MonitoringPlan | None:
        """Read who is told and what is watched; off, the other settings are still checked."""
        words = self.words("hubstack:alerts", "e-mail addresses and channels", f"'{monitoring.EXAMPLE}'")
        emails, channels, wrong = monitoring.read_alerts(words)
        for sentence in wrong:
            self.refuse("hubstack:alerts", sentence, f"'{monitoring.EXAMPLE}'")
        account = self.config.get("hubstack:billingAccount")
        budget = self.number("hubstack:billingBudget") or _read(float, self.config.get("hubstack:budget") or "")
        if account:
            self.text(
                "hubstack:billingAccount", monitoring.BILLING_ACCOUNT, "an account such as 0A1B2C-3D4E5F-678901"
            )
            if not (self.config.get("hubstack:billingBudget") or self.config.get("hubstack:budget")):
                self.refuse(
                    "hubstack:budget", "is missing: a billing account is named, and a budget needs a sum", "5000"
                )
        elif self.config.get("hubstack:billingBudget"):
            self.refuse(
                "hubstack:billingAccount", "is missing: `hubstack:billingBudget` is declared on one",
                _EXAMPLES["hubstack:billingAccount"],
            )  # fmt: skip
        if not self.flag("hubstack:monitoring", default=True):
            return None
        return MonitoringPlan(
            emails=emails, channels=channels, billing_account=account or None,
            budget_usd_per_month=budget if account else None,
        )  # fmt: skip

    def check_zones(self, target: Target) -> None:
        for zone in target.zones:
            if not zone.startswith(f"{target.region}-"):
                self.refuse(
                    "hubstack:zones",
                    f"names `{zone}`, which is not in {target.region}",
                    f"'[\"{target.region}-a\"]'",
                )

    def _json(self, key: str, default: Any) -> Any:
        text = self.config.get(key)
        return _read(json.loads, text) if text else default


def _read(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except (ValueError, RecursionError):
        return None
