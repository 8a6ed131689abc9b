# SPDX-License-Identifier: Apache-2.0
"""A pod's volumes as folders of this machine.

Owns which kinds there are and what is in them. A bucket is a folder that outlives its pods; `only-dir` of the mount
options is a folder in it.
"""

import base64
import contextlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from proof.api import Api, ApiError, Object
from proof.binaries import SandboxError
from proof.pods.container import field_value

BUCKETS = "gcsfuse.csi.storage.gke.io"
SECRETS = "secrets-store-gke.csi.k8s.io"
_ONLY_DIR = re.compile(r"(?:^|,)only-dir=([^,]+)")

ReadSecret = Callable[[str], str]
"""Returns the value of a version in Google's Secret Manager, by its resource name."""
FindBucket = Callable[[str], Path]
"""Returns the folder of a bucket, KeyError when there is none of that name."""


class Volumes:
    """Makes the folders of one pod."""

    def __init__(
        self, api: Api, pod: Object, folder: Path, find_bucket: FindBucket, read_secret: ReadSecret
    ) -> None:
        self._api, self._pod, self._folder = api, pod, folder
        self._find_bucket, self._read_secret = find_bucket, read_secret

    def folders(self) -> dict[str, Path]:
        """Return the folder of each volume, filled.

        Raises:
            ApiError: an object that a volume names is not there.
            SandboxError: a kind of volume is not known here.
        """
        return {each["name"]: self._made(each) for each in self._pod["spec"].get("volumes", ())}

    def refresh(self) -> None:
        """Bring what comes from ConfigMaps and Secrets up to date, as a kubelet does from time to time."""
        for each in self._pod["spec"].get("volumes", ()):
            if "configMap" in each or "secret" in each:
                with contextlib.suppress(ApiError):
                    self._made(each)

    def _made(self, volume: Object) -> Path:
        folder = self._folder / volume["name"]
        if "csi" in volume and volume["csi"]["driver"] == BUCKETS:
            return self._bucket(volume["csi"]["volumeAttributes"])
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in self._files(volume).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if not (folder / path).exists() or (folder / path).read_bytes() != content:
                (folder / path).write_bytes(content)
        return folder

    def _bucket(self, attributes: Mapping[str, str]) -> Path:
        root = self._find_bucket(attributes["bucketName"])
        only = _ONLY_DIR.search(attributes.get("mountOptions", ""))
        folder = root / only[1] if only else root
        folder.mkdir(exist_ok=True)
        return folder

    def _files(self, volume: Object) -> dict[str, bytes]:
        if "emptyDir" in volume or "ephemeral" in volume:
            return {}
        if "configMap" in volume or "secret" in volume:
            return self._of_object(volume)
        if "csi" in volume and volume["csi"]["driver"] == SECRETS:
            return self._of_secret_manager(volume["csi"]["volumeAttributes"]["secretProviderClass"])
        if "projected" in volume:
            return {
                path: held for each in volume["projected"]["sources"] for path, held in self._source(each).items()
            }
        if "downwardAPI" in volume:
            return self._fields(volume["downwardAPI"]["items"])
        kinds = ", ".join(sorted(volume.keys() - {"name"}))
        raise SandboxError(f"pod {self._pod['metadata']['name']}: volumes of kind {kinds} are not known here")

    def _source(self, source: Object) -> dict[str, bytes]:
        if "serviceAccountToken" in source:
            return {source["serviceAccountToken"]["path"]: self._token(source["serviceAccountToken"])}
        if "downwardAPI" in source:
            return self._fields(source["downwardAPI"]["items"])
        return self._of_object(source)

    def _fields(self, items: list[Object]) -> dict[str, bytes]:
        return {item["path"]: field_value(self._pod, item["fieldRef"]["fieldPath"]).encode() for item in items}

    def _token(self, said: Object) -> bytes:
        return account_token(self._api, self._pod, said).encode()

    def _of_object(self, volume: Object) -> dict[str, bytes]:
        source = volume.get("configMap") or volume["secret"]
        kind = "ConfigMap" if "configMap" in volume else "Secret"
        name = source.get("name") or source["secretName"]
        try:
            held = data_of(self._get("v1", kind, name))
        except ApiError as error:
            if error.status == 404 and source.get("optional"):
                return {}
            raise
        if "items" not in source:
            return held
        return {item["path"]: held[item["key"]] for item in source["items"]}

    def _of_secret_manager(self, name: str) -> dict[str, bytes]:
        found = self._get("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", name)
        rows: list[dict[str, Any]] = yaml.safe_load(found["spec"]["parameters"]["secrets"])
        return {row["path"]: self._read_secret(row["resourceName"]).encode() for row in rows}

    def _get(self, version: str, kind: str, name: str) -> Object:
        namespace = self._pod["metadata"]["namespace"]
        wanted = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
        return self._api.get(wanted)


def account_token(api: Api, pod: Object, said: Object) -> str:
    """Return a token of a pod's account."""
    metadata = {"name": pod["spec"]["serviceAccountName"], "namespace": pod["metadata"]["namespace"]}
    account = api.path({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    spec = {"expirationSeconds": said.get("expirationSeconds", 3600)}
    if "audience" in said:
        spec["audiences"] = [said["audience"]]
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return api.call("POST", f"{account}/token", body)["status"]["token"]


def data_of(found: Object) -> dict[str, bytes]:
    """Return the content of a ConfigMap or a Secret."""
    if found["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}
    texts = {key: value.encode() for key, value in found.get("data", {}).items()}
    return texts | {key: base64.b64decode(value) for key, value in found.get("binaryData", {}).items()}
