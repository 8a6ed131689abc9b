# SPDX-License-Identifier: Apache-2.0
"""The pages in a real browser: Debian's Chromium, headless. Skipped where it is not installed.

A page is measured from outside, in a frame of the width that is asked for: what is tested is the page as written,
with its own script and its own policy.
"""

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hubstack.plan import Plan
from hubstack.review.diff import Change
from hubstack.review.diff.money import Amount, Money, MoneyLine
from hubstack.review.diff.paths import PathChange
from hubstack.review.diff.render import html_text, report
from hubstack.review.diff.resources import Action, ResourceChange
from hubstack.review.report.page import page_text
from tests.support.facts import hub, llama, plan

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HOSTILE = '"><script>document.title="taken"</script><img src=x onerror=alert(1)>'
BARS = """
  const acted = [...page.querySelectorAll("[data-model]")].map((bar) => {
    const whole = bar.getBoundingClientRect().width;
    const share = (part) => part.getBoundingClientRect().width / whole * 100;
    return [bar.dataset.model, [...bar.children].map((part) => [share(part), +part.dataset.width])];
  });
"""
FRAME = """<!doctype html><title>waiting</title>
<iframe src="page.html" style="border: 0; width: {width}px; height: 2000px"></iframe><script>
document.querySelector("iframe").addEventListener("load", (loaded) => {{
  const page = loaded.target.contentDocument, view = loaded.target.contentWindow;
  const split = [], clipped = [];
  const texts = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {{
    const node = texts.currentNode;
    if (node.parentElement.closest("script, [hidden]")) continue;
    for (const word of node.data.matchAll(/[A-Za-z0-9.,$]{{2,24}}/g)) {{
      const range = page.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const boxes = [...range.getClientRects()].filter((box) => box.width);
      const lines = new Set(boxes.map((box) => Math.round(box.top)));
      if (lines.size > 1) split.push(word[0]);
      const box = range.getBoundingClientRect();
      const scrolls = node.parentElement.closest(".scroll, pre");
      if (box.right > view.innerWidth + 1 && !scrolls) clipped.push(word[0]);
    }}
  }}
  const broken = [...page.querySelectorAll("td:first-child:not(:has(i))")].filter((cell) => {{
    const range = page.createRange();
    range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1;
  }}).map((cell) => cell.textContent);
  const high = (row) => row.offsetHeight > 300;
  const tall = [...page.querySelectorAll("tr")].filter(high).map((row) => row.textContent);
  {act}
  const wide = page.documentElement.scrollWidth > view.innerWidth;
  document.title = JSON.stringify({{split, clipped, broken, tall, wide, acted}});
}});
</script>"""
FILTER_AND_SORT = """
  const field = page.getElementById("filter");
  field.value = "tei"; field.dispatchEvent(new view.Event("input"));
  const rows = () => [...page.querySelectorAll("table.sorts tbody tr")].filter((row) => !row.hidden)
    .map((row) => row.cells[0].textContent);
  const filtered = rows();
  field.value = ""; field.dispatchEvent(new view.Event("input"));
  const heads = [...page.querySelectorAll("table.sorts th button")];
  const last = heads.find((head) => head.textContent === "USD busy");
  last.click();
  const rising = rows();
  last.click();
  const acted = {filtered, rising, falling: rows()};
"""


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
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--window-size={width},1200",
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--log-level=0",
            "--dump-dom",
            url,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, done.stderr


def test_the_page_needs_no_other_file_and_runs_no_script_but_its_own(
    decided: Plan, served: tuple[Path, str, list[str]], tmp_path: Path
) -> None:
    folder, url, asked = served
    (folder / "page.html").write_text(page_text(decided))
    dom, log = browse(f"{url}/page.html", 1280, tmp_path / "profile")
    assert asked == ["/page.html"]
    assert "<title>acme: models, memory and money</title>" in dom, "no text of a model became a script"
    assert "CONSOLE" not in log, [line for line in log.splitlines() if "CONSOLE" in line]
    assert "&lt;script&gt;" in dom


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_bars_are_drawn_to_scale(
    width: int, decided: Plan, served: tuple[Path, str, list[str]], tmp_path: Path
) -> None:
    rows = measured(page_text(decided), width, served, tmp_path / "profile", BARS)["acted"]
    assert {key for key, _ in rows} == {model.key for model in decided.models}
    for key, pairs in rows:
        assert all(abs(drawn - meant) < 0.5 for drawn, meant in pairs), (key, pairs)
        assert abs(sum(meant for _, meant in pairs) - 100) < 0.1


def measured(
    page: str, width: int, served: tuple[Path, str, list[str]], profile: Path, act: str = "const acted = 0;"
) -> Any:
    folder, url, _ = served
    (folder / "page.html").write_text(page)
    (folder / "frame.html").write_text(FRAME.format(width=width, act=act))
    dom, log = browse(f"{url}/frame.html", 1400, profile)
    assert "CONSOLE" not in log, [line for line in log.splitlines() if "CONSOLE" in line]
    said = re.search(r"<title>(\{.*?)</title>", dom)
    assert said, dom[:300]
    return json.loads(html.unescape(said[1]))


def change_page() -> str:
    long = PathChange(
        "spec.template.spec.containers[server].args", ["--max-model-len", "8192"], ["--max-model-len"]
    )
    resource = ResourceChange(
        urn="u",
        type="kubernetes:apps/v1:Deployment",
        name="qwen3-30b-a3b-instruct-2507-deployment",
        action=Action.UPDATE,
        changes=(long,),
    )
    line = MoneyLine(
        item="qwen3-30b-a3b-instruct-2507", before=Amount(), after=Amount(busy=11_160_500), reasons=("new",)
    )
    money = Money(before=Amount(), after=Amount(busy=11_160_500), lines=(line,), unpriced=())
    replaced = ResourceChange(
        urn="v",
        type="kubernetes:batch/v1:Job",
        name="qwen3-30b-a3b-instruct-2507-loader-job",
        action=Action.REPLACE,
        because=("spec.template.spec.containers[loader].command",),
    )
    found = Change(environment="dev", before="main", after="work tree", money=money, resources=(resource, replaced))
    return html_text(found, report(found))


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["plan", "one model", "change"])
def test_no_word_is_split_or_clipped_on_a_phone_or_a_screen(
    name: str, width: int, decided: Plan, served: tuple[Path, str, list[str]], tmp_path: Path
) -> None:
    pages = {"plan": page_text(decided), "one model": page_text(decided, "qwen3-8b"), "change": change_page()}
    found = measured(pages[name], width, served, tmp_path / "profile")
    assert (found["split"], found["clipped"], found["wide"]) == ([], [], False)
    if name != "change":
        assert (found["broken"], found["tall"]) == ([], []), "a key stays on its line, a row on its screen"


def test_models_are_filtered_and_sorted(decided: Plan, served: tuple[Path, str, list[str]], tmp_path: Path) -> None:
    acted = measured(page_text(decided), 1280, served, tmp_path / "profile", FILTER_AND_SORT)["acted"]
    lines = decided.cost.by_item()
    by_cost = sorted(
        decided.models, key=lambda model: sum(line.usd_per_month_max or 0 for line in lines[model.key])
    )
    assert acted["filtered"] == ["bge-large-en-v1-5"]
    assert sorted(acted["rising"]) == sorted(model.key for model in decided.models)
    assert acted["rising"][-1] == acted["falling"][0] == by_cost[-1].key
