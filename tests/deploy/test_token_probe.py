# SPDX-License-Identifier: Apache-2.0
"""The leader of several nodes is asked for a token: the script is run against a server of each kind."""

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from hubstack.deploy.manifests import multi_host
from hubstack.deploy.manifests.multi_host import leader_worker_set
from tests.support.facts import ask, hub, plan


@contextmanager
def server(answer: Callable[[int], int]) -> Iterator[int]:
    """Serve /metrics and /v1/completions; the answer to the nth question is a status, or 0: none ever."""
    told = {"metrics": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told["metrics"] += 1
            self.reply(200, f'vllm:generation_tokens_total{{x="1"}} {answer(told["metrics"])}\n'.encode())

        def do_POST(self) -> None:
            status = answer(0)
            if status:
                self.reply(status, b"{}")
            else:
                time.sleep(3)

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd.server_address[1]
    httpd.shutdown()
    httpd.server_close()


def probe(port: int, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(multi_host, "_ASK_SECONDS", 1)
    facts = hub("deepseek-ai/DeepSeek-V3")
    made = plan((facts, ask(facts.id)))
    model = made.models[0]
    model = replace(model, server=replace(model.server, port=port))
    template = leader_worker_set(made.target, model)["spec"]["leaderWorkerTemplate"]
    assert "livenessProbe" not in template["workerTemplate"]["spec"]["containers"][0]
    command = template["leaderTemplate"]["spec"]["containers"][0]["livenessProbe"]["exec"]["command"]
    done = subprocess.run([sys.executable, *command[1:]], capture_output=True, text=True, timeout=30, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda asked: 200 if asked == 0 else 7, 0),  # it answers
        (lambda asked: 0 if asked == 0 else 7, 1),  # it hangs, and nothing is made
        (lambda asked: 0 if asked == 0 else 7 + asked, 0),  # it is busy with others
        (lambda asked: 400 if asked == 0 else 7, 0),  # it refuses at once: alive
        (lambda asked: 500 if asked == 0 else 7, 1),  # its engine is gone, and nothing is made
        (lambda asked: 503 if asked == 0 else 7 + asked, 0),  # it turns one away and serves others
    ],
    ids=["answers", "hangs", "busy", "refuses", "fails", "overloaded"],
)
def test_a_leader_that_hangs_is_told_from_one_that_is_busy(
    answer: Callable[[int], int], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(answer) as port:
        assert probe(port, monkeypatch) == code
