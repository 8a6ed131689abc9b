# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that answers like an engine, or in one of the ways in which an answer can be wrong.

Its answers follow vLLM 0.33.0's protocol classes (entrypoints/openai, entrypoints/pooling) and TEI's /rerank.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Engine:
    """What it was asked, and how it answers."""

    def __init__(self, fault: str) -> None:
        self.fault, self.url = fault, ""
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        if self.fault == "starting" and len(self.asked) < 3:
            return 503, "text/plain", b"no healthy upstream"
        if self.fault == "refused":
            return 401, "application/json", b'{"error": "Unauthorized"}'
        if self.fault.startswith("echo"):
            said = f"Incorrect API key provided: {self.asked[-1][1]['Authorization']}"
            if self.fault == "echo in a stream":
                return 200, "text/event-stream", f"data: {json.dumps({'error': {'message': said}})}\n\n".encode()
            status = 200 if self.fault == "echo as an answer" else 401
            return status, "application/json", json.dumps({"error": {"message": said}}).encode()
        if self.fault == "login":
            return 302, "text/html", b""
        said = {} if b"form-data" in body[:200] else json.loads(body)
        if path.endswith("/completions"):
            return self._generate(said)
        answer: Any
        if path.endswith("/embeddings"):
            value = float("nan") if self.fault == "nan" else 0.0 if self.fault == "zero" else 0.5
            answer = {"data": [{"index": at, "embedding": [value] * 4} for at in range(len(said["input"]))]}
        elif path.endswith("/rerank") and self.fault == "classifier":
            return 424, "application/json", b'{"error": "model is not a re-ranker model"}'
        elif path.endswith("/rerank"):
            documents = said.get("documents") or said["texts"]
            good = ["France" in text for text in documents]
            scores = [float(is_good is (self.fault != "random")) for is_good in good]
            rows = [{"index": at, "relevance_score": score, "score": score} for at, score in enumerate(scores)]
            answer = rows if "texts" in said else {"results": rows}
        elif path.endswith("/predict"):
            answer = [{"score": 0.9, "label": "POSITIVE"}, {"score": 0.1, "label": "NEGATIVE"}]
        elif path.endswith("/transcriptions"):
            answer = {"text": ""}
        else:
            return 404, "application/json", b'{"detail": "Not Found"}'
        return 200, "application/json", json.dumps(answer).encode()

    def _generate(self, said: dict[str, Any]) -> tuple[int, str, bytes]:
        if "tools" in said:
            call = {"function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}, "type": "function"}
            message: dict[str, Any] = {"content": None, "tool_calls": [call]}
            if self.fault == "unparsed":
                text = '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>'
                message = {"content": text, "tool_calls": []}
            answer = {"choices": [{"message": message}]}
            return 200, "application/json", json.dumps(answer).encode()
        if self.fault == "unstreamed":
            return 200, "application/json", b'{"choices": [{"message": {"content": "Hello"}}]}'
        words = [] if self.fault == "silent" else ["\x1b]0;owned\x07Hel", "lo"]
        events: list[Any] = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}]
        events += [{"choices": [{"delta": {"content": word}}]} for word in words]
        if self.fault == "broken off":
            events.append({"error": {"message": "EngineCore encountered an issue"}})
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        return 200, "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()


@contextmanager
def engine(fault: str = "") -> Iterator[Engine]:
    """Serve while the context lasts."""
    made = Engine(fault)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.path, dict(self.headers), body))
            self._send(*made.answer(self.path, body))

        def do_GET(self) -> None:
            made.asked.append((self.path, dict(self.headers), b""))
            rows = [{"id": "m", "root": f"/weights/{'c' * 40}"}]
            self._send(200, "application/json", json.dumps({"data": rows}).encode())

        def _send(self, status: int, kind: str, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            if status == 302:
                self.send_header("Location", f"{made.url}/elsewhere")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
