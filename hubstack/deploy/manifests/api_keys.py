# SPDX-License-Identifier: Apache-2.0
"""The secrets of an external gateway on their way from Secret Manager to where they are needed.

Owns the objects by which GKE's secret sync makes Kubernetes Secrets (facts: gke.md 4.4; Secret Manager docs
"Synchronize secrets to Kubernetes Secrets", GKE 1.33 or later). No value is here: only names are.
"""

from dataclasses import dataclass

from hubstack import names
from hubstack.deploy.manifests.base import Object, service_account
from hubstack.plan import ModelPlan, Plan
from hubstack.plan.gateway import GatewayAuth

SYNC_ACCOUNT = "gateway-secrets"
"""The account that reads the secrets; no pod runs as it."""
API_KEY_SECRET, API_KEY_FIELD = "gateway-api-key", "API_KEY"
IAP_SECRET, IAP_FIELD = "gateway-iap-client", "key"
"""GKE reads the OAuth client's secret from the field `key`."""
SYNC_API = "secret-sync.gke.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedSecret:
    """One secret of Secret Manager and the Kubernetes Secret that is made of it."""

    role: str
    """Logical name's part: `api-key`, `iap-client`."""
    secret_id: str
    """In Secret Manager."""
    name: str
    """Of the Kubernetes Secret, its SecretSync and its SecretProviderClass."""
    field: str


def synced_secret(plan: Plan) -> SyncedSecret | None:
    """Return the secret that the gateway needs; None where it needs none."""
    gateway, stack = plan.gateway, names.slug(plan.target.stack)
    if gateway is None:
        return None
    if gateway.auth is GatewayAuth.API_KEYS:
        return SyncedSecret(role="api-key", secret_id=f"hubstack-{stack}-api-key", name=API_KEY_SECRET,
                            field=API_KEY_FIELD)  # fmt: skip
    if gateway.iap_client_id:
        return SyncedSecret(role="iap-client", secret_id=f"hubstack-{stack}-iap-client", name=IAP_SECRET,
                            field=IAP_FIELD)  # fmt: skip
    return None


def sync_account(plan: Plan) -> Object:
    """The account that may read the secret."""
    return service_account(plan, SYNC_ACCOUNT)


def sync_class(plan: Plan, secret: SyncedSecret) -> Object:
    """Which secret is read, and the file that it would be."""
    path = f"projects/{plan.target.project}/secrets/{secret.secret_id}/versions/latest"
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": _metadata(plan, secret),
        "spec": {
            "provider": "gke",
            "parameters": {"secrets": f'- resourceName: "{path}"\n  path: "{secret.role}"\n'},
        },
    }


def secret_sync(plan: Plan, secret: SyncedSecret) -> Object:
    """Which Kubernetes Secret is made of it, and kept as it is there."""
    return {
        "apiVersion": SYNC_API,
        "kind": "SecretSync",
        "metadata": _metadata(plan, secret),
        "spec": {
            "serviceAccountName": SYNC_ACCOUNT,
            "secretProviderClassName": secret.name,
            "secretObject": {
                "type": "Opaque",
                "data": [{"sourcePath": secret.role, "targetKey": secret.field}],
            },
        },
    }


def key_env(plan: Plan, model: ModelPlan) -> list[Object]:
    """Return the variable by which a server gets the API key; empty where none is asked for."""
    source = {"secretKeyRef": {"name": API_KEY_SECRET, "key": API_KEY_FIELD}}
    return [{"name": model.server.api_key.variable, "valueFrom": source}] if _asks_for_key(plan) else []


def key_args(plan: Plan, model: ModelPlan) -> list[str]:
    """Return the flags that name the variable, for an engine that does not read it by itself."""
    return list(model.server.api_key.args) if _asks_for_key(plan) else []


def _asks_for_key(plan: Plan) -> bool:
    return plan.gateway is not None and plan.gateway.auth is GatewayAuth.API_KEYS


def _metadata(plan: Plan, secret: SyncedSecret) -> Object:
    labels = {"app.kubernetes.io/managed-by": "hubstack"}
    return {"name": secret.name, "namespace": plan.target.namespace, "labels": labels}
