# SPDX-License-Identifier: Apache-2.0
"""Converts responses of the Hub to ModelFacts. Pure.

Owns the conversion and the checks that the facts are reliable (a commit, sizes, well-formed hashes). Values missing
from the responses are absent. Shapes: `ModelInfo` of huggingface_hub 2; the security status is only documented by
hub-docs and third parties, so any of its keys may be missing.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from huggingface_hub import ModelInfo
from huggingface_hub.hf_api import RepoSibling

from hubstack.files.escape import visible
from hubstack.hub.facts import PROCESSOR_ROLES, FileFacts, ModelFacts, SecurityFacts, TokenizerFacts
from hubstack.hub.remote.config_fields import (
    keep_adapter,
    keep_config,
    keep_gguf,
    keep_quantization,
)
from hubstack.hub.remote.refusal import ResponseError, RetryableResponseError
from hubstack.inputs.hub_names import model_id_problem, path_problem

_SHA1 = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHAT_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_QUANTIZED_TAG = "base_model:quantized:"
_NAME_MAX, _NAMES_MAX = 200, 100
"""Model cards are free text: longer names and lists are truncated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubResponses:
    """All responses of the Hub for one model."""

    asked_id: str
    revision: str
    info: ModelInfo
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """config.json at the commit; empty if missing or not requested."""
    tokenizer: Mapping[str, Any] | None = None
    """tokenizer_config.json at the commit; None if missing."""
    sentences: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """sentence_bert_config.json at the commit, or its equivalent of another family; empty if missing."""
    processors: tuple[Mapping[str, Any], ...] = ()
    """processor_config.json and its like at the commit, in the order in which transformers reads them."""
    modelopt: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """hf_quant_config.json at the commit, as in NVIDIA's repositories; empty if missing."""
    gguf_headers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """Header of one GGUF file of each model, by path; empty if there is none."""
    adapters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    """adapter_config.json by its folder, `.` for the repository's own; empty if there is none."""
    adapter_base: ModelInfo | None = None
    """The repository that the adapter names as its base; None if it names none or the Hub does not show it."""
    counts_are_of_commit: bool = False
    """Whether the parameter counts apply to this commit: the Hub counts the default branch only."""


def commit_of(info: ModelInfo, revision: str) -> str:
    """Return the commit; raise ResponseError if it is missing or not the requested one."""
    commit = info.sha or ""
    if not _SHA1.fullmatch(commit):
        raise ResponseError("has no commit in the Hub's answer, so it cannot be pinned")
    if _SHA1.fullmatch(revision) and revision != commit:
        raise ResponseError(f"was asked at commit {revision}, and the Hub answered with {commit}")
    return commit


def to_facts(answers: HubResponses) -> ModelFacts:
    """Convert the responses.

    Raises:
        ResponseError: the responses are not reliable.
    """
    info = answers.info
    card: Mapping[str, Any] = info.card_data.to_dict() if info.card_data else {}
    counts = info.safetensors if answers.counts_are_of_commit else None
    gguf = keep_gguf(cast("dict[str, Any]", info.gguf or {}))  # pyright: ignore[reportUnknownMemberType]
    if answers.gguf_headers:
        gguf["headers"] = answers.gguf_headers
    transformers = info.transformers_info
    tokenizer = _tokenizer(answers)
    facts = ModelFacts(
        id=info.id,
        asked_id=answers.asked_id if answers.asked_id != info.id else None,
        revision=answers.revision,
        commit=commit_of(info, answers.revision),
        pipeline_tag=info.pipeline_tag,
        library=info.library_name,
        license=_license(card, info.tags or []),
        license_name=_text(card.get("license_name")),
        base_models=_names(card.get("base_model")),
        datasets=_names(card.get("datasets")),
        gated=_gated(info.gated),
        custom_code=bool(
            answers.config.get("auto_map")
            or (transformers and transformers.custom_class)
            or (tokenizer and tokenizer.code)
            or _processor_code(answers)
        ),
        security=_security(info.security_repo_status),  # pyright: ignore[reportUnknownMemberType]
        parameters=dict(counts.parameters) if counts else {},
        parameters_total=counts.total if counts else None,
        config=keep_config(answers.config) | _beside_config(answers, gguf),
        quantization=_quantization(answers),
        tokenizer=tokenizer,
        files=tuple(sorted(_files(info), key=lambda file: file.path)),
    )
    _check_names(facts)
    return facts


def _beside_config(answers: HubResponses, gguf: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept with the config although it is in other files: GGUF headers, the longest text, code."""
    longest = answers.sentences.get("max_seq_length")
    found: dict[str, Any] = {"gguf": gguf} if gguf else {}
    if isinstance(longest, int) and not isinstance(longest, bool) and longest > 0:
        found["sentence_transformers"] = {"max_seq_length": longest}
    if code := _processor_code(answers):
        found["processor_code"] = code
    if answers.adapters:
        found["adapters"] = {folder: keep_adapter(raw) for folder, raw in sorted(answers.adapters.items())}
    if copied := _quantized_from(answers.adapter_base):
        found["adapter_base_quantized_from"] = list(copied)
    return found


def _processor_code(answers: HubResponses) -> dict[str, str]:
    """Return the code that files of processors name (`auto_map`), by transformers' class; the first file counts."""
    found: dict[str, str] = {}
    for said in answers.processors:
        named: Any = said.get("auto_map")
        for role in PROCESSOR_ROLES:
            listed = _names(cast("dict[str, Any]", named).get(role)) if isinstance(named, dict) else ()
            if listed:
                found.setdefault(role, listed[0])
    return found


def _quantized_from(base: ModelInfo | None) -> tuple[str, ...]:
    """Return the models that an adapter's base is a quantized build of, by the Hub's tags."""
    tags = (base.tags or []) if base else []
    return _names([tag.removeprefix(_QUANTIZED_TAG) for tag in tags if tag.startswith(_QUANTIZED_TAG)])


def _check_names(facts: ModelFacts) -> None:
    """Reject names that a lock must not contain (`hubstack.hub.lock`)."""
    if fault := model_id_problem(facts.id):
        raise ResponseError(f"was returned under another ID: {fault}")
    for path in (*(file.path for file in facts.files), *facts.security.issues):
        if fault := path_problem(path):
            raise ResponseError(f"lists the file `{visible(path)}`, which {fault}")


def _tokenizer(answers: HubResponses) -> TokenizerFacts | None:
    said = answers.tokenizer
    if said is None:
        return None
    named: Any = said.get("auto_map")
    # An older form is a list: the slow tokenizer, then the fast one.
    listed: Any = cast("dict[str, Any]", named).get("AutoTokenizer") if isinstance(named, dict) else named
    files = {sibling.rfilename for sibling in answers.info.siblings or []}
    return TokenizerFacts(
        class_name=_text(said.get("tokenizer_class")),
        code=_names(listed),
        has_chat_template=bool(said.get("chat_template")) or not files.isdisjoint(_CHAT_TEMPLATES),
    )


def _license(card: Mapping[str, Any], tags: list[str]) -> str | None:
    said = card.get("license")
    if isinstance(said, list):
        return ", ".join(str(one) for one in cast("list[Any]", said)) or None
    tagged = (tag.removeprefix("license:") for tag in tags if tag.startswith("license:"))
    return _text(said) or next(tagged, None)


def _names(said: Any) -> tuple[str, ...]:
    """Return the IDs on a model card, a single one or a list; anything but short text is omitted."""
    listed = cast("list[Any]", said) if isinstance(said, list) else [said]
    words = (word.strip() for word in listed if isinstance(word, str))
    return tuple(dict.fromkeys(word for word in words if 0 < len(word) <= _NAME_MAX))[:_NAMES_MAX]


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _gated(value: Any) -> str | None:
    if not value:
        return None
    return value if value in {"auto", "manual"} else "yes"


def _security(status: Any) -> SecurityFacts:
    if not isinstance(status, dict):
        return SecurityFacts()
    said = cast("dict[str, Any]", status)
    listed = cast("list[Any]", said.get("filesWithIssues") or [])
    found = [cast("dict[str, Any]", issue) for issue in listed if isinstance(issue, dict)]
    issues = {str(issue["path"]): str(issue.get("level") or "unknown") for issue in found if "path" in issue}
    done = said.get("scansDone")
    return SecurityFacts(scans_done=done if isinstance(done, bool) else None, issues=issues)


def _quantization(answers: HubResponses) -> dict[str, Any]:
    """Return the quantization of the config (MLX: `quantization`), its text config, or NVIDIA's file."""
    nested = answers.config.get("text_config")
    inner = cast("dict[str, Any]", nested).get("quantization_config") if isinstance(nested, dict) else None
    config = answers.config
    said = config.get("quantization_config") or inner or answers.modelopt.get("quantization")
    said = said or config.get("quantization")
    return keep_quantization(cast("dict[str, Any]", said)) if isinstance(said, dict) else {}


def _files(info: ModelInfo) -> Iterator[FileFacts]:
    seen: set[str] = set()
    for sibling in info.siblings or []:
        path, large = sibling.rfilename, sibling.lfs
        if path in seen:
            raise ResponseError(f"lists `{path}` twice")
        seen.add(path)
        size = _size(sibling)
        if large:
            if not _SHA256.fullmatch(large.sha256):
                raise ResponseError(f"lists `{path}` with a malformed sha256")
            yield FileFacts(path=path, size_bytes=size, sha256=large.sha256)
        else:
            oid = sibling.blob_id if _SHA1.fullmatch(sibling.blob_id or "") else None
            yield FileFacts(path=path, size_bytes=size, git_oid=oid)


def _size(sibling: RepoSibling) -> int:
    """Return the size; for large files the Hub reports it in two places (and the pointer's size in a third)."""
    large = sibling.lfs
    said: set[Any] = {sibling.size, large.size} - {large.pointer_size} if large else {sibling.size}
    said -= {None}
    if not said:
        raise ResponseError(f"lists `{sibling.rfilename}` without its size")
    if len(said) > 1:
        raise ResponseError(
            f"lists `{sibling.rfilename}` with two sizes, {' and '.join(map(str, sorted(said)))} bytes"
        )
    size = said.pop()
    if type(size) is not int or size < 0:
        raise ResponseError(f"lists `{sibling.rfilename}` with an invalid size")
    return size


def check_bytes(path: str, content: bytes, listed: RepoSibling | None) -> None:
    """Check a file's bytes against the size and hash listed by the Hub, if listed.

    Raises:
        RetryableResponseError: the bytes do not match.
    """
    if listed is None:
        return
    if len(content) != (size := _size(listed)):
        raise RetryableResponseError(f"has a {path} of {len(content):,} bytes, where {size:,} are listed")
    if listed.lfs:
        digest, wanted = hashlib.sha256(content).hexdigest(), listed.lfs.sha256
    else:
        blob = b"blob %d\0" % len(content) + content
        digest, wanted = hashlib.sha1(blob, usedforsecurity=False).hexdigest(), listed.blob_id
    if wanted and digest != wanted:
        raise RetryableResponseError(f"has a {path} whose bytes do not match the listing")
