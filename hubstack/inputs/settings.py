# SPDX-License-Identifier: Apache-2.0
"""The settings of a stack (`stacks/Pulumi.<stack>.yaml`): names, types, defaults, rules and documentation.

Each setting is one field of `StackSettings`, from which the reference page, the JSON Schema and the settings of a
cluster are generated. Does not own reading files (`hubstack.inputs.pulumi_config`) or value formats
(`hubstack.inputs.setting_types`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.config import JsonDict
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema

from hubstack.files.errors import InputError
from hubstack.files.problems import Problem
from hubstack.files.schema_errors import schema_problems
from hubstack.files.secrets import without_secrets
from hubstack.inputs.callers import EXAMPLE as CALLERS_EXAMPLE
from hubstack.inputs.callers import SETTING as CALLERS
from hubstack.inputs.callers import CallerSettings, caller_rules
from hubstack.inputs.existing_cluster import EXAMPLE as CLUSTER_EXAMPLE
from hubstack.inputs.existing_cluster import SETTING as CLUSTER
from hubstack.inputs.existing_cluster import ExistingClusterSettings, cluster_problems, is_inside
from hubstack.inputs.gateway import SETTING as GATEWAY
from hubstack.inputs.gateway import GatewaySettings, gateway_problems
from hubstack.inputs.images import EXAMPLE as IMAGES_EXAMPLE
from hubstack.inputs.images import SETTING as IMAGES
from hubstack.inputs.images import ImagesSettings, images_problems
from hubstack.inputs.labels import Labels
from hubstack.inputs.maintenance import EXAMPLE, MaintenanceWindow
from hubstack.inputs.network import EXAMPLE as NETWORK_EXAMPLE
from hubstack.inputs.network import SETTING as NETWORK
from hubstack.inputs.network import NetworkSettings, address_problem, network_problems
from hubstack.inputs.pulumi_config import (
    Settings,
    config_text,
    current_names,
    placed,
    plain_secrets,
    settings_document,
)
from hubstack.inputs.rotation import EXAMPLE as ROTATION_EXAMPLE
from hubstack.inputs.rotation import SETTING as ROTATION
from hubstack.inputs.rotation import SecretVersionSettings
from hubstack.inputs.setting_types import (
    DISTINCT,
    FROM_JSON,
    FROM_WORD_OR_JSON,
    LIST,
    AmountPerMonth,
    Flag,
    Member,
    Secret,
    check_currency,
    form,
)
from hubstack.inputs.teams import EXAMPLE as TEAMS_EXAMPLE
from hubstack.inputs.teams import SETTING as TEAMS
from hubstack.inputs.teams import Namespace, TeamSettings, team_problems
from hubstack.kinds import GpuDriver, Ingress
from hubstack.names import DNS_LABEL_MAX, KEDA_NAMESPACE, cluster_name, shorten, slug
from hubstack.plan.existing_cluster import ClusterFacts, ExistingCluster
from hubstack.plan.gateway import GatewayPlan
from hubstack.plan.network import OWN, Nat, NetworkPlan
from hubstack.plan.settings import MaintenancePlan, Money, MonitoringPlan, SecurityPlan

_PROJECT = r"[a-z][-a-z0-9:.]{4,61}[a-z0-9]"
_EMAIL = r"[^@\s]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z]{2,24}"
_CHANNEL = r"projects/[a-z0-9:.-]+/notificationChannels/\d+"
_KEY = rf"projects/{_PROJECT}/locations/([a-z0-9-]+)/keyRings/[\w-]{{1,63}}/cryptoKeys/[\w-]{{1,63}}"
_PERIMETER = r"accessPolicies/\d{1,20}/servicePerimeters/[A-Za-z]\w{0,49}"


Zone = Annotated[str, form(r"[a-z]+-[a-z]+\d+-[a-z]", "a zone such as us-central1-a")]
Alert = Annotated[
    str,
    form(f"{_EMAIL}|{_CHANNEL}", "an e-mail address or `projects/PROJECT/notificationChannels/NUMBER`"),
]
USD = "USD"
GpuDrivers = dict[str, Annotated[GpuDriver, Field(strict=False)]]
_MARK = "environmentOnly"
_ENVIRONMENT_ONLY: JsonDict = {_MARK: True}
"""Marks settings that one cluster of an environment cannot override."""


class StackSettings(BaseModel):
    """One stack."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        populate_by_name=True,
    )

    project: Annotated[str, form(_PROJECT, "a Google Cloud project ID")] = Field(
        validation_alias="gcp:project", examples=["my-project-id"]
    )
    """Google Cloud project ID."""
    region: Annotated[str, form(r"[a-z]+-[a-z]+\d+", "a region such as us-central1")] = Field(
        validation_alias="gcp:region", examples=["us-central1"]
    )
    """Region for everything that the stack creates."""
    models_file: Annotated[str, AfterValidator(is_inside)] | None = Field(
        None,
        validation_alias="hubstack:models",
        examples=["stacks/dev.models.yaml"],
        json_schema_extra={**_ENVIRONMENT_ONLY, "default": "stacks/<stack>.models.yaml"},
    )
    """Path of the model list, relative to the project folder."""
    zones: Annotated[tuple[Zone, ...], LIST, DISTINCT, FROM_JSON] = Field(
        (), validation_alias="hubstack:zones", examples=["'[\"us-central1-a\"]'"]
    )
    """Zones to use. Default: every zone of the region that has the accelerator."""
    namespace: Namespace = Field("models", validation_alias="hubstack:namespace", examples=["models"])
    """Kubernetes namespace of the models."""
    budget_per_month: AmountPerMonth | None = Field(None, validation_alias="hubstack:budget", examples=["5000"])
    """Maximum cost per month, in `hubstack:currency`; a more expensive plan is shown, but a preview fails and
    `pulumi up` stops."""
    currency: Annotated[str, AfterValidator(check_currency)] = Field(
        USD, validation_alias="hubstack:currency", examples=["EUR"]
    )
    """Currency of the billing account, for budgets and totals (docs/guides/prices.md)."""
    regions: Annotated[tuple[str, ...], LIST, DISTINCT, FROM_WORD_OR_JSON] = Field(
        (), validation_alias="hubstack:regions", examples=["any"]
    )
    """Regions whose prices `hubstack plan` compares: a list, or `any`."""
    deletion_protection: Flag = Field(True, validation_alias="hubstack:deletionProtection", examples=["true"])
    """Protect the cluster and the Cloud Run services from deletion."""
    autoscaling: Flag = Field(True, validation_alias="hubstack:autoscaling", examples=["true"])
    """Scale replicas with the load, including to zero (docs/concepts/scaling.md); false leaves scaling to you."""
    release_channel: Literal["RAPID", "REGULAR", "STABLE", "EXTENDED"] = Field(
        "REGULAR", validation_alias="hubstack:releaseChannel", examples=["REGULAR"]
    )
    """GKE release channel."""
    maintenance_window: Annotated[MaintenanceWindow | None, FROM_JSON] = Field(
        None, validation_alias="hubstack:maintenanceWindow", examples=[f"'{EXAMPLE}'"]
    )
    """When GKE may upgrade, in UTC: `{days: [SA, SU], start: "02:00", hours: 8}`. Default: any time."""
    monitored: Flag = Field(True, validation_alias="hubstack:monitoring", examples=["true"])
    """Create dashboards and alerts, and scrape the engines (docs/concepts/monitoring.md)."""
    alerts: Annotated[tuple[Alert, ...], LIST, DISTINCT, FROM_JSON] = Field(
        (), validation_alias="hubstack:alerts", examples=["'[\"ops@example.org\"]'"]
    )
    """Where alerts are sent: e-mail addresses or names of notification channels."""
    billing_account: (
        Annotated[str, form(r"[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}", "an account such as 0A1B2C-3D4E5F-678901")]
        | None
    ) = Field(None, validation_alias="hubstack:billingAccount", examples=["0A1B2C-3D4E5F-678901"])
    """Billing account on which to create a budget."""
    billing_budget: AmountPerMonth | None = Field(
        None, validation_alias="hubstack:billingBudget", examples=["6000"]
    )
    """Amount of the billing account's budget alert, in `hubstack:currency` a month. Default: `hubstack:budget`."""
    gateway_settings: Annotated[GatewaySettings | None, FROM_JSON] = Field(
        None, validation_alias=GATEWAY, examples=['\'{"mode": "services"}\'']
    )
    """One address for all models: `{mode: services, exposure: internal}`. Default: models are reachable from inside
    the cluster only."""
    callers: Annotated[dict[str, CallerSettings], FROM_JSON] = Field(
        {}, validation_alias=CALLERS, examples=[f"'{CALLERS_EXAMPLE}'"]
    )
    """Teams that call the gateway, each with its own keys, models and limits: `{search: {models: [chat],
    usd_per_month: 500}}` (docs/guides/callers.md). Without it, there are no keys and limits by caller."""
    binary_authorization: Flag = Field(False, validation_alias="hubstack:binaryAuthorization", examples=["true"])
    """Check images against the project's Binary Authorization policy (docs/concepts/security.md)."""
    kms_key: (
        Annotated[
            str, form(_KEY, "projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, a Cloud KMS key")
        ]
        | None
    ) = Field(
        None,
        validation_alias="hubstack:kmsKey",
        examples=["projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY"],
    )
    """Cloud KMS key, in the same region, that encrypts the stack's data at rest. Default: Google-managed keys."""
    restricted_apis: Flag = Field(False, validation_alias="hubstack:restrictedApis", examples=["true"])
    """Reach Google APIs only through `restricted.googleapis.com`, the addresses that VPC Service Controls
    protects."""
    perimeter: (
        Annotated[str, form(_PERIMETER, "accessPolicies/NUMBER/servicePerimeters/NAME, a service perimeter")] | None
    ) = Field(
        None,
        validation_alias="hubstack:servicePerimeter",
        examples=["accessPolicies/NUMBER/servicePerimeters/NAME"],
    )
    """Service perimeter that the project joins; turns on `hubstack:restrictedApis`."""
    control_plane: Literal["dns", "private"] = Field(
        "dns", validation_alias="hubstack:controlPlane", examples=["private"]
    )
    """How to reach the cluster's control plane: `dns`, by its DNS endpoint from any network with an IAM permission,
    or `private`, only by its address in the stack's network, where `pulumi up` must then run."""
    flow_logs: Flag = Field(False, validation_alias="hubstack:flowLogs", examples=["true"])
    """Log the connections of nodes and pods (VPC Flow Logs, which Google bills by volume)."""
    intranode_visibility: Flag = Field(False, validation_alias="hubstack:intranodeVisibility", examples=["true"])
    """Send traffic between pods of one node through the network, so that flow logs and firewall rules see it."""
    labels: Annotated[Labels, FROM_JSON] = Field(
        {}, validation_alias="hubstack:labels", examples=['\'{"team": "search", "cost-center": "1234"}\'']
    )
    """Labels on every Google Cloud resource that takes labels and on the pods of models, for costs and policies:
    `{team: search, cost-center: "1234"}`."""
    teams: Annotated[dict[str, TeamSettings] | None, FROM_JSON] = Field(
        None, validation_alias=TEAMS, examples=[f"'{TEAMS_EXAMPLE}'"]
    )
    """Teams whose models (`team:` in the list) have a namespace, labels and a quota of their own: `{search: {owner:
    search@example.com, quota: {l4: 4}}}` (docs/guides/teams.md). Default: one namespace for all models."""
    network_settings: Annotated[NetworkSettings | None, FROM_JSON] = Field(
        None, validation_alias=NETWORK, examples=[f"'{NETWORK_EXAMPLE}'"]
    )
    """An existing VPC and subnet, `{name: shared, subnetwork: models, nodes: 10.8.0.0/20}`, or other ranges for the
    stack's own (docs/guides/existing-network.md). Default: a VPC of the stack's own."""
    images: Annotated[ImagesSettings | None, FROM_JSON] = Field(
        None, validation_alias=IMAGES, examples=[f"'{IMAGES_EXAMPLE}'"]
    )
    """A mirror of the images, `{registry: europe-docker.pkg.dev/my-project/mirror}`, or `{remote: true}` for
    Artifact Registry remote repositories of the stack's own (docs/guides/images.md). Default: images come from
    where they are published."""
    cluster_settings: Annotated[ExistingClusterSettings | None, FROM_JSON] = Field(
        None, validation_alias=CLUSTER, examples=[f"'{CLUSTER_EXAMPLE}'"]
    )
    """An existing GKE cluster, `{name: platform, location: us-central1, facts: cluster.json}`, in which the stack
    creates node pools, classes and models (docs/guides/existing-cluster.md). Default: a cluster of the stack's
    own."""
    run_ingress: Ingress = Field(
        Ingress.INTERNAL, strict=False, validation_alias="hubstack:runIngress", examples=["internal"]
    )
    """From where Cloud Run services can be reached (docs/concepts/cloud-run.md); callers always need an
    identity."""
    run_invokers: Annotated[tuple[Member, ...], LIST, DISTINCT, FROM_JSON] = Field(
        (), validation_alias="hubstack:runInvokers", examples=["'[\"group:team@example.com\"]'"]
    )
    """IAM members that may call the Cloud Run services. Default: those with the permission in the project."""
    clusters: Annotated[dict[str, Any] | None, FROM_JSON] = Field(
        None,
        validation_alias="hubstack:clusters",
        json_schema_extra=_ENVIRONMENT_ONLY,
        examples=['\'{"eu": {"region": "europe-west4"}}\''],
    )
    """Clusters that share the list, each a separate stack (docs/concepts/scale.md). A cluster may set its own
    `project` and `region`, and any other setting except this one, `hubstack:models`, `hubstack:shardOf` and the
    secrets."""
    shard_of: str | None = Field(
        None,
        validation_alias="hubstack:shardOf",
        json_schema_extra=_ENVIRONMENT_ONLY,
        examples=["stacks/Pulumi.prod.yaml"],
    )
    """Path of the environment's settings file, set in the stack of one cluster."""
    secret_versions: Annotated[SecretVersionSettings | None, FROM_JSON] = Field(
        None, validation_alias=ROTATION, examples=[f"'{ROTATION_EXAMPLE}'"]
    )
    """Numbers to raise when a secret gets a new value, `{apiKey: 2}` (docs/guides/rotate-secrets.md)."""
    gpu_drivers: Annotated[GpuDrivers, FROM_JSON] = Field(
        {}, validation_alias="hubstack:gpuDrivers", examples=['\'{"l4": "default"}\'']
    )
    """NVIDIA driver of each accelerator's nodes: `latest` or `default` of the node's GKE version, or `disabled` if
    you install it yourself; `"*"` is for all others. Otherwise the latest. A change replaces the node pools."""
    api_key: Secret | None = Field(
        None, validation_alias="hubstack:apiKey", json_schema_extra=_ENVIRONMENT_ONLY, repr=False
    )
    """Secret: the API key that callers of an external gateway send (`auth: api-keys`)."""
    iap_client_secret: Secret | None = Field(
        None, validation_alias="hubstack:iapClientSecret", json_schema_extra=_ENVIRONMENT_ONLY, repr=False
    )
    """Secret: the OAuth client secret for a gateway with `iap_client_id`."""
    hf_token: Secret | None = Field(
        None, validation_alias="hubstack:hfToken", json_schema_extra=_ENVIRONMENT_ONLY, repr=False
    )
    """Secret: the Hub token for gated models."""

    stack: SkipJsonSchema[str] = Field(exclude=True)
    """Name of the Pulumi stack."""
    keda_namespace: SkipJsonSchema[str] = Field(KEDA_NAMESPACE, exclude=True)
    """Namespace of the autoscaler; a separate one for each cluster, since clusters may share a project."""
    exchange_rate: SkipJsonSchema[Any] = Field(None, exclude=True)
    """How `currency` is converted (`hubstack.plan.bill.ExchangeRate`), from price files; None for USD."""
    cluster_facts: SkipJsonSchema[ClusterFacts | None] = Field(None, repr=False, exclude=True)
    """What gcloud says of the existing cluster; None: no file has it, or it was not read."""
    source: SkipJsonSchema[Any] = Field(None, repr=False, exclude=True)
    """The config that the settings were read from, with the place of each."""

    @property
    def budget_usd_per_month(self) -> float | None:
        """The budget in US dollars, in which plans are computed."""
        if self.budget_per_month is None or self.exchange_rate is None:
            return self.budget_per_month
        return round(self.budget_per_month / self.exchange_rate.per_usd, 2)

    @property
    def models_path(self) -> str:
        """Path of the model list, relative to the project folder."""
        return self.models_file or default_models_path(self.stack)

    @property
    def gateway(self) -> GatewayPlan | None:
        """The gateway; None if models are reachable from inside the cluster only."""
        return self.gateway_settings.plan(self.stack) if self.gateway_settings else None

    @property
    def network(self) -> NetworkPlan | None:
        """The network; None if the stack creates its own with the default ranges."""
        asked = self.network_settings.plan(self.project, self.region) if self.network_settings else OWN
        return None if asked == OWN else asked

    @property
    def cluster(self) -> ExistingCluster | None:
        """The cluster that the stack uses; None if it creates its own."""
        asked = self.cluster_settings
        return asked.plan(self.project, self.region, self.cluster_facts) if asked else None

    @property
    def cluster_name(self) -> str:
        """Name of the GKE cluster."""
        return self.cluster_settings.name if self.cluster_settings else cluster_name(self.stack)

    @property
    def cluster_project(self) -> str:
        """Project of the GKE cluster."""
        return (self.cluster_settings and self.cluster_settings.project) or self.project

    @property
    def maintenance(self) -> MaintenancePlan | None:
        """When GKE may upgrade; None means any time."""
        return self.maintenance_window.plan if self.maintenance_window else None

    @property
    def monitoring(self) -> MonitoringPlan | None:
        """Monitoring and alerts; None if turned off."""
        if not self.monitored:
            return None
        budget = (self.billing_budget or self.budget_per_month) if self.billing_account else None
        return MonitoringPlan(
            emails=tuple(sorted(each for each in self.alerts if "@" in each)),
            channels=tuple(sorted(each for each in self.alerts if "@" not in each)),
            billing_account=self.billing_account,
            budget_usd_per_month=budget if self.currency == USD else None,
            budget=Money(units=budget, currency=self.currency) if budget and self.currency != USD else None,
        )

    @property
    def security(self) -> SecurityPlan | None:
        """Security settings beyond Google's defaults; None if there are none."""
        asked = SecurityPlan(
            binary_authorization=self.binary_authorization,
            kms_key=self.kms_key,
            restricted_apis=self.restricted_apis or self.perimeter is not None,
            perimeter=self.perimeter,
            private_control_plane=self.control_plane == "private",
            flow_logs=self.flow_logs,
            intranode_visibility=self.intranode_visibility,
        )
        return None if asked == SecurityPlan() else asked

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about deprecated keys."""
        return self.source.warnings if isinstance(self.source, Settings) else ()

    @property
    def settings_name(self) -> str:
        """Name in messages of the file that contains the settings."""
        return settings_document(self.source or {}, f"Pulumi.{self.stack}.yaml").path

    def problem(self, setting: str, message: str, hint: str) -> Problem:
        """Return a problem at the line of a setting, if known."""
        problem = Problem(path=self.settings_name, message=message, hint=hint, setting=setting)
        return placed(self.source or {}, [problem])[0]

    def in_team(self, team: str | None) -> "StackSettings":
        """Return the settings as a model of a team sees them: its namespace."""
        found = (self.teams or {}).get(team or "")
        return self.changed(namespace=found.namespace_of(team or "", self.namespace)) if found else self

    def changed(self, **changes: Any) -> "StackSettings":
        """Return a copy with some fields changed."""
        return self.model_copy(update=changes)


def _fields() -> Iterator[tuple[str, FieldInfo]]:
    for field in StackSettings.model_fields.values():
        if isinstance(field.validation_alias, str):
            yield field.validation_alias, field


def _is_environment_only(field: FieldInfo) -> bool:
    extra = field.json_schema_extra
    return isinstance(extra, dict) and _MARK in extra


KEYS: tuple[str, ...] = tuple(key for key, _ in _fields())
"""Every setting by full key."""
SECRETS: tuple[str, ...] = ("hubstack:apiKey", "hubstack:hfToken", "hubstack:iapClientSecret")
"""Secret settings, which plans never read."""
CLUSTER_KEYS: tuple[str, ...] = tuple(key for key, field in _fields() if not _is_environment_only(field))
"""Settings of an environment that its clusters may override."""
DEFAULT_TEXTS: Mapping[str, str] = {
    key: config_text(field.default) for key, field in _fields() if isinstance(field.default, bool | str)
}
"""Settings of a stack that sets nothing, as Pulumi passes them to a program."""
DEFAULT_NAMESPACE = str(StackSettings.model_fields["namespace"].default)
_REFERENCE = "for all settings see docs/reference/settings.md"


class ClusterShare(BaseModel):
    """One cluster."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    models: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], LIST] = Field(default=(), min_length=1)
    """Keys or Hub IDs of the models that it serves, or patterns of them: `[team-a-*, Qwen/*]`."""
    rest: bool | None = None
    """Whether it serves a share of the models that no cluster names. Default: only if it names none."""


_OWN: dict[str, Any] = {
    key.partition(":")[2]: (Any, Field(default=None, description=f"`{key}` of this cluster."))
    for key in CLUSTER_KEYS
}
ClusterSettings: type[ClusterShare] = create_model("ClusterSettings", __base__=ClusterShare, **_OWN)
"""One cluster under `hubstack:clusters`; its settings are validated as those of its stack."""
_HINTS = {
    key: f"pulumi config set {key} {field.examples[0]}, or edit the file"
    for key, field in _fields()
    if field.examples
} | {key: f"pulumi config set --secret {key}; then revoke the old value where it was issued" for key in SECRETS}


def default_models_path(stack: str) -> str:
    """Return the default path of a stack's model list, relative to the project folder."""
    return f"stacks/{stack}.models.yaml"


def read_settings(stack: str, config: Mapping[str, str]) -> StackSettings:
    """Read the settings of a stack.

    Args:
        stack: name of the stack.
        config: full key (`gcp:project`) to text; `pulumi_config.Settings` if read from files.

    Raises:
        InputError: settings are missing or invalid; lists every problem.
    """
    config = current_names(config, f"Pulumi.{stack}.yaml")
    document = settings_document(config, f"Pulumi.{stack}.yaml")
    ours = {key: value for key, value in document.value.items() if key.startswith("hubstack:") or key in KEYS}
    try:
        settings = StackSettings.model_validate({"stack": stack, "source": config, **ours})
    except ValidationError as error:
        problems = schema_problems(document, error, StackSettings, _REFERENCE, _HINTS)
    else:
        problems = [
            Problem(
                path=document.path,
                message=f"`{key}` {message}",
                hint=hint or _HINTS[key.partition(".")[0]],
                setting=key,
            )
            for key, message, hint in _rules(settings)
        ]
        problems = placed(config, problems)
        if not problems and not any(plain_secrets(document)):
            return _in_cluster(settings)
    told = {(each.line, each.column) for each in problems}
    problems += [each for each in plain_secrets(document) if (each.line, each.column) not in told]
    problems = [replace(each, message=without_secrets(each.message)) for each in problems]
    if not document.lines:  # a program receives texts, not a file
        problems = [replace(each, line=None, column=None, source_line=None) for each in problems]
    raise InputError(problems)


def _in_cluster(s: StackSettings) -> StackSettings:
    """Return settings with the defaults of a cluster that other stacks use too: a namespace of the stack's own."""
    asked = s.cluster_settings
    if asked is None:
        return s
    space = shorten(f"{DEFAULT_NAMESPACE}-{slug(s.stack)}", DNS_LABEL_MAX)
    return s.changed(
        namespace=s.namespace if s.namespace != DEFAULT_NAMESPACE else space,
        keda_namespace=asked.keda_namespace or KEDA_NAMESPACE,
    )


def _rules(s: StackSettings) -> Iterator[tuple[str, str, str | None]]:
    """Yield setting, message and hint for each setting that conflicts with the others."""
    for zone in s.zones:
        if not zone.startswith(f"{s.region}-"):
            yield "hubstack:zones", f"contains `{zone}`, which is not in {s.region}", None
    if s.kms_key and (found := re.fullmatch(_KEY, s.kms_key)) and found[1] != s.region:
        yield "hubstack:kmsKey", f"is a key in `{found[1]}`, but disks in {s.region} need a key in {s.region}", None
    if s.billing_account and not (s.billing_budget or s.budget_per_month):
        yield (
            "hubstack:budget",
            "is missing: `hubstack:billingAccount` is set, and its budget needs an amount",
            None,
        )
    if s.billing_budget and not s.billing_account:
        yield "hubstack:billingAccount", "is missing: `hubstack:billingBudget` needs an account", None
    if s.gateway_settings:
        for key, message, hint in gateway_problems(s.gateway_settings, has_callers=bool(s.callers)):
            yield f"{GATEWAY}.{key}", message, hint
    if s.images:
        for key, message, hint in images_problems(s.images):
            yield f"{IMAGES}.{key}", message, hint
    yield from caller_rules(s.callers, s.gateway_settings)
    yield from _network_rules(s)
    yield from _cluster_rules(s)
    yield from _team_rules(s)


def _network_rules(s: StackSettings) -> Iterator[tuple[str, str, str | None]]:
    asked, gateway = s.network_settings, s.gateway_settings
    if asked:
        for key, message, hint in network_problems(asked, s.project, has_gateway=gateway is not None):
            yield f"{NETWORK}.{key}", message, hint
    if asked and asked.name and s.flow_logs:
        message = "applies to the stack's own subnet: the owners of an existing one turn its logs on"
        yield "hubstack:flowLogs", message, "remove it"
    if gateway and gateway.address and not (asked and asked.name and not asked.nodes):
        nodes = s.network.nodes_cidr if s.network else OWN.nodes_cidr
        if problem := address_problem(gateway.address, nodes):
            yield f"{GATEWAY}.address", problem, "`address`: Internal IP address in the stack's subnet"


def _team_rules(s: StackSettings) -> Iterator[tuple[str, str, str | None]]:
    for key, message, hint in team_problems(s.teams or {}, _in_cluster(s).namespace):
        yield f"{TEAMS}.{key}", message, hint


_OWNERS = (
    "release_channel",
    "maintenance_window",
    "flow_logs",
    "intranode_visibility",
    "restricted_apis",
    "perimeter",
)
"""Settings of a cluster and its network, which their owners decide."""


def _cluster_rules(s: StackSettings) -> Iterator[tuple[str, str, str | None]]:
    asked = s.cluster_settings
    if asked is None:
        return
    for key, message, hint in cluster_problems(asked, s.region):
        yield f"{CLUSTER}.{key}", message, hint
    for name in _OWNERS:
        field = StackSettings.model_fields[name]
        if getattr(s, name) != field.default:
            message = f"applies only to a cluster that the stack creates: the owners of `{asked.name}` decide it"
            yield str(field.validation_alias), message, "remove it"
    network = s.network_settings
    if network and not network.name:
        message = f"has ranges for a VPC that the stack creates, but the nodes are in the network of `{asked.name}`"
        yield NETWORK, message, "set `name:` and `subnetwork:` to the cluster's, or remove it"
    elif network and network.nat is Nat.CREATE:
        message = f"is `create`, but the owners of `{asked.name}` decide how its nodes reach the internet"
        yield f"{NETWORK}.nat", message, "remove it"
    elif s.gateway_settings and not network:
        message = "is missing: the gateway's address and proxies need the name of the cluster's network"
        yield NETWORK, message, None


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a settings file, for editors."""
    settings = StackSettings.model_json_schema(mode="validation")
    definitions = settings.pop("$defs", {})
    own = settings["properties"]["hubstack:clusters"]
    (mapping,) = (each for each in own["anyOf"] if each.get("type") == "object")
    mapping["additionalProperties"] = {"$ref": "#/$defs/ClusterSettings"}
    definitions["ClusterSettings"] = ClusterSettings.model_json_schema(mode="validation")
    del settings["required"]  # the stack of one cluster sets neither project nor region
    for each in settings["properties"].values():
        each.pop(_MARK, None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hubstack settings",
        "type": "object",
        "properties": {"config": {**settings, "additionalProperties": True}},
        "$defs": definitions,
    }
