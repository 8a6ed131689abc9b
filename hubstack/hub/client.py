# SPDX-License-Identifier: Apache-2.0
"""Ask the Hub what planning needs of a model, at one commit.

Owns the requests (two a model: its info, its config at that commit; one more for NVIDIA's quantization file), the
retries that the client leaves out, and the translation into ModelFacts. What the Hub does not say stays absent.

Parameter counts are the Hub's own of the default branch; for another revision they are left out where files tell
the size anyway (facts: hub_api.md 4.4).
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, stop_after_delay

from hubstack.facts import FileFacts, ModelFacts, SecurityFacts
from hubstack.hub.errors import is_transient

CONFIG_FIELDS = frozenset({
    "architectures", "model_type", "torch_dtype", "dtype", "vocab_size", "tie_word_embeddings",
    "hidden_size", "n_embd", "d_model", "dim", "intermediate_size", "ffn_hidden_size", "n_inner", "hidden_dim",
    "decoder_ffn_dim", "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers",
    "decoder_layers",
    "num_attention_heads", "n_head", "n_heads", "decoder_attention_heads", "encoder_attention_heads",
    "num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query", "multi_query_group_num",
    "new_decoder_architecture", "head_dim", "max_position_embeddings", "n_positions", "max_target_positions",
    "max_seq_len", "seq_length", "n_ctx", "model_max_length", "rope_scaling", "sliding_window",
    "use_sliding_window", "sliding_window_pattern", "_sliding_window_pattern", "attention_chunk_size", "layer_types",
    "layers_block_type", "hybrid_override_pattern", "full_attention_interval", "num_experts", "n_routed_experts",
    "num_local_experts", "num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_intermediate_size",
    "n_shared_experts", "shared_expert_intermediate_size", "first_k_dense_replace", "interleave_moe_layer_step",
    "kv_lora_rank", "q_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "index_head_dim",
    "index_n_heads", "index_topk", "linear_num_key_heads", "linear_num_value_heads", "linear_key_head_dim",
    "linear_value_head_dim", "mamba_num_heads", "mamba_n_heads", "mamba_head_dim", "mamba_d_head", "mamba_d_state",
    "ssm_state_size", "num_mel_bins", "depth", "num_heads", "embed_dim", "width", "layers", "patch_size",
    "image_size", "out_hidden_size", "num_nextn_predict_layers", "num_labels", "auto_map",
})  # fmt: skip
"""Fields of config.json that sizing and serving read; listed by hand, since they are the lock's format."""
NESTED_CONFIGS = ("text_config", "llm_config", "language_config", "thinker_config", "vision_config", "audio_config")
MAX_CONFIG_BYTES = 5_000_000
WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to try; the tests' is short."""

    attempts: int = 6
    total_seconds: float = 300
    request_seconds: float = 60
    unit_seconds: float = 1
    """Of the growing wait between tries (1, 2, 4 ... units); a wait that the Hub asks for wins."""


Asked = tuple[str, str]
"""Repository id and revision."""
Answer = ModelFacts | Exception


def fetch_facts(
    asked: Sequence[Asked], *, patience: Patience | None = None, on_done: Callable[[str], None] = print
) -> dict[Asked, Answer]:
    """Fetch the facts of models, a few at a time.

    Args:
        asked: ids and revisions, each once.
        patience: how often and how long to try.
        on_done: told each id as it is done.

    Returns:
        For each, the facts or the error that stood in the way at the end.
    """
    held = patience or Patience()
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)

    def one(pair: Asked) -> Answer:
        try:
            facts = _fetch(api, *pair, held)
        except Exception as error:  # noqa: BLE001  every model's trouble is told together
            return error
        on_done(pair[0])
        return facts

    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return dict(zip(asked, pool.map(one, asked), strict=True))


def _fetch(api: HfApi, repo_id: str, revision: str, patience: Patience) -> ModelFacts:
    info = _retrying(patience)(
        api.model_info, repo_id, revision=revision, files_metadata=True, securityStatus=True,
        timeout=patience.request_seconds,
    )  # fmt: skip
    if not info.sha:
        raise ValueError(f"the Hub gave no commit for {repo_id}")
    siblings = {sibling.rfilename for sibling in info.siblings or []}
    config = _json_file(api, info, "config.json", patience) if not siblings or "config.json" in siblings else {}
    nvidia: Mapping[str, Any] = {}
    if "hf_quant_config.json" in siblings and "quantization_config" not in config:
        nvidia = _json_file(api, info, "hf_quant_config.json", patience).get("quantization") or {}
    return _facts(info, config, nvidia, repo_id, revision)


def _retrying(patience: Patience) -> Retrying:
    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = _wait_asked(getattr(error, "response", None))
        return asked if asked is not None else patience.unit_seconds * 2 ** (state.attempt_number - 1)

    return Retrying(
        retry=retry_if_exception(is_transient), wait=wait, reraise=True,
        stop=stop_after_attempt(patience.attempts) | stop_after_delay(patience.total_seconds),
    )  # fmt: skip


def _wait_asked(response: Any) -> float | None:
    """Return the seconds that the Hub asks to wait, bounded, or None."""
    text = response.headers.get("Retry-After") if response is not None else None
    return min(float(text), 120.0) if text and text.isdigit() else None


def _json_file(api: HfApi, info: ModelInfo, name: str, patience: Patience) -> Mapping[str, Any]:
    """Return a small JSON file at the commit; empty where there is none, or where it is no JSON mapping."""
    url = hf_hub_url(info.id, name, revision=info.sha, endpoint=api.endpoint)

    def download() -> Mapping[str, Any]:
        # The client's own download keeps a cache and its own retries; one small file needs neither.
        response = get_session().get(url, headers=build_hf_headers(), timeout=patience.request_seconds)
        hf_raise_for_status(response)
        if len(response.content) > MAX_CONFIG_BYTES:
            return {}
        value: Any = json.loads(response.content)
        return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}

    try:
        return _retrying(patience)(download)
    except RemoteEntryNotFoundError:
        return {}


def _facts(
    info: ModelInfo, config: Mapping[str, Any], nvidia: Mapping[str, Any], repo_id: str, revision: str
) -> ModelFacts:
    card: Mapping[str, Any] = info.card_data.to_dict() if info.card_data else {}
    counts = info.safetensors
    kept = _kept(config)
    gguf = cast("Mapping[str, Any]", info.gguf or {})  # pyright: ignore[reportUnknownMemberType]
    if gguf:
        kept["gguf"] = {key: gguf[key] for key in ("architecture", "context_length", "total") if key in gguf}
    return ModelFacts(
        id=info.id,
        asked_id=repo_id if repo_id != info.id else None,
        revision=revision,
        commit=str(info.sha),
        pipeline_tag=info.pipeline_tag,
        library=info.library_name,
        license=_license(card, info.tags or []),
        license_name=_text(card.get("license_name")),
        gated=_gated(info.gated),
        custom_code="auto_map" in config,
        security=_security(cast("Any", info).security_repo_status),
        parameters=dict(counts.parameters) if counts else {},
        parameters_total=counts.total if counts else None,
        config=kept,
        quantization=_quantization(config, nvidia),
        files=tuple(_files(info)),
    )


def _quantization(config: Mapping[str, Any], nvidia: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain fields of what the config (or its text part) says of quantization."""
    text: Any = config.get("text_config")
    inner = cast("dict[str, Any]", text).get("quantization_config") if isinstance(text, dict) else None
    said: Any = config.get("quantization_config") or inner or nvidia
    if not isinstance(said, dict):
        return {}
    held = cast("dict[str, Any]", said)
    return {key: value for key, value in held.items() if isinstance(value, str | int | float | list)}


def _kept(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the lock holds, of the config and of the nested ones."""
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key in NESTED_CONFIGS and isinstance(value, dict):
            kept[key] = _kept(cast("dict[str, Any]", value))
        elif key in CONFIG_FIELDS and key != "auto_map" and value is not None:
            kept[key] = value
    return kept


def _files(info: ModelInfo) -> list[FileFacts]:
    files: list[FileFacts] = []
    for sibling in info.siblings or []:
        size = sibling.lfs.size if sibling.lfs else sibling.size
        if size is None:
            continue  # a file without a size says nothing to planning
        digest = sibling.lfs.sha256 if sibling.lfs else None
        oid = None if sibling.lfs else sibling.blob_id
        files.append(FileFacts(path=sibling.rfilename, size_bytes=size, sha256=digest, git_oid=oid))
    return sorted(files, key=lambda file: file.path)


def _license(card: Mapping[str, Any], tags: Sequence[str]) -> str | None:
    said = card.get("license")
    if isinstance(said, list):
        return ", ".join(str(one) for one in cast("list[Any]", said)) or None
    return _text(said) or next((tag[8:] for tag in tags if tag.startswith("license:")), None)


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _gated(value: Any) -> str | None:
    if value in (None, False):
        return None
    return value if value in {"auto", "manual"} else "yes"


def _security(status: Any) -> SecurityFacts:
    if not isinstance(status, dict):
        return SecurityFacts()
    held = cast("dict[str, Any]", status)
    issues: dict[str, str] = {}
    for issue in cast("list[Any]", held.get("filesWithIssues") or []):
        found = cast("dict[str, Any]", issue) if isinstance(issue, dict) else {}
        if found.get("path"):
            issues[str(found["path"])] = str(found.get("level") or "unknown")
    done = held.get("scansDone")
    return SecurityFacts(scans_done=done if isinstance(done, bool) else None, issues=issues)
