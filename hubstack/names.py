# SPDX-License-Identifier: Apache-2.0
"""Keys, names and labels, with the limits of each service.

A model's key is the only root of its names: its `name` in the YAML, else a slug of its Hub id. A key never
depends on the place in the list. Logical names (Pulumi's identity) are keys; physical names are what Google
and Kubernetes see, shortened with a hash where a service's limit asks for it, never by slicing alone. A model that
was renamed (`was:`) keeps its physical names: their root is the key under which it was made.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

NODE_POOL_MAX = 40
"""GKE node pool and cluster names (facts: gke.md section 6)."""
BUCKET_MAX = 63
SERVICE_ACCOUNT_MAX = 30
DNS_LABEL_MAX = 63
"""Kubernetes Service names and label values; Google Cloud label values."""
KEY_MAX = 40
"""Leaves room for the suffixes of a DNS label (`-weights-1a2b3c4d`)."""
KEY_PATTERN = r"[a-z]([a-z0-9-]*[a-z0-9])?"
_REFUSED = re.compile(r"^goog|g[o0]{2,}g[l1]e")
"""In the name of a bucket (Cloud Storage, "Bucket names"; terraform-provider-google#17831)."""
KEDA_NAMESPACE = "keda"
"""Of the autoscaler; a cluster beside others has one of its own (`hubstack.inputs.stack`)."""
RESERVED_KEYS = frozenset({"default", "kubernetes", "vllm"})
"""`kubernetes` is a Service of every cluster's default namespace; `default` is every namespace's account; a Service
called `vllm` puts VLLM_PORT into other pods, and vLLM then refuses to start (facts: gke.md 2.2)."""
CANARY_SUFFIX = "-canary"
MODEL_DIR = "/weights"
"""Where a server finds the folder of its model's weights, read-only."""


class Keyed(Protocol):
    """A model as asked or as planned."""

    @property
    def key(self) -> str: ...
    @property
    def was(self) -> tuple[str, ...]: ...
    @property
    def canary_of(self) -> str | None: ...


def made_as(model: Keyed) -> str:
    """Return the key under which a model was made: root of its physical names, label of its pods."""
    return model.was[0] if model.was else model.key


def entry_keys(model: Keyed) -> tuple[str, ...]:
    """Return the keys of a model's entry in the list, the present one first, then the newest of the former ones.

    A canary has no entry of its own: its keys are those of its primary with a suffix.
    """
    return tuple(dict.fromkeys(_of_entry(model, key) for key in (model.key, *reversed(model.was))))


def bucket_key(model: Keyed) -> str:
    """Return the key that a model's bucket is named by; a canary's commit lies beside its primary's."""
    return _of_entry(model, made_as(model))


def _of_entry(model: Keyed, key: str) -> str:
    return key.removesuffix(CANARY_SUFFIX) if model.canary_of else key


def short_hash(*parts: str, length: int = 8) -> str:
    """Return the first hex digits of the sha256 of the parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def shorten(name: str, limit: int) -> str:
    """Return the name, or its beginning with a hash of the whole, within the limit."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-.')}-{short_hash(name)}"


def slug(text: str) -> str:
    """Return lower-case words joined by single hyphens, starting with a letter."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words if words[:1].isalpha() else f"m-{words}".rstrip("-")


def key_of(repo_id: str) -> str:
    """Return the key of a model that is given no name: the slug of the last part of its Hub id.

    Two owners may use one name for different models; the request then asks for a `name`.
    """
    key = slug(repo_id.rsplit("/", 1)[-1])
    return shorten(f"m-{key}" if key in RESERVED_KEYS else key, KEY_MAX)


def bucket_name(project: str, stack: str, key: str) -> str:
    """Return a globally unique bucket name: projects are unique, so names that begin with one are.

    Buckets refuse `goog` as a prefix and `google` or its like anywhere; dots mean a domain. None is made
    here, and a name that had one carries a hash, so that two models stay two.
    """
    name = slug(f"{project.replace(':', '-').replace('.', '-')}-{stack}-{key}")
    if not _REFUSED.search(name):
        return shorten(name, BUCKET_MAX)
    return shorten(f"{_REFUSED.sub('gle', name)}-{short_hash(name, length=6)}", BUCKET_MAX)


def service_account_id(stack: str, role: str) -> str:
    """Return an account id of 6 to 30 characters."""
    return shorten(f"hubstack-{slug(stack)}-{role}", SERVICE_ACCOUNT_MAX)


def cluster_name(stack: str) -> str:
    """Return the name of a stack's GKE cluster, of at most 40 characters; metrics carry it as a label."""
    return shorten(f"hubstack-{slug(stack)}", NODE_POOL_MAX)


def wake_name(key: str) -> str:
    """Return the name of the Service under which a resting model is reached inside the cluster."""
    return f"{key}-wake"


def node_pool_name(key: str) -> str:
    """Return a node pool name of at most 40 characters."""
    return shorten(key, NODE_POOL_MAX)


def label_value(text: str) -> str:
    """Return the text as a label value that both Google Cloud and Kubernetes take."""
    return shorten(re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_"), DNS_LABEL_MAX)


def labels(stack: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the Google Cloud labels that every resource carries."""
    return {"managed-by": "hubstack", "hubstack-stack": label_value(stack), **(extra or {})}
