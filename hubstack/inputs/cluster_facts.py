# SPDX-License-Identifier: Apache-2.0
"""The description of a GKE cluster, read from a file: `gcloud container clusters describe NAME --format=json`.

Owns the names of the API's fields (GKE API, `projects.locations.clusters`, read 2026-12-01). The file is written by
a program: a field of an unexpected kind is a problem, an unknown one is not.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from hubstack.files.documents import Document, parse_document, read_text
from hubstack.files.errors import InputError
from hubstack.files.problems import shown
from hubstack.plan.existing_cluster import ClusterFacts, Feature

_AGAIN = "regenerate it: gcloud container clusters describe NAME --location LOCATION --format=json > FILE"
_ENABLED: Mapping[Feature, str] = {
    Feature.FUSE: "addonsConfig.gcsFuseCsiDriverConfig.enabled",
    Feature.FQDN_POLICIES: "networkConfig.enableFqdnNetworkPolicy",
    Feature.PROMETHEUS: "monitoringConfig.managedPrometheusConfig.enabled",
    Feature.SECRET_MANAGER: "secretManagerConfig.enabled",
    Feature.SECRET_SYNC: "secretSyncConfig.enabled",
    Feature.CONNECT: "controlPlaneEndpointsConfig.dnsEndpointConfig.allowExternalTraffic",
}


def load_cluster_facts(path: Path, name: str) -> ClusterFacts:
    """Read the description of a cluster.

    Raises:
        InputError: the file is missing or is not such a description.
    """
    hint = f"`hubstack:cluster.facts` names it; {_AGAIN}"
    document = parse_document(read_text(path, name, hint), name)
    value: object = document.value
    if not isinstance(value, dict) or not {"name", "currentMasterVersion"} <= cast("dict[str, Any]", value).keys():
        message = "is not the description of a GKE cluster"
        if isinstance(value, list):
            message += ": it is a list, as `gcloud container clusters list` prints it"
        raise InputError([document.mark(()).problem(f"`{name}` {message}", _AGAIN)])
    return _Described(document).facts()


class _Described:
    """A description, read field by field."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def facts(self) -> ClusterFacts:
        on = {feature for feature, path in _ENABLED.items() if self._flag(path)}
        if self._text("networkConfig.datapathProvider") == "ADVANCED_DATAPATH":
            on.add(Feature.DATAPLANE)
        if self._text("networkConfig.gatewayApiConfig.channel") == "CHANNEL_STANDARD":
            on.add(Feature.GATEWAY)
        if not self._flag("addonsConfig.httpLoadBalancing.disabled"):
            on.add(Feature.LOAD_BALANCING)
        if self._text("binaryAuthorization.evaluationMode") == "PROJECT_SINGLETON_POLICY_ENFORCE":
            on.add(Feature.BINARY_AUTHORIZATION)
        private = self._text("privateClusterConfig.privateEndpoint")
        addresses = {private, self._text("privateClusterConfig.publicEndpoint"), self._text("endpoint")}
        addresses |= {
            self._text(f"controlPlaneEndpointsConfig.ipEndpointsConfig.{kind}Endpoint") for kind in _KINDS
        }
        return ClusterFacts(
            name=self._text("name") or "",
            location=self._text("location") or "",
            version=self._text("currentMasterVersion") or "",
            is_autopilot=self._flag("autopilot.enabled"),
            features=frozenset(on),
            workload_pool=self._text("workloadIdentityConfig.workloadPool"),
            metrics=self._texts("monitoringConfig.componentConfig.enableComponents"),
            dns_host=self._text("controlPlaneEndpointsConfig.dnsEndpointConfig.endpoint"),
            control_plane=tuple(f"{each}/32" for each in sorted(filter(None, addresses)) if _is_address(each)),
            private_address=private,
            certificate=self._text("masterAuth.clusterCaCertificate"),
        )

    def _value(self, path: str, kind: type, what: str) -> Any:
        held: Any = self._document.value
        keys = path.split(".")
        for at, key in enumerate(keys):
            if held is None:
                return None
            if not isinstance(held, dict):
                raise self._wrong(tuple(keys[:at]), "a mapping", held)
            held = cast("dict[str, Any]", held).get(key)
        if held is not None and not isinstance(held, kind):
            raise self._wrong(tuple(keys), what, held)
        return held

    def _wrong(self, keys: tuple[str, ...], what: str, held: Any) -> InputError:
        problem = self._document.mark(keys).problem(f"`{'.'.join(keys)}` must be {what}, not {shown(held)}", _AGAIN)
        return InputError([problem])

    def _flag(self, path: str) -> bool:
        return bool(self._value(path, bool, "true or false"))

    def _text(self, path: str) -> str | None:
        return self._value(path, str, "text")

    def _texts(self, path: str) -> tuple[str, ...]:
        return tuple(str(each) for each in self._value(path, list, "a list") or ())


_KINDS = ("private", "public")


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False  # IPv6, or a name
