# SPDX-License-Identifier: Apache-2.0
"""A tiny OpenAI server in place of an engine: it reads the weights that are staged and answers with their digest.

No model runs. What is real is the way there: the arguments that an engine would get, the bytes of the bucket, the
routes, `/health` only once the weights are read, and requests that are finished after SIGTERM. The standard library
only: it is run by its path.
"""

import argparse
import hashlib
import json
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

MARKER = ".hubstack-complete"
WEIGHTS = (".safetensors", ".gguf")
TOKENS = 16
SLOTS = 8
"""Requests that run at once, further ones wait: so that a few clients fill it."""
SECONDS_PER_TOKEN = 0.01
CHUNK_BYTES = 1 << 20


class Model:
    """What was read."""

    def __init__(self, given: Path, names: list[str]) -> None:
        folder = given.parent if given.is_file() else given
        self.names = names
        self.commit = str(json.loads((folder / MARKER).read_text())["commit"])
        files = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS)
        if not files:
            raise FileNotFoundError(f"no weights in {folder}")
        digest = hashlib.sha256()
        for path in files:
            with path.open("rb") as stream:
                while data := stream.read(CHUNK_BYTES):
                    digest.update(data)
        self.digest = digest.hexdigest()

    def answer(self, path: str, said: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request, after the time that it takes."""
        head = {"id": "stand-in", "created": int(time.time()), "model": said["model"]}
        if path == "/v1/embeddings":
            given = said["input"] if isinstance(said["input"], list) else [said["input"]]
            values = [byte / 255 for byte in bytes.fromhex(self.digest)]
            rows = [{"object": "embedding", "index": n, "embedding": values} for n in range(len(given))]
            return head | {"object": "list", "data": rows, "commit": self.commit}
        if path == "/v1/rerank":
            words = set(said["query"].lower().split())
            scores = [len(words & set(text.lower().split())) / len(words) for text in said["documents"]]
            return head | {"results": [{"index": n, "relevance_score": score} for n, score in enumerate(scores)]}
        tokens = int(said.get("max_tokens") or said.get("max_completion_tokens") or TOKENS)
        time.sleep(tokens * SECONDS_PER_TOKEN)
        text = f"commit {self.commit}, weights sha256 {self.digest}"
        is_chat = path == "/v1/chat/completions"
        choice = {"message": {"role": "assistant", "content": text}} if is_chat else {"text": text}
        usage = {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens + 1}
        kind = "chat.completion" if is_chat else "text_completion"
        return head | {"object": kind, "choices": [{"index": 0, "finish_reason": "stop"} | choice], "usage": usage}


def as_events(answer: dict[str, Any], said: dict[str, Any]) -> bytes:
    """Return an answer as a stream of server-sent events: a word at a time, and the usage if it is asked for."""
    (choice,) = answer["choices"]
    is_chat = "message" in choice
    text = choice["message"]["content"] if is_chat else choice["text"]
    pieces = [f"{word} " for word in text.split()]
    deltas = [{"delta": {"content": piece}} if is_chat else {"text": piece} for piece in pieces]
    head = {name: value for name, value in answer.items() if name != "usage"}
    events = [json.dumps(head | {"choices": [{"index": 0} | delta]}) for delta in deltas]
    if (said.get("stream_options") or {}).get("include_usage"):
        events.append(json.dumps(head | {"choices": [], "usage": answer["usage"]}))
    return "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()


class Server(ThreadingHTTPServer):
    """Counts its requests, so that the last ones are finished."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, place: tuple[str, int], model: Model) -> None:
        super().__init__(place, Handler)
        self.model = model
        self.running = self.waiting = 0
        self.lock = threading.Lock()
        self.slots = threading.Semaphore(SLOTS)

    def drain(self, seconds: float) -> None:
        """Wait for the requests that run."""
        end = time.monotonic() + seconds
        while self.running + self.waiting and time.monotonic() < end:
            time.sleep(0.02)


class Handler(BaseHTTPRequestHandler):
    """The routes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        """Answer what is not a question to the model."""
        if self.path == "/v1/models":
            rows = [{"id": name, "object": "model"} for name in self.server.model.names]
            self._send(200, {"object": "list", "data": rows})
        elif self.path == "/metrics":
            running, waiting = self.server.running, self.server.waiting
            figures: dict[str, float] = {"num_requests_running": running, "num_requests_waiting": waiting}
            figures["kv_cache_usage_perc"] = running / SLOTS / 2
            lines = [f'vllm:{name}{{engine="0"}} {value}\n' for name, value in figures.items()]
            self._text(200, "".join(lines), "text/plain; version=0.0.4")
        elif self.path == "/health":
            self._text(200, "", "text/plain")
        else:
            self._send(404, {"error": {"message": "no such path"}})

    def do_POST(self) -> None:
        """Call a provider function."""
        self._count(waiting=1)
        with self.server.slots:
            self._count(waiting=-1, running=1)
            try:
                self._answer()
            finally:
                self._count(running=-1)

    def _count(self, waiting: int = 0, running: int = 0) -> None:
        with self.server.lock:
            self.server.waiting += waiting
            self.server.running += running

    def _answer(self) -> None:
        try:
            said: dict[str, Any] = json.loads(self._body())
            name = said["model"]
        except (ValueError, KeyError, TypeError):
            self._send(400, {"error": {"message": "the body is no JSON object with a model"}})
            return
        if self.path not in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/rerank"):
            self._send(404, {"error": {"message": "no such path"}})
        elif name not in self.server.model.names:
            self._send(404, {"error": {"message": f"The model `{name}` does not exist.", "code": 404}})
        elif said.get("stream"):
            answer = self.server.model.answer(self.path, said)
            self._text(200, as_events(answer, said).decode(), "text/event-stream")
        else:
            self._send(200, self.server.model.answer(self.path, said))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(parts)

    def _send(self, status: int, body: dict[str, Any]) -> None:
        self._text(status, json.dumps(body), "application/json")

    def _text(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


def main() -> int:
    """Serve until SIGTERM, then finish what runs."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("words", nargs="*", help="`serve` and the folder of the weights, as vLLM has it")
    parser.add_argument(
        "--model-id", "--model-path", "--model", help="folder or file of the weights, as others have it"
    )
    parser.add_argument("--host", "--hostname", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--served-model-name", "--alias", nargs="+", default=[])
    parser.add_argument("--shutdown-timeout", type=float, default=30)
    said, _ = parser.parse_known_args()
    model = Model(Path(said.model_id or said.words[-1]), said.served_model_name)
    server = Server((said.host, said.port), model)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    ended.wait()
    server.shutdown()
    server.socket.close()
    server.drain(said.shutdown_timeout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
