# SPDX-License-Identifier: Apache-2.0
"""What the Hub says of one model at one commit: the only knowledge of a model that planning has.

Owns the types. `hubstack.hub.lock` writes and reads them; `hubstack.hub.remote` fetches them. A figure that the Hub
does not give is None or absent, never zero and never a guess.
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
    """Of LFS and Xet files only; the Hub gives no sha256 for small git files."""
    git_oid: str | None = None
    """sha1 of `blob <size>\\0` + content, for small git files only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityFacts:
    """The Hub's own scan of the repository's files."""

    scans_done: bool | None = None
    """None where the Hub did not say."""
    issues: Mapping[str, str] = field(default_factory=dict[str, str])
    """File path to level (`unsafe`, `suspicious`, `caution`, or a word not known yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerFacts:
    """What tokenizer_config.json says that an engine decides by."""

    class_name: str | None = None
    code: tuple[str, ...] = ()
    """Python that it names (`auto_map`): `module.Class`, or `owner/name--module.Class` of another repository."""
    has_chat_template: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """One model at one commit."""

    id: str
    """Repository id as the Hub spells it now (`owner/name`, or `gpt2`)."""
    revision: str
    """What was asked: a branch, a tag or a commit."""
    commit: str
    """40 lower-case hex."""
    replaced: str | None = None
    """Commit that was locked before this one; None for the first. A fact of the lock, not of the Hub."""
    asked_id: str | None = None
    """The id in the request, where the Hub has since renamed the repository."""
    pipeline_tag: str | None = None
    library: str | None = None
    license: str | None = None
    """Hub licence id (`apache-2.0`, `other`); several are joined with `, `."""
    license_name: str | None = None
    """Given where the licence is `other`."""
    base_models: tuple[str, ...] = ()
    """Repository ids that the card says it was made from; as the publisher wrote them."""
    datasets: tuple[str, ...] = ()
    """Datasets that the card names; as the publisher wrote them."""
    gated: str | None = None
    """`auto` or `manual`; `yes` where only the fact is known; None for open."""
    custom_code: bool = False
    """The repository carries Python that its config would load (`auto_map`): remote code."""
    security: SecurityFacts = field(default_factory=SecurityFacts)
    parameters: Mapping[str, int] = field(default_factory=dict[str, int])
    """Safetensors dtype to number of parameters, as the Hub counts them. Empty without safetensors."""
    parameters_total: int | None = None
    """The Hub's own total, where it gives one."""
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The fields of config.json that sizing and serving read (nested `text_config` and `vision_config`
    kept as such). Empty where the repository has no readable config.json."""
    quantization: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """`quantization_config` of config.json, or what hf_quant_config.json says. Empty where unquantized."""
    tokenizer: TokenizerFacts | None = None
    """None where the repository has no tokenizer_config.json, or the lock is older than this field."""
    files: tuple[FileFacts, ...] = ()
    """Sorted by path. Empty only where the Hub listed no files."""
