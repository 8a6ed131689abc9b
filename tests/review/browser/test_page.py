# SPDX-License-Identifier: Apache-2.0
"""The page in a real browser: Debian's Chromium, headless. Skipped where it is not installed."""

import functools
import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubstack.plan import Plan
from hubstack.review.report.page import page_text
from tests.support.facts import hub, llama, plan

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = '"><script>document.title="taken"</script><img src=x onerror=alert(1)>'
MEASURE = """<script>
const rows = [...document.querySelectorAll('[data-model]')].map(bar => {
  const whole = bar.getBoundingClientRect().width;
  const share = part => part.getBoundingClientRect().width / whole * 100;
  const parts = [...bar.children].map(part => [share(part), +part.dataset.width]);
  return bar.dataset.model + ':' + parts.map(part => part[0].toFixed(2) + '/' + part[1].toFixed(2)).join(',');
});
const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
document.title = JSON.stringify({rows, wide, width: document.documentElement.clientWidth});
</script>"""


@pytest.fixture(scope="module")
def decided() -> Plan:
    return plan(llama(license=HOSTILE), hub("Qwen/Qwen3-8B"), hub("Qwen/Qwen3-32B"), hub("BAAI/bge-large-en-v1.5"))


@functools.cache
def needs_browser() -> None:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """A folder on a local port, and every path that the browser asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **kwargs: object) -> None:
            super().__init__(*args, directory=str(tmp_path), **kwargs)  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def browse(url: str, width: int, profile: Path) -> tuple[str, str]:
    needs_browser()
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},1200",
         f"--user-data-dir={profile}", "--enable-logging=stderr", "--log-level=0", "--dump-dom", url],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr


def test_the_page_needs_no_other_file_and_runs_no_script(
    decided: Plan, served: tuple[Path, str, list[str]], tmp_path: Path
) -> None:
    folder, url, asked = served
    (folder / "page.html").write_text(page_text(decided))
    dom, log = browse(f"{url}/page.html", 1280, tmp_path / "profile")
    assert asked == ["/page.html"]
    assert "<title>acme: models, memory and money</title>" in dom, "no text of a model became a script"
    assert "CONSOLE" not in log, [line for line in log.splitlines() if "CONSOLE" in line]
    assert "&lt;script&gt;" in dom


@pytest.mark.parametrize("width", [500, 1280])
def test_bars_are_drawn_to_scale_and_nothing_runs_over(
    width: int, decided: Plan, served: tuple[Path, str, list[str]], tmp_path: Path
) -> None:
    """Widths as the browser lays them out; the measuring script and its policy are added for this test only."""
    folder, url, _ = served
    text = page_text(decided).replace("default-src 'none'", "default-src 'unsafe-inline'")
    (folder / "page.html").write_text(text.replace("</body>", f"{MEASURE}</body>"))
    dom, _ = browse(f"{url}/page.html", width, tmp_path / "profile")
    said = re.search(r"<title>(.*?)</title>", dom)
    assert said, dom[:200]
    assert '"wide":false' in said[1]
    rows = re.findall(r'"([a-z0-9-]+):([\d./,]+)"', said[1])
    assert {key for key, _ in rows} == {model.key for model in decided.models}
    for key, parts in rows:
        pairs = [tuple(map(float, part.split("/"))) for part in parts.split(",")]
        assert all(abs(drawn - meant) < 0.5 for drawn, meant in pairs), (key, pairs)
        assert abs(sum(meant for _, meant in pairs) - 100) < 0.1
