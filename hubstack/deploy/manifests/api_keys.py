# SPDX-License-Identifier: Apache-2.0
"""Syncs an external gateway's secrets from Secret Manager into Kubernetes.

Owns the objects that make GKE's secret sync create Kubernetes Secrets (Secret Manager docs, "Synchronize secrets to
Kubernetes Secrets"; needs GKE 1.33 or later). Handles names only, never secret values.
"""

from dataclasses import dataclass

from hubstack import names
from hubstack.deploy.manifests.base import Object, service_account
from hubstack.plan import ModelPlan
from hubstack.plan.gateway import GatewayAuth, GatewayPlan
from hubstack.plan.target import TargetPlan

SYNC_ACCOUNT = "gateway-secrets"
"""The account that reads the secrets. No pod uses it."""
API_KEY_SECRET, API_KEY_FIELD = "gateway-api-key", "API_KEY"
IAP_SECRET, IAP_FIELD = "gateway-iap-client", "key"
"""GKE reads the OAuth client's secret from the field `key`."""
SYNC_API = "secret-sync.gke.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncedSecret:
    """A Secret Manager secret and the Kubernetes Secret created from it."""

    role: str
    """Part of the logical name: `api-key` or `iap-client`."""
    secret_id: str
    """Secret ID in Secret Manager."""
    name: str
    """Name shared by the Kubernetes Secret, its SecretSync and its SecretProviderClass."""
    field: str
    number: int = 1
    """Of the secret's value."""


def synced_secret(target: TargetPlan, gateway: GatewayPlan | None) -> SyncedSecret | None:
    """Return the secret that the gateway needs, or None if it needs none."""
    stack, numbers = names.slug(target.stack), target.secret_numbers
    if gateway is None:
        return None
    if gateway.auth is GatewayAuth.API_KEYS:
        return SyncedSecret(
            role="api-key",
            secret_id=f"hubstack-{stack}-api-key",
            name=api_key_secret(target),
            field=API_KEY_FIELD,
            number=numbers.api_key,
        )
    if gateway.iap_client_id:
        return SyncedSecret(
            role="iap-client",
            secret_id=f"hubstack-{stack}-iap-client",
            name=iap_secret(target),
            field=IAP_FIELD,
            number=numbers.iap_client_secret,
        )
    return None


def api_key_secret(target: TargetPlan) -> str:
    """Return the name of the Kubernetes Secret with the API key.

    A rotated key gets a Secret of its own: GKE's sync takes minutes to update one that exists, so servers could
    start with the old key, and those that still run it must find it until they are replaced.
    """
    return _numbered(API_KEY_SECRET, target.secret_numbers.api_key)


def iap_secret(target: TargetPlan) -> str:
    """Return the name of the Kubernetes Secret with the OAuth client's secret."""
    return _numbered(IAP_SECRET, target.secret_numbers.iap_client_secret)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def sync_account(target: TargetPlan) -> Object:
    """Return the service account that may read the secret."""
    return service_account(target, SYNC_ACCOUNT)


def sync_class(target: TargetPlan, secret: SyncedSecret) -> Object:
    """Return the SecretProviderClass that names the secret to read and the file it maps to."""
    path = f"projects/{target.project}/secrets/{secret.secret_id}/versions/latest"
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": _metadata(target, secret),
        "spec": {
            "provider": "gke",
            "parameters": {"secrets": f'- resourceName: "{path}"\n  path: "{secret.role}"\n'},
        },
    }


def secret_sync(target: TargetPlan, secret: SyncedSecret) -> Object:
    """Return the SecretSync that creates the Kubernetes Secret and keeps it up to date."""
    return {
        "apiVersion": SYNC_API,
        "kind": "SecretSync",
        "metadata": _metadata(target, secret),
        "spec": {
            "serviceAccountName": SYNC_ACCOUNT,
            "secretProviderClassName": secret.name,
            "secretObject": {
                "type": "Opaque",
                "data": [{"sourcePath": secret.role, "targetKey": secret.field}],
            },
        },
    }


def key_env(target: TargetPlan, model: ModelPlan) -> list[Object]:
    """Return the environment variable that gives a server its API key; empty if the gateway requires no key."""
    source = {"secretKeyRef": {"name": api_key_secret(target), "key": API_KEY_FIELD}}
    return [{"name": model.server.api_key.variable, "valueFrom": source}] if target.requires_api_key else []


def key_args(target: TargetPlan, model: ModelPlan) -> list[str]:
    """Return the flags that pass the API key, for engines that do not read the variable themselves."""
    return list(model.server.api_key.args) if target.requires_api_key else []


def _metadata(target: TargetPlan, secret: SyncedSecret) -> Object:
    labels = {"app.kubernetes.io/managed-by": "hubstack"}
    return {"name": secret.name, "namespace": target.namespace, "labels": labels}
