# SPDX-License-Identifier: Apache-2.0
"""Tiny models that say one sentence: real files that real engines load, with an answer known beforehand.

Owns their weights and their tokenizer. Each word is a dimension of its own: the output layer turns a word into the
next one, and whatever is no word into the first. Attention and MLP are computed and add nothing. So an answer shows
which bytes were loaded, without a model of any size.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

HIDDEN, FEED, LAYERS, HEADS, KV_HEADS, HEAD = 64, 128, 2, 4, 2, 32
CONTEXT = 40960
_START, _END, _PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_CERTAIN = 16.0
"""Of the output layer: 128 above every other token, so that a temperature changes nothing."""
_ALIGNMENT = 32
Tensors = Mapping[str, tuple[Sequence[int], bytes]]


def model_files(sentence: str) -> dict[str, bytes]:
    """Return the files of a Hub repository: a Qwen3 in bfloat16 that answers with this sentence.

    Its words must differ from each other.
    """
    tokens = _tokens(sentence)
    config = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "vocab_size": len(tokens),
        "max_position_embeddings": CONTEXT,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-06,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": tokens.index(_START),
        "eos_token_id": tokens.index(_END),
        "torch_dtype": "bfloat16",
    }
    tokenizer_config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": _END,
        "pad_token": _PAD,
        "chat_template": _TEMPLATE,
        "model_max_length": CONTEXT,
    }
    said: dict[str, Any] = {
        "config.json": config,
        "generation_config.json": {"eos_token_id": tokens.index(_END)},
        "tokenizer.json": _tokenizer(tokens),
        "tokenizer_config.json": tokenizer_config,
    }
    files = {name: json.dumps(content, indent=2).encode() for name, content in said.items()}
    return files | {"model.safetensors": _safetensors(_weights(tokens, sentence, _bfloat16, _HUB_NAMES))}


def adapter_files(sentence: str, other: str, base: str) -> dict[str, bytes]:
    """Return the files of a LoRA adapter with which the model of a sentence says its words in another order.

    It changes the output layer: one matrix passes the hidden state on, the other holds the differences.

    Args:
        sentence: what the model says.
        other: what it says with the adapter: the same words, the first one first.
        base: ID of the model's repository.
    """
    tokens, words = _tokens(sentence), sentence.split()
    if sorted(other.split()) != sorted(words) or other.split(maxsplit=1)[0] != words[0]:
        raise ValueError(f"{other!r} has other words than {sentence!r}, or begins with another")
    place = {word: i + 1 for i, word in enumerate(words)}  # as in `_weights`
    token = {i + 1: 256 + i for i in range(len(words))} | {0: tokens.index(_END)}
    difference = [0.0] * (len(tokens) * HIDDEN)
    for said, sign in ((words, -_CERTAIN), (other.split(), _CERTAIN)):
        for before, then in pairwise([*(place[word] for word in said), 0]):
            difference[token[then] * HIDDEN + before] += sign
    same = [1.0 if row == column else 0.0 for row in range(HIDDEN) for column in range(HIDDEN)]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": HIDDEN,
        "lora_alpha": HIDDEN,
        "target_modules": ["lm_head"],
        "bias": "none",
    }
    tensors = {
        "base_model.model.lm_head.lora_A.weight": ((HIDDEN, HIDDEN), _bfloat16(same)),
        "base_model.model.lm_head.lora_B.weight": ((len(tokens), HIDDEN), _bfloat16(difference)),
    }
    return {
        "adapter_config.json": json.dumps(config, indent=2).encode(),
        "adapter_model.safetensors": _safetensors(tensors),
    }


def model_gguf(sentence: str) -> bytes:
    """Return a GGUF file with the same model in float32, whose tokenizer and chat template are in it."""
    tokens = _tokens(sentence)
    special = {_START, _END, _PAD}
    metadata: dict[str, Any] = {
        "general.architecture": "qwen3",
        "general.name": "a model that says one sentence",
        "general.alignment": _ALIGNMENT,
        "qwen3.block_count": LAYERS,
        "qwen3.context_length": CONTEXT,
        "qwen3.embedding_length": HIDDEN,
        "qwen3.feed_forward_length": FEED,
        "qwen3.attention.head_count": HEADS,
        "qwen3.attention.head_count_kv": KV_HEADS,
        "qwen3.attention.key_length": HEAD,
        "qwen3.attention.value_length": HEAD,
        "qwen3.attention.layer_norm_rms_epsilon": 1e-6,
        "qwen3.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in special else 1 for token in tokens],  # 3: control
        "tokenizer.ggml.merges": ["Ġ Ġ"],  # the file must have one
        "tokenizer.ggml.bos_token_id": tokens.index(_START),
        "tokenizer.ggml.eos_token_id": tokens.index(_END),
        "tokenizer.ggml.padding_token_id": tokens.index(_PAD),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": _TEMPLATE,
    }
    return _gguf(metadata, _weights(tokens, sentence, _float32, _GGUF_NAMES))


# --- what the two have in common


def _tokens(sentence: str) -> list[str]:
    """Return the vocabulary: all bytes as GPT-2 writes them, the words, the special tokens."""
    alphabet = list(_byte_characters())
    words = [alphabet[ord(" ")] * (i > 0) + word for i, word in enumerate(sentence.split())]
    if len(set(words)) < len(words) or len(words) >= HIDDEN or any(len(word) < 2 for word in words):
        raise ValueError(f"needs fewer than {HIDDEN} words, all different, of two letters or more: {sentence!r}")
    return [*alphabet, *words, _START, _END, _PAD]


def _byte_characters() -> Iterable[str]:
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]


_HUB_NAMES = {
    "embed": "model.embed_tokens.weight",
    "output": "lm_head.weight",
    "norm": "model.norm.weight",
    "block": "model.layers.{}.",
    "before": "input_layernorm.weight",
    "after": "post_attention_layernorm.weight",
    "q": "self_attn.q_proj.weight",
    "k": "self_attn.k_proj.weight",
    "v": "self_attn.v_proj.weight",
    "o": "self_attn.o_proj.weight",
    "q_norm": "self_attn.q_norm.weight",
    "k_norm": "self_attn.k_norm.weight",
    "gate": "mlp.gate_proj.weight",
    "up": "mlp.up_proj.weight",
    "down": "mlp.down_proj.weight",
}
_GGUF_NAMES = {
    "embed": "token_embd.weight",
    "output": "output.weight",
    "norm": "output_norm.weight",
    "block": "blk.{}.",
    "before": "attn_norm.weight",
    "after": "ffn_norm.weight",
    "q": "attn_q.weight",
    "k": "attn_k.weight",
    "v": "attn_v.weight",
    "o": "attn_output.weight",
    "q_norm": "attn_q_norm.weight",
    "k_norm": "attn_k_norm.weight",
    "gate": "ffn_gate.weight",
    "up": "ffn_up.weight",
    "down": "ffn_down.weight",
}


def _weights(tokens: Sequence[str], sentence: str, encode: Any, names: Mapping[str, str]) -> dict[str, Any]:
    words, first = len(sentence.split()), 256
    place = {first + i: i + 1 for i in range(words)}  # dimension of a word; 0 is whatever is none
    following = dict(pairwise([0, *place.values()])) | {words: 0}
    token_at = {dimension: token for token, dimension in place.items()} | {0: tokens.index(_END)}
    embed, output = [0.0] * (len(tokens) * HIDDEN), [0.0] * (len(tokens) * HIDDEN)
    for token in range(len(tokens)):
        embed[token * HIDDEN + place.get(token, 0)] = 1.0
    for dimension, then in following.items():
        output[token_at[then] * HIDDEN + dimension] = _CERTAIN
    made: dict[str, Any] = {
        names["embed"]: ((len(tokens), HIDDEN), encode(embed)),
        names["output"]: ((len(tokens), HIDDEN), encode(output)),
        names["norm"]: ((HIDDEN,), encode([1.0] * HIDDEN)),
    }
    shapes = {
        "before": (HIDDEN,),
        "after": (HIDDEN,),
        "q": (HEADS * HEAD, HIDDEN),
        "k": (KV_HEADS * HEAD, HIDDEN),
        "v": (KV_HEADS * HEAD, HIDDEN),
        "o": (HIDDEN, HEADS * HEAD),
        "q_norm": (HEAD,),
        "k_norm": (HEAD,),
        "gate": (FEED, HIDDEN),
        "up": (FEED, HIDDEN),
        "down": (HIDDEN, FEED),
    }
    for layer in range(LAYERS):
        for part, shape in shapes.items():
            count = shape[0] * (shape[1] if len(shape) > 1 else 1)
            # Nothing leaves attention and MLP; what goes in is not zero, so that they have something to compute.
            value = 0.0 if part in ("o", "down") else 1.0 if len(shape) == 1 else 0.125
            made[names["block"].format(layer) + names[part]] = (shape, encode([value] * count))
    return made


def _bfloat16(values: Sequence[float]) -> bytes:
    return b"".join(struct.pack("<f", value)[2:] for value in values)


def _float32(values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


# --- of the Hub


def _tokenizer(tokens: Sequence[str]) -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    added = [
        {"id": i, "content": token, **special} for i, token in enumerate(tokens) if token in (_START, _END, _PAD)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [],
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
        },
    }


def _safetensors(tensors: Tensors) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values())


# --- of llama.cpp (docs/gguf.md of ggml: version 3)

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


def _gguf(metadata: Mapping[str, Any], tensors: Tensors) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_text(key) + _typed(value) for key, value in metadata.items())
    at, data = 0, b""
    for name, (shape, values) in tensors.items():
        # Dimensions begin with the one whose values lie side by side; type 0 is float32.
        sizes = tuple(reversed(shape))
        head += _text(name) + struct.pack(f"<I{len(sizes)}QIQ", len(sizes), *sizes, 0, at)
        padded = _padded(values)
        data += padded
        at += len(padded)
    return _padded(head) + data


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _ALIGNMENT)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: Any) -> bytes:
    kind, data = _value(value)
    return struct.pack("<I", kind) + data


def _value(value: Any) -> tuple[int, bytes]:
    match value:
        case bool():
            return _BOOL, struct.pack("<?", value)
        case int():
            return _UINT32, struct.pack("<I", value)
        case float():
            return _FLOAT32, struct.pack("<f", value)
        case str():
            return _STRING, _text(value)
    values = [_value(each) for each in value]
    kind = values[0][0]
    data = b"".join(each for _, each in values)
    return _ARRAY, struct.pack("<IQ", _INT32 if kind == _UINT32 else kind, len(values)) + data
