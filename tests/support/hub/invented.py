# SPDX-License-Identifier: Apache-2.0
"""Small repositories made up for one rule each. All of it is invented; the owner `stand-in` is nobody's.

Here every byte exists, so list, tree, hashes and download agree. The rules they follow are the Hub's.
"""

from typing import Any

from proof.hub.repository import Repository
from proof.hub.tiny import TINY, commit, safetensors

OWNER = "stand-in"


def repository(name: str, files: dict[str, Any] | None = None, owner: str = OWNER, **metadata: Any) -> Repository:
    repo_id = f"{owner}/{name}"
    held = {"config.json": TINY, "README.md": b"# Made up\n"} if files is None else files
    first = commit(repo_id, "main", held)
    return Repository(
        id=repo_id,
        commits={first.sha: first},
        refs={"main": first.sha},
        metadata={"tags": [], "pipeline_tag": "text-generation", "library_name": "transformers", **metadata},
        gated=False,
        security={"scansDone": True, "filesWithIssues": []},
        invented=("everything",),
    )


def _sharded() -> Repository:
    """Two shards, an index, and a history: `main`, the tag `v1`, a pull request."""
    first = safetensors("BF16", embed=[1000, 64], layer=[64, 64])
    second = safetensors("BF16", head=[1000, 64])
    weight_map = {"embed": 1, "layer": 1, "head": 2}
    index = {
        "metadata": {"total_size": 2 * (64000 + 4096 + 64000)},
        "weight_map": {name: f"model-0000{n}-of-00002.safetensors" for name, n in weight_map.items()},
    }
    held = {
        "config.json": TINY,
        "model-00001-of-00002.safetensors": first,
        "model-00002-of-00002.safetensors": second,
        "model.safetensors.index.json": index,
        "tokenizer.json": {"version": "1.0"},
        "README.md": b"# Made up\n",
    }
    made = repository(
        "sharded",
        held,
        safetensors={"parameters": {"BF16": 132096}, "total": 132096},
        cardData={"license": "apache-2.0"},
    )
    old = commit(made.id, "v1", {"config.json": {**TINY, "max_position_embeddings": 1024}})
    proposed = commit(made.id, "pr", {"config.json": {**TINY, "max_position_embeddings": 4096}})
    made.commits |= {old.sha: old, proposed.sha: proposed}
    made.refs |= {"v1": old.sha, "refs/pr/1": proposed.sha}
    return made


def _gated(name: str, gated: str) -> Repository:
    made = repository(name)
    made.gated = gated
    return made


def _quantized(name: str, **said: Any) -> Repository:
    held = {"config.json": {**TINY, "quantization_config": said}, "model.safetensors": safetensors("I32", w=[8])}
    return repository(name, held)


def adapter(name: str) -> Repository:
    """Return a LoRA adapter of Qwen/Qwen3-8B, with a tag `v2` on its commit."""
    config = {"peft_type": "LORA", "base_model_name_or_path": "Qwen/Qwen3-8B", "r": 16, "lora_alpha": 32}
    weights = safetensors("BF16", a=[16, 8], b=[8, 16])
    files = {"adapter_config.json": config | {"target_modules": ["q_proj"]}, "adapter_model.safetensors": weights}
    made = repository(name, files, owner="acme", library_name="peft", cardData={"license": "apache-2.0"})
    made.refs["v2"] = made.refs["main"]
    return made


EAGLE = {
    **TINY,
    "architectures": ["LlamaForCausalLMEagle3"],
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_hidden_layers": 1,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 151936,
    "draft_vocab_size": 32000,
}
"""The config of a head for Qwen/Qwen3-8B."""


def invented_repositories() -> list[Repository]:
    private = repository("private")
    private.is_private = True
    disabled = repository("disabled")
    disabled.is_disabled = True
    moved = repository("new-name")
    unsafe = repository("unsafe-pickle", {"config.json": TINY, "pytorch_model.bin": b"\x80\x04."})
    unsafe.security = {"scansDone": True, "filesWithIssues": [{"path": "pytorch_model.bin", "level": "unsafe"}]}
    unscanned = repository("unscanned")
    unscanned.security = {"scansDone": False}
    nvidia = {
        "producer": {"name": "modelopt", "version": "0.23.0"},
        "quantization": {
            "quant_algo": "NVFP4",
            "kv_cache_quant_algo": "FP8",
            "group_size": 16,
            "exclude_modules": ["lm_head"],
        },
    }
    layers = {"model.safetensors": safetensors("U8", w=[16])}
    return [
        _sharded(),
        private,
        disabled,
        moved,
        unsafe,
        unscanned,
        Repository(id=f"{OWNER}/old-name", commits={}, refs={}, moved_to=moved.id),
        _gated("gated-auto", "auto"),
        _gated("gated-manual", "manual"),
        repository(
            "custom-code",
            {
                "config.json": {**TINY, "auto_map": {"AutoModel": "modeling.Made"}},
                "modeling.py": b"class Made: pass\n",
            },
        ),
        repository("licence-list", cardData={"license": ["mit", "apache-2.0"]}),
        repository("licence-other", cardData={"license": "other", "license_name": "made-up"}),
        repository(
            "made-from",
            cardData={
                "base_model": ["stand-in/sharded", "stand-in/adapter", "stand-in/sharded"],
                "datasets": ["stand-in/talks", {"not": "a name"}, "x" * 1000],
            },
        ),
        repository("made-from-one", cardData={"base_model": "stand-in/sharded", "datasets": 3}),
        repository("licence-tag", tags=["license:mit"]),
        adapter("support-lora"),
        adapter("legal-lora"),
        repository(
            "qwen3-8b-eagle3",
            {"config.json": EAGLE, "model.safetensors": safetensors("BF16", a=[8, 8])},
            owner="acme",
            cardData={"license": "mit", "base_model": "Qwen/Qwen3-8B"},
        ),
        repository(
            "adapter",
            {
                "adapter_config.json": {"base_model_name_or_path": f"{OWNER}/sharded"},
                "adapter_model.safetensors": safetensors("F32", a=[8, 8]),
            },
            library_name="peft",
        ),
        repository(
            "diffusers",
            {"model_index.json": {"_class_name": "FluxPipeline"}, "transformer/config.json": {"num_layers": 2}},
            library_name="diffusers",
            pipeline_tag="text-to-image",
        ),
        repository(
            "gguf",
            {"tiny-q4_k_m.gguf": b"GGUF" + bytes(60)},
            library_name="gguf",
            gguf={
                "total": 1000,
                "architecture": "llama",
                "context_length": 2048,
                "chat_template": "{{ messages }}",
            },
        ),
        _quantized("bnb", quant_method="bitsandbytes", load_in_4bit=True, bnb_4bit_quant_type="nf4"),
        _quantized("gptq", quant_method="gptq", bits=4, group_size=128, desc_act=False, sym=True),
        _quantized(
            "compressed",
            quant_method="compressed-tensors",
            format="float-quantized",
            ignore=["lm_head"],
            config_groups={
                "group_0": {
                    "targets": ["Linear"],
                    "weights": {"num_bits": 8, "type": "float", "strategy": "channel"},
                }
            },
        ),
        repository("nvfp4", {"config.json": TINY, "hf_quant_config.json": nvidia, **layers}),
    ]
