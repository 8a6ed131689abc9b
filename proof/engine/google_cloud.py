# SPDX-License-Identifier: Apache-2.0
"""A Google Cloud of one folder: what is there, what may be made and removed, what the server fills in.

Owns the rules of the services that a provider's schema does not have: a name is taken once, an API answers when
it is on, what something names is there, what is in use is not removed. One file a resource, written atomically, so
that a process that is killed leaves what it has made. Forms of ids come from the provider's source
(google_schema.yaml); those that are not in it stand here.
"""

import hashlib
import json
import os
import re
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from proof.engine.google_schema import TypeSchema

Data = dict[str, Any]
NUMBER = "100000000001"
"""APIs that are enabled in every project."""
_CLUSTER = "gcp:container/cluster:Cluster"
_IDS = {
    _CLUSTER: "projects/{{project}}/locations/{{location}}/clusters/{{name}}",
    "gcp:container/nodePool:NodePool": "{{cluster}}/nodePools/{{name}}",
    "gcp:storage/bucket:Bucket": "{{name}}",
    "gcp:storage/bucketObject:BucketObject": "{{bucket}}-{{name}}",
    "gcp:projects/service:Service": "{{project}}/{{service}}",
    "gcp:projects/serviceIdentity:ServiceIdentity": "projects/{{project}}/services/{{service}}",
    "gcp:monitoring/dashboard:Dashboard": "projects/{{project_number}}/dashboards/{{made}}",
    "gcp:monitoring/alertPolicy:AlertPolicy": "projects/{{project}}/alertPolicies/{{made}}",
    "gcp:monitoring/notificationChannel:NotificationChannel": "projects/{{project}}/notificationChannels/{{made}}",
    "gcp:billing/budget:Budget": "billingAccounts/{{billing_account}}/budgets/{{made}}",
    "gcp:secretmanager/secretVersion:SecretVersion": "{{secret}}/versions/{{made}}",
    "gcp:storage/anywhereCache:AnywhereCache": "{{bucket}}/{{zone}}",
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment": (
        "projects/{{project}}/locations/{{location}}/endpoints/{{made}}"
    ),
    "gcp:serviceaccount/account:Account": (
        "projects/{{project}}/serviceAccounts/{{account_id}}@{{project}}.iam.gserviceaccount.com"
    ),
}
"""Types whose ID the provider does not build from a template. `made` is a number assigned by the server."""
_APIS = {
    "accesscontextmanager": "accesscontextmanager",
    "artifactregistry": "artifactregistry",
    "billing": "billingbudgets",
    "certificatemanager": "certificatemanager",
    "cloudrunv2": "run",
    "compute": "compute",
    "container": "container",
    "dns": "dns",
    "kms": "cloudkms",
    "monitoring": "monitoring",
    "secretmanager": "secretmanager",
    "serviceaccount": "iam",
    "storage": "storage",
    "vertex": "aiplatform",
}
"""SDK module to the API that its resources use."""
_NAMES = {
    ("gcp:compute/subnetwork:Subnetwork", "network"): "gcp:compute/network:Network",
    ("gcp:compute/router:Router", "network"): "gcp:compute/network:Network",
    ("gcp:compute/address:Address", "subnetwork"): "gcp:compute/subnetwork:Subnetwork",
    (_CLUSTER, "network"): "gcp:compute/network:Network",
    (_CLUSTER, "subnetwork"): "gcp:compute/subnetwork:Subnetwork",
    ("gcp:container/nodePool:NodePool", "cluster"): _CLUSTER,
    ("gcp:storage/bucketIAMMember:BucketIAMMember", "bucket"): "gcp:storage/bucket:Bucket",
    ("gcp:storage/bucketObject:BucketObject", "bucket"): "gcp:storage/bucket:Bucket",
    ("gcp:storage/anywhereCache:AnywhereCache", "bucket"): "gcp:storage/bucket:Bucket",
    ("gcp:secretmanager/secretVersion:SecretVersion", "secret"): "gcp:secretmanager/secret:Secret",
}
"""Arguments with the ID of a resource that must exist."""
_REFUSES_WHILE_USED = ("gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork")
_SHARED = (
    "gcp:projects/service:Service",
    "gcp:projects/serviceIdentity:ServiceIdentity",
    "gcp:storage/bucketObject:BucketObject",
)
"""Types that can be created again without a conflict: the existing resource is adopted or overwritten."""


class CloudError(Exception):
    """An error of the service; the message starts with Google's code."""


class Cloud:
    """A simulated Google Cloud whose resources are files in a folder."""

    def __init__(self, folder: Path, cluster_host: str = "", slow_seconds: float = 0) -> None:
        self._folder = folder
        self._host = cluster_host
        self._slow = slow_seconds
        folder.mkdir(parents=True, exist_ok=True)

    def ids(self, kind: str) -> list[str]:
        """Return the IDs of all resources of a type."""
        return sorted(json.loads(path.read_text())["id"] for path in (self._folder / _file(kind)).glob("*.json"))

    def everything(self) -> dict[str, list[str]]:
        """Return the IDs of all resources by type."""
        tokens = sorted(urllib.parse.unquote(path.name) for path in self._folder.iterdir() if path.is_dir())
        return {kind: found for kind in tokens if (found := self.ids(kind))}

    def get(self, kind: str, identity: str) -> Data | None:
        """Return a resource as the server describes it, or None if it does not exist."""
        path = self._path(kind, identity)
        return json.loads(path.read_text())["resource"] if path.is_file() else None

    def create(self, schema: TypeSchema, inputs: Data, project: str, region: str) -> tuple[str, Data]:
        """Create a resource; return its ID and its server-side state.

        Raises:
            CloudError: it may not be made.
        """
        kind = schema.kind
        self._ask_api(kind, project, inputs)
        stored = dict(inputs) | dict(_from_provider(schema, inputs, project, region))
        identity = _identity(schema, stored)
        self._ask_names(kind, stored)
        if schema.is_member:
            self._ask_member(str(inputs["member"]), project)
        held = self.get(kind, identity)
        if held is not None and not schema.is_member and kind not in _SHARED:
            if not inputs.get("createIgnoreAlreadyExists"):
                raise CloudError(f"Error 409: {identity} already exists, alreadyExists")
            return identity, held
        # As an operation of the service: it goes on when the caller is gone.
        stored |= self._filled(schema, identity, stored)
        self._write(kind, identity, stored)
        time.sleep(self._slow)
        return identity, stored

    def update(self, schema: TypeSchema, identity: str, inputs: Data) -> Data:
        """Update a resource; omitted computed arguments keep their values."""
        held = self.get(schema.kind, identity)
        if held is None:
            raise CloudError(f"Error 404: {identity} was not found, notFound")
        gone = (schema.arguments.keys() & held.keys()) - inputs.keys()
        stored = {
            key: value
            for key, value in held.items()
            if key not in gone or key in schema.kept or key in schema.rules.get("from_provider", ())
        } | inputs
        if schema.kind == _CLUSTER:
            stored["controlPlaneEndpointsConfig"] = self._endpoints(stored)
        self._write(schema.kind, identity, stored)
        time.sleep(self._slow)
        return stored

    def delete(self, schema: TypeSchema, identity: str) -> None:
        """Delete a resource and its dependents.

        Raises:
            CloudError: the service refuses.
        """
        kind, held = schema.kind, self.get(schema.kind, identity)
        if held is None:
            return
        if held.get("deletionProtection") or held.get("deletionPolicy") == "PREVENT":
            raise CloudError(f"Error 400: cannot destroy {identity} without setting deletion protection to false")
        users = [
            f"{user} {each}"
            for (user, argument), target in _NAMES.items()
            if target == kind
            for each in self.ids(user)
            if (self.get(user, each) or {}).get(argument) == identity
        ]
        if users and kind in _REFUSES_WHILE_USED:
            raise CloudError(
                f"Error 400: {identity} is already being used by {users[0]}, resourceInUseByAnotherResource"
            )
        if kind == "gcp:storage/bucket:Bucket" and not held.get("forceDestroy"):
            objects = [
                each for each in self.ids("gcp:storage/bucketObject:BucketObject") if each.startswith(identity)
            ]
            if objects:
                raise CloudError(f"Error 409: the bucket {identity} is not empty, conflict")
        if held.get("disableOnDestroy") is False:
            return  # the API stays on
        self._path(kind, identity).unlink(missing_ok=True)
        time.sleep(self._slow)

    def is_on(self, api: str, project: str) -> bool:
        """Return whether an API is enabled."""
        return f"{project}/{api}.googleapis.com" in self.ids("gcp:projects/service:Service")

    def invoke(self, kind: str, arguments: Mapping[str, Any], project: str) -> Data:
        """Call a provider function.

        Raises:
            CloudError: its API is off, or it is not known here.
        """
        if kind == "gcp:organizations/getProject:getProject":
            self._ask("cloudresourcemanager", project)
            asked = arguments.get("projectId") or project
            return {"id": f"projects/{asked}", "number": NUMBER, "projectId": asked, "name": asked}
        if kind == "gcp:storage/getProjectServiceAccount:getProjectServiceAccount":
            self._ask("storage", project)
            email = f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
            return {"id": email, "emailAddress": email, "member": f"serviceAccount:{email}", "project": project}
        if kind == "gcp:container/getCluster:getCluster":
            self._ask("container", project)
            asked = f"projects/{arguments.get('project') or project}/locations/{arguments['location']}"
            held = self.get(_CLUSTER, f"{asked}/clusters/{arguments['name']}")
            if held is None:
                raise CloudError(f"Error 404: {asked}/clusters/{arguments['name']} not found, notFound")
            return {**_listed(held), "id": f"{asked}/clusters/{arguments['name']}"}
        raise CloudError(f"the stand-in answers no {kind}")

    def _ask(self, api: str, project: str) -> None:
        if not self.is_on(api, project):
            raise CloudError(
                f"Error 403: {api}.googleapis.com has not been used in project {project} before or it is disabled, "
                "accessNotConfigured"
            )

    def _ask_api(self, kind: str, project: str, inputs: Mapping[str, Any]) -> None:
        module = kind.split(":")[1].split("/", maxsplit=1)[0]
        if kind == "gcp:projects/serviceIdentity:ServiceIdentity":
            self._ask(str(inputs["service"]).partition(".")[0], project)
        elif kind == "gcp:projects/iAMMember:IAMMember":
            self._ask("cloudresourcemanager", project)
        elif module in _APIS:
            self._ask(_APIS[module], project)

    def _ask_names(self, kind: str, inputs: Mapping[str, Any]) -> None:
        for (user, argument), target in _NAMES.items():
            wanted = inputs.get(argument)
            if user == kind and wanted is not None and self.get(target, str(wanted)) is None:
                raise CloudError(f"Error 404: {argument} names {wanted}, which was not found, notFound")

    def _ask_member(self, member: str, project: str) -> None:
        clusters = self.ids(_CLUSTER)
        if member.startswith("principal://") and not clusters:
            raise CloudError(f"Error 400: identity pool does not exist ({project}.svc.id.goog), badRequest")
        email = member.partition(":")[2]
        accounts = self.ids("gcp:serviceaccount/account:Account")
        if email.endswith(f"@{project}.iam.gserviceaccount.com") and not any(
            each.endswith(f"/{email}") for each in accounts
        ):
            raise CloudError(f"Error 400: service account {email} does not exist, badRequest")

    def _filled(self, schema: TypeSchema, identity: str, stored: Mapping[str, Any]) -> Data:
        """Return the attributes that only the server sets; for an unlisted type, those common to all types."""
        values: Data = {"name": identity} if "name" in schema.attributes - stored.keys() else {}
        if "selfLink" in schema.attributes:
            values["selfLink"] = f"https://www.googleapis.com/{identity}"
        filled = _FILLED.get(schema.kind)
        values |= filled(identity, stored) if filled else {}
        if schema.kind == _CLUSTER:
            values |= {"controlPlaneEndpointsConfig": self._endpoints(stored), "masterVersion": "1.36.3-gke.0"}
        return values

    def _endpoints(self, stored: Mapping[str, Any]) -> Data:
        """Return a cluster's endpoints with the host that the server assigned, which an update keeps."""
        endpoints = dict(stored.get("controlPlaneEndpointsConfig") or {})
        endpoints["dnsEndpointConfig"] = {**endpoints.get("dnsEndpointConfig", {}), "endpoint": self._host}
        return endpoints

    def _write(self, kind: str, identity: str, stored: Data) -> None:
        path = self._path(kind, identity)
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".part", delete=False) as file:
            json.dump({"id": identity, "resource": stored}, file, sort_keys=True)
        Path(file.name).replace(path)

    def _path(self, kind: str, identity: str) -> Path:
        return self._folder / _file(kind) / f"{hashlib.sha256(identity.encode()).hexdigest()}.json"


def _listed(block: Mapping[str, Any]) -> Data:
    """Return a block as the provider's functions do: each block in it as a list of one, under a plural name."""
    return {_plural(key) if isinstance(value, dict) else key: _in_list(value) for key, value in block.items()}


def _in_list(value: Any) -> Any:
    return [_listed(value)] if isinstance(value, dict) else value


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("s") else f"{name}s"


def _account(identity: str, stored: Mapping[str, Any]) -> Data:  # noqa: ARG001  the form of all
    email = f"{stored['accountId']}@{stored['project']}.iam.gserviceaccount.com"
    return {"email": email, "member": f"serviceAccount:{email}", "uniqueId": _made(email)}


def _agent(identity: str, stored: Mapping[str, Any]) -> Data:  # noqa: ARG001
    domain = {"run": "serverless-robot-prod"}.get(
        service := str(stored["service"]).partition(".")[0], f"gcp-sa-{service}"
    )
    email = f"service-{NUMBER}@{domain}.iam.gserviceaccount.com"
    return {"email": email, "member": f"serviceAccount:{email}"}


def _run_service(identity: str, stored: Mapping[str, Any]) -> Data:  # noqa: ARG001
    return {"uri": f"https://{stored['name']}-{NUMBER}.{stored['location']}.run.app"}


_FILLED: dict[str, Callable[[str, Mapping[str, Any]], Data]] = {
    "gcp:serviceaccount/account:Account": _account,
    "gcp:projects/serviceIdentity:ServiceIdentity": _agent,
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": lambda _, stored: {
        "dnsResourceRecords": [
            {"name": f"_acme-challenge.{stored['domain']}.", "type": "CNAME", "data": "1.authorize.example."}
        ]
    },
    "gcp:cloudrunv2/service:Service": _run_service,
    "gcp:compute/address:Address": lambda _, stored: {"address": stored.get("address") or "10.64.0.9"},
    "gcp:storage/bucket:Bucket": lambda identity, _: {"url": f"gs://{identity}"},
    "gcp:vertex/aiEndpointWithModelGardenDeployment:AiEndpointWithModelGardenDeployment": lambda identity, _: {
        "endpoint": identity.rpartition("/")[2]
    },
}


def _identity(schema: TypeSchema, stored: Mapping[str, Any]) -> str:
    kind = schema.kind
    if schema.is_member:
        parts = [str(stored[key]) for key in sorted(stored) if key not in {"role", "member"}]
        return "/".join([*parts, str(stored["role"]), str(stored["member"])])
    form = _IDS.get(kind) or str(schema.rules.get("id", ""))
    made = _made(os.urandom(8).hex())
    return re.sub(
        r"\{\{(\w+)\}\}",
        lambda found: {"made": made, "project_number": NUMBER}.get(found[1]) or str(stored[_camel(found[1])]),
        form,
    )


def _from_provider(schema: TypeSchema, inputs: Data, project: str, region: str) -> list[tuple[str, str]]:
    given = {"project": project, "region": region}
    return [(key, given[key]) for key in given if key in schema.arguments and inputs.get(key) is None]


def _made(text: str) -> str:
    return str(int(hashlib.sha256(text.encode()).hexdigest()[:14], 16))


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _file(kind: str) -> str:
    return urllib.parse.quote(kind, safe="")
