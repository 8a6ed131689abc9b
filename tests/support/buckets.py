# SPDX-License-Identifier: Apache-2.0
"""A stand-in of Cloud Storage's JSON API: list, read by generation and range, rewrite, upload.

Shapes follow https://cloud.google.com/storage/docs/json_api/v1/objects; numbers are text. `tests/proof/storage`
runs the same code against a server that others wrote. Neither proves IAM, or that the live service answers so.
"""

import base64
import hashlib
import json
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "torch_dtype": "bfloat16",
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}


def safetensors(**tensors: tuple[str, list[int]]) -> bytes:
    """Return a file with these tensors, by name: dtype and shape. Its data is cut short."""
    header = {
        name: {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]} for name, (dtype, shape) in tensors.items()
    }
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    return struct.pack("<Q", len(text)) + text + b"data"


def fine_tune(**changed: bytes | None) -> dict[str, bytes]:
    """Return the files of a small fine-tune; None removes one (`_` stands for the dot)."""
    files: dict[str, bytes] = {
        "README.md": b"---\nlicense: apache-2.0\nbase_model: Qwen/Qwen3-4B\n---\n# Support\n",
        "config.json": json.dumps(CONFIG).encode(),
        "model.safetensors": safetensors(embed=("BF16", [1000, 20]), norm=("F32", [7])),
        "tokenizer.json": b"{}",
        "tokenizer_config.json": b'{"tokenizer_class": "Qwen2Tokenizer", "chat_template": "{{ messages }}"}',
    }
    for name, content in changed.items():
        path = name.replace("_", ".")
        if content is None:
            del files[path]
        else:
            files[path] = content
    return files


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = [_remainder(byte) for byte in range(256)]
"""Of Castagnoli's polynomial."""


def crc32c(content: bytes) -> str:
    """Return the checksum as the API writes it: big-endian, base64."""
    value = 0xFFFFFFFF
    for byte in content:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return base64.b64encode(struct.pack(">I", value ^ 0xFFFFFFFF)).decode()


@dataclass(frozen=True)
class Stored:
    """One object."""

    content: bytes
    generation: int
    crc32c: str

    def row(self, name: str, *, composite: bool = False) -> dict[str, str]:
        md5 = base64.b64encode(hashlib.md5(self.content, usedforsecurity=False).digest()).decode()
        told = {"name": name, "generation": str(self.generation), "size": str(len(self.content))}
        return told | {"crc32c": self.crc32c} | ({} if composite else {"md5Hash": md5})


@dataclass
class Buckets:
    """Cloud Storage with these buckets, on a free port of this machine. Use it as a context."""

    buckets: dict[str, dict[str, Stored]] = field(default_factory=dict[str, dict[str, Stored]])
    is_endless: bool = False
    """Whether each page of a listing names a next one."""
    composite: set[str] = field(default_factory=set[str])
    """Names of objects that were uploaded in parts: they have no MD5."""
    faults: list[tuple[str, int, str]] = field(default_factory=list[tuple[str, int, str]])
    """A part of an address, the status of the answers to it, and the API's message; the first match applies."""
    rewrite_calls: int = 1
    """Calls that it takes to copy an object."""
    requests: list[str] = field(default_factory=list[str])
    on_request: Any = None
    """Called with the path of each request, before it is answered."""
    url: str = ""
    _generation: int = 1_700_000_000_000_000

    def put(self, bucket: str, name: str, content: bytes) -> Stored:
        """Write an object, as a new generation."""
        self._generation += 1
        self.buckets.setdefault(bucket, {})[name] = Stored(content, self._generation, crc32c(content))
        return self.buckets[bucket][name]

    def put_all(self, bucket: str, folder: str, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            self.put(bucket, f"{folder}/{path}", content)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _RefusedError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def _handler(buckets: Buckets) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

        def _answer(self, body: bytes) -> None:
            buckets.requests.append(f"{self.command} {self.path}")
            if buckets.on_request:
                buckets.on_request(self.path)
            try:
                status, content = self._respond(body)
            except _RefusedError as refused:
                status = refused.status
                content = json.dumps({"error": {"code": status, "message": refused.message}}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _respond(self, body: bytes) -> tuple[int, bytes]:
            for part, status, message in buckets.faults:
                if part in self.path:
                    raise _RefusedError(status, message)
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            path = parts.path
            if path.startswith("/upload/"):
                bucket = path.split("/")[5]
                return 200, json.dumps(buckets.put(bucket, query["name"], body).row(query["name"])).encode()
            words = path.removeprefix("/storage/v1/b/").split("/")
            held = buckets.buckets.get(words[0])
            if held is None:
                raise _RefusedError(404, "The specified bucket does not exist.")
            if words[1:] == ["o"]:
                return 200, json.dumps(_page(buckets, held, query)).encode()
            stored = _object(held, unquote(words[2]), query)
            if len(words) > 3:
                return 200, json.dumps(_rewrite(buckets, stored, words, query)).encode()
            asked = self.headers.get("Range")
            if asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                return 206, stored.content[int(first) : int(last) + 1]
            return 200, stored.content

        def log_message(self, *_: object) -> None: ...

    return Handler


def _page(buckets: Buckets, held: dict[str, Stored], query: dict[str, str]) -> dict[str, Any]:
    names = sorted(name for name in held if name.startswith(query.get("prefix", "")))
    start, most = int(query.get("pageToken", "0")), int(query.get("maxResults", "1000"))
    rows = [held[name].row(name, composite=name in buckets.composite) for name in names[start : start + most]]
    is_more = start + most < len(names) or buckets.is_endless
    more = {"nextPageToken": str(start + most)} if is_more else {}
    return ({"items": rows} if rows else {}) | more


def _object(held: dict[str, Stored], name: str, query: dict[str, str]) -> Stored:
    stored = held.get(name)
    wanted = query.get("generation") or query.get("sourceGeneration")
    if stored is None or wanted not in {None, str(stored.generation)}:
        raise _RefusedError(404, f"No such object: {name}")
    return stored


def _rewrite(buckets: Buckets, stored: Stored, words: list[str], query: dict[str, str]) -> dict[str, Any]:
    call = int(query.get("rewriteToken", "0")) + 1
    if call < buckets.rewrite_calls:
        return {"done": False, "rewriteToken": str(call)}
    bucket, name = words[5], unquote(words[7])
    return {"done": True, "resource": buckets.put(bucket, name, stored.content).row(name)}


def names_of(requests: Iterable[str]) -> list[str]:
    """Return the objects that were read, in order."""
    return [unquote(each.split("/o/")[1].split("?")[0]) for each in requests if "alt=media" in each]
