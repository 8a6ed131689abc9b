# SPDX-License-Identifier: Apache-2.0
"""Facts from the Hub about one model at one commit, and from registries about images; planning knows nothing else.

Owns the types. `hubstack.hub.lock` reads and writes them; `hubstack.hub.remote` fetches them. A value that the Hub
does not provide is None or absent, never zero and never a guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file of the repository at the commit."""

    path: str
    size_bytes: int
    sha256: str | None = None
    """For LFS and Xet files only; the Hub gives no sha256 for small git files."""
    git_oid: str | None = None
    """sha1 of `blob <size>\\0` + content; for small git files only."""
    generation: int | None = None
    """Of an object in a bucket (own weights): Cloud Storage's number of this content."""
    crc32c: str | None = None
    """Of an object in a bucket: its CRC32C checksum, in base64."""
    md5: str | None = None
    """Of an object in a bucket: its MD5 in hexadecimal; None if it was uploaded in parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFacts:
    """The Hub's security scan of the repository's files."""

    scans_done: bool | None = None
    """None if the Hub did not report it."""
    issues: Mapping[str, str] = field(default_factory=dict[str, str])
    """File path to level (`unsafe`, `suspicious`, `caution`, or a level not known yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFacts:
    """The fields of tokenizer_config.json that affect engines."""

    class_name: str | None = None
    code: tuple[str, ...] = ()
    """Python classes in `auto_map`: `module.Class`, or `owner/name--module.Class` from another repository."""
    has_chat_template: bool = False


PROCESSOR_ROLES = ("AutoProcessor", "AutoImageProcessor", "AutoVideoProcessor", "AutoFeatureExtractor")
"""Classes of transformers that load a processor of images, sounds or videos; the first one contains the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One model at one commit."""

    id: str
    """Current repository ID on the Hub (`owner/name`, or `gpt2`); or own weights, `gs://bucket/folder`."""
    revision: str
    """The requested branch, tag or commit."""
    commit: str
    """40 lower-case hexadecimal digits. Of own weights, the start of a SHA-256 over each object's path, generation,
    size and checksum."""
    replaced: str | None = None
    """The previously locked commit; None for the first. A fact of the lock, not of the Hub."""
    asked_id: str | None = None
    """The ID in the model list, if the Hub has since renamed the repository."""
    pipeline_tag: str | None = None
    library: str | None = None
    license: str | None = None
    """Hub license ID (`apache-2.0`, `other`); several are joined with `, `."""
    license_name: str | None = None
    """Set if the license is `other`."""
    base_models: tuple[str, ...] = ()
    """Base models on the model card, as the publisher wrote them."""
    quantized_builds: Mapping[str, int] = field(default_factory=dict[str, int])
    """Quantized builds of the model on the Hub, by ID, with their bits per weight; the most downloaded first. Asked
    for large models only, and for information: no build is locked."""
    datasets: tuple[str, ...] = ()
    """Datasets on the model card, as the publisher wrote them."""
    gated: str | None = None
    """`auto` or `manual`; `yes` if the kind of gate is unknown; None if not gated."""
    custom_code: bool = False
    """Whether the repository has remote code: Python that its config would load (`auto_map`)."""
    security: SecurityFacts = field(default_factory=SecurityFacts)
    parameters: Mapping[str, int] = field(default_factory=dict[str, int])
    """Safetensors dtype to number of parameters, as counted by the Hub. Empty without safetensors."""
    parameters_total: int | None = None
    """Total number of parameters according to the Hub, if given."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The fields of config.json that sizing and serving use (`text_config` and `vision_config` stay nested). Empty
    if the repository has no readable config.json. Facts of other files are beside them, such as `processor_code`:
    the code that files of processors name."""
    quantization: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`quantization_config` of config.json, or the contents of hf_quant_config.json. Empty if not quantized."""
    tokenizer: TokenizerFacts | None = None
    """None if the repository has no tokenizer_config.json, or the lock predates this field."""
    files: tuple[FileFacts, ...] = ()
    """Sorted by path. Empty only if the Hub listed no files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """A container image at the digest that its tag named."""

    image: str
    """As published, with its tag: `vllm/vllm-openai:v0.33.0`."""
    digest: str
    """Of what the tag names, an index or a manifest: `sha256:` and 64 hexadecimal digits."""
    platform: str
    """`linux/amd64`, the platform of every node with an accelerator that has images."""
    manifest: str | None = None
    """Digest of that platform's manifest, if the tag names an index."""
    created: str | None = None
    """When the image was built, by its own word; builds that can be repeated often say 1970 or 1980."""
    entrypoint: tuple[str, ...] = ()
    """What it runs; empty if it has no entrypoint."""
    user: str = "root"
    """The user that it runs as if a pod names none."""
