# SPDX-License-Identifier: Apache-2.0
"""A client of the Kubernetes API in plain JSON, for any kind that the server has.

Owns paths, paging and errors. Kinds come from the server's discovery. kubectl applies files.
"""

import ssl
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2

Object = dict[str, Any]
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class ApiError(Exception):
    """An error response from the server."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that the server has."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """Return the URL's path; `namespace` None means all of them."""
        root = "/api" if "/" not in self.api_version else "/apis"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}/{self.api_version}{inside}/{self.plural}" + (f"/{name}" if name else "")


class Api:
    """A client of one server with one identity."""

    def __init__(self, url: str, authority: Path, certificate: Path, key: Path) -> None:
        context = ssl.create_default_context(cafile=authority)
        context.load_cert_chain(certificate, key)
        self._client = httpx2.Client(base_url=url, verify=context, timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds, in the server's order; subresources left out. `forget_kinds` after new CRDs."""
        groups = self.call("GET", "/apis")["groups"]
        versions = ["v1", *(version["groupVersion"] for group in groups for version in group["versions"])]
        return tuple(kind for version in versions for kind in self._kinds_of(version))

    def forget_kinds(self) -> None:
        """Ask the server again at the next use."""
        self.__dict__.pop("kinds", None)

    def kind(self, api_version: str, kind: str) -> Kind:
        """Return one kind; raises KeyError if the server does not have it."""
        for each in self.kinds:
            if (each.api_version, each.kind) == (api_version, kind):
                return each
        raise KeyError(f"{api_version} {kind}")

    def items(self, kind: Kind, namespace: str | None = None, **query: str) -> list[Object]:
        """Return all objects of a kind, with the `kind` and `apiVersion` that lists omit."""
        answer = self.call("GET", kind.path(namespace), query={"limit": "2000", **query})
        return [{"apiVersion": kind.api_version, "kind": kind.kind} | item for item in answer["items"]]

    def objects(self, api_version: str, kind: str, namespace: str | None = None, **query: str) -> list[Object]:
        """Return all objects of a kind, given its name."""
        return self.items(self.kind(api_version, kind), namespace, **query)

    def create(self, value: Object) -> Object:
        """Create an object."""
        kind, metadata = self.kind(value["apiVersion"], value["kind"]), value["metadata"]
        return self.call("POST", kind.path(metadata.get("namespace")), value)

    def get(self, value: Object) -> Object:
        """Return the current state of an object."""
        return self.call("GET", self.path(value))

    def patch(self, value: Object, change: Object, *, subresource: str = "", how: str = MERGE) -> Object:
        """Change an object."""
        return self.call("PATCH", self.path(value) + subresource, change, media=how)

    def delete(self, value: Object, *, now: bool = False) -> None:
        """Delete an object, with `now` without waiting for a kubelet. A missing object is not an error."""
        body: Object = {"propagationPolicy": "Background"} | ({"gracePeriodSeconds": 0} if now else {})
        try:
            self.call("DELETE", self.path(value), body)
        except ApiError as error:
            if error.status != 404:
                raise

    def path(self, value: Object) -> str:
        """Return an object's path."""
        metadata = value["metadata"]
        return self.kind(value["apiVersion"], value["kind"]).path(metadata.get("namespace"), metadata["name"])

    def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        query: dict[str, str] | None = None,
        media: str = "application/json",
        as_text: bool = False,
    ) -> Any:
        """Send a request and return the answer's JSON, or its text where it is none (or several, as of a watch).

        Raises:
            ApiError: the server refused.
        """
        answer = self._client.request(
            method, path, json=body, params=query, headers={"Content-Type": media, "Accept": "application/json"}
        )
        if answer.is_error:
            is_json = "json" in answer.headers.get("content-type", "")
            raise ApiError(answer.status_code, answer.json().get("message", "") if is_json else answer.text)
        is_one = "json" in answer.headers.get("content-type", "") and not as_text
        return answer.json() if is_one else answer.text

    def _kinds_of(self, version: str) -> Iterator[Kind]:
        root = "/api" if "/" not in version else "/apis"
        for row in self.call("GET", f"{root}/{version}")["resources"]:
            if "/" not in row["name"]:
                yield Kind(version, row["kind"], row["name"], row["namespaced"], frozenset(row["verbs"]))


def identity(value: Object) -> tuple[str, str, str, str]:
    """Return an object's identity: API group, kind, namespace, name."""
    group, slash, _ = value["apiVersion"].partition("/")
    metadata = value["metadata"]
    return (group if slash else "", value["kind"], metadata.get("namespace", ""), metadata["name"])


def has_condition(value: Object, name: str) -> bool:
    """Return whether a condition of an object's status is true."""
    conditions = value.get("status", {}).get("conditions", ())
    return any((each["type"], each["status"]) == (name, "True") for each in conditions)


def owner(value: Object) -> Object | None:
    """Return the reference to the controller that made an object."""
    references: Iterable[Object] = value["metadata"].get("ownerReferences", ())
    return next((reference for reference in references if reference.get("controller")), None)
