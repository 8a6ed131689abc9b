# SPDX-License-Identifier: Apache-2.0
"""Keys, names and labels, within each service's limits.

All of a model's names derive from its key: its `name` in the YAML, or a slug of its Hub ID. A key never depends on
the position in the list. Logical names (Pulumi's identity) use keys; physical names are those in Google Cloud and
Kubernetes, shortened with a hash, never by truncation alone, where a limit requires it. A renamed model (`was:`)
keeps its physical names, which derive from its original key.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

NODE_POOL_MAX = 40
"""Maximum length of GKE node pool and cluster names (GKE API reference, `projects.locations.clusters`)."""
BUCKET_MAX = 63
SERVICE_ACCOUNT_MAX = 30
SERVICE_ACCOUNT_TITLE_MAX = 100
"""Maximum bytes of the display name of a service account (IAM API reference, `projects.serviceAccounts`)."""
DNS_LABEL_MAX = 63
"""Maximum length of Kubernetes Service names and label values, and of Google Cloud label values."""
KEY_MAX = 40
"""Maximum length of a key; leaves room for suffixes in a DNS label (`-weights-1a2b3c4d`)."""
KEY_PATTERN = r"[a-z]([a-z0-9-]*[a-z0-9])?"
_REFUSED = re.compile(r"^goog|g[o0]{2,}g[l1]e")
"""Words not allowed in a bucket name (Cloud Storage docs, "Bucket names"; terraform-provider-google#17831)."""
CLASS_LABEL = "cloud.google.com/compute-class"
KEDA_NAMESPACE = "keda"
"""Namespace of the autoscaler; with several clusters in a project, each has its own (`hubstack.inputs.stack`)."""
LOADER_SUFFIX = "-loader"
"""End of the name of a loader's account."""
RESERVED_KEYS = frozenset({"default", "kubernetes", "vllm", "cluster", "total"})
"""Keys that are not allowed: `cluster` and `total` are lines of the bill; `kubernetes` is a Service in every
cluster's default namespace; `default` is every namespace's service account; a Service named `vllm` sets VLLM_PORT
in other pods, and vLLM then refuses to start (vLLM docs, "Environment Variables")."""
CANARY_SUFFIX = "-canary"
FILES_DIR = "/etc/hubstack/files"
"""Where the files of a list are in a server's container."""
OFFLINE = "HUBSTACK_PREVIEW"
"""Environment variable that a program finds if hubstack runs it offline, instead of Pulumi's engine."""
MODEL_DIR = "/weights"
"""Read-only path of the model's weights in a server."""
COMPANIONS = "companions"
"""Folder of a model's bucket with a folder for each commit of its adapters and draft model; a server mounts it at
the path of this name."""


BUCKET_SCHEME = "gs://"
"""Start of the ID of own weights, which are a folder of a bucket instead of a repository on the Hub."""


class Keyed(Protocol):
    """A model of the list or of the plan."""

    @property
    def key(self) -> str: ...
    @property
    def was(self) -> tuple[str, ...]: ...
    @property
    def canary_of(self) -> str | None: ...


def original_key(model: Keyed) -> str:
    """Return a model's original key: the root of its physical names and the label of its pods."""
    return model.was[0] if model.was else model.key


def entry_keys(model: Keyed) -> tuple[str, ...]:
    """Return the keys of a model's entry: the current one, then former ones, newest first.

    A canary has no entry of its own: its keys are its primary's with a suffix.
    """
    return tuple(dict.fromkeys(_of_entry(model, key) for key in (model.key, *reversed(model.was))))


def bucket_key(model: Keyed) -> str:
    """Return the key in the name of a model's bucket; a canary shares its primary's bucket."""
    return _of_entry(model, original_key(model))


def _of_entry(model: Keyed, key: str) -> str:
    return key.removesuffix(CANARY_SUFFIX) if model.canary_of else key


def short_hash(*parts: str, length: int = 8) -> str:
    """Return the first hex digits of the sha256 of the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def shorten(name: str, limit: int) -> str:
    """Return the name, or a prefix of it plus a hash of the whole if it exceeds the limit."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-.')}-{short_hash(name)}"


def slug(text: str) -> str:
    """Return lower-case words joined by single hyphens, starting with a letter."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words if words[:1].isalpha() else f"m-{words}".rstrip("-")


def is_own(model_id: str) -> bool:
    """Return whether an ID names own weights, `gs://bucket/folder`, instead of a repository on the Hub."""
    return model_id.startswith(BUCKET_SCHEME)


def bucket_and_folder(model_id: str) -> tuple[str, str]:
    """Return bucket and folder of own weights."""
    bucket, _, folder = model_id.removeprefix(BUCKET_SCHEME).partition("/")
    return bucket, folder


def served_name(model_id: str, key: str) -> str:
    """Return the name by which a server knows its model: the Hub ID, or the key of own weights.

    A bucket's name is no matter of the callers.
    """
    return key if is_own(model_id) else model_id


def key_of(repo_id: str) -> str:
    """Return the default key of a model without a `name`: the slug of the last part of its ID.

    Two owners may use the same name for different models; the list then needs a `name`.
    """
    key = slug(repo_id.rsplit("/", 1)[-1])
    return shorten(f"m-{key}" if key in RESERVED_KEYS else key, KEY_MAX)


def bucket_name(project: str, stack: str, key: str) -> str:
    """Return a globally unique bucket name, which starts with the globally unique project ID.

    Cloud Storage rejects names that start with `goog` or contain `google` or a lookalike, and treats dots as a
    domain. Names never contain these; a name that would gets a hash instead, so that different models keep
    different names.
    """
    name = slug(f"{project.replace(':', '-').replace('.', '-')}-{stack}-{key}")
    if not _REFUSED.search(name):
        return shorten(name, BUCKET_MAX)
    return shorten(f"{_REFUSED.sub('gle', name)}-{short_hash(name, length=6)}", BUCKET_MAX)


def service_account_id(stack: str, role: str) -> str:
    """Return a service account ID of 6 to 30 characters."""
    return shorten(f"hubstack-{slug(stack)}-{role}", SERVICE_ACCOUNT_MAX)


def service_account_title(text: str) -> str:
    """Return the text as the display name of a service account."""
    return shorten(text, SERVICE_ACCOUNT_TITLE_MAX)


def cluster_name(stack: str) -> str:
    """Return the name of a stack's GKE cluster, at most 40 characters; metrics use it as a label."""
    return shorten(f"hubstack-{slug(stack)}", NODE_POOL_MAX)


def gateway_name(stack: str) -> str:
    """Return the name of the gateway's address."""
    return shorten(f"hubstack-{slug(stack)}-gateway", DNS_LABEL_MAX)


def certificate_name(stack: str, host: str) -> str:
    """Return the name of a gateway's issued certificate, which differs by host.

    Google deletes no certificate that a load balancer uses: another host's is created, and used, before.
    """
    return shorten(f"{gateway_name(stack)}-{short_hash(host)}", DNS_LABEL_MAX)


def cluster_host(service: str, namespace: str) -> str:
    """Return the host name of a Service inside the cluster."""
    return f"{service}.{namespace}.svc.cluster.local"


def activation_service_name(key: str) -> str:
    """Return the name of the Service that clients in the cluster use for a model that scales to zero."""
    return f"{key}-wake"


def node_pool_name(key: str) -> str:
    """Return a node pool name of at most 40 characters."""
    return shorten(key, NODE_POOL_MAX)


def label_value(text: str) -> str:
    """Return the text as a label value valid in both Google Cloud and Kubernetes."""
    return shorten(re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_"), DNS_LABEL_MAX)


def labels(stack: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the Google Cloud labels set on every resource."""
    return {"managed-by": "hubstack", "hubstack-stack": label_value(stack), **(extra or {})}


def model_labels(stack: str, key: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the Google Cloud labels of a model's own resources.

    Args:
        stack: name of the stack.
        key: the model's original key.
        extra: further labels, such as the user's.
    """
    return labels(stack, {**(extra or {}), "hubstack-model": label_value(key)})
