# SPDX-License-Identifier: Apache-2.0
"""A bad day of the Hub: the real client over real sockets, against a stand-in that misbehaves as it is told.

Not proven here: that the live Hub misbehaves so. Its headers are those of its documentation.
"""

import dataclasses
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from huggingface_hub import constants

from hubstack.files.errors import HubError
from hubstack.hub.facts import ModelFacts
from hubstack.hub.remote import JOBS, Refusal, RetryLimits, fetch_each, fetch_facts, write_lock
from hubstack.hub.remote.pace import UNANSWERED
from hubstack.inputs.models import load_request
from tests.support.hub import TOKENS, Fault, StandIn, invented_repositories
from tests.support.hub.fixtures import Told
from tests.support.hub.invented import repository

ACCESS = next(token for token, right in TOKENS.items() if right == "access")
SHARDED, OTHER = "stand-in/sharded", "stand-in/unscanned"
PROJECT = Path(__file__).resolve().parents[3]


def refused(repo_id: str, limits: RetryLimits | None = None, token: str | None = None) -> Refusal:
    answer = fetch_each([(repo_id, "main")], limits=limits, token=token)[repo_id, "main"]
    assert isinstance(answer, Refusal), "what cannot be relied on must not be locked"
    return answer


@pytest.fixture
def elsewhere() -> Iterator[StandIn]:
    """A second host, which has the same repositories."""
    with StandIn(invented_repositories()) as served:
        # Another name is another host to the client: a port alone would be enough, a name is plainer.
        served.url = served.url.replace("127.0.0.1", "localhost")
        yield served


# What passes


@pytest.mark.parametrize("route", [f"/api/models/{SHARDED}", "config.json"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(route="", status=500),
        Fault(route="", status=504),
        Fault(route="", resets=True),
        Fault(route="", cuts_body=True),
        Fault(route="", cuts_chunks=True),
        Fault(route="", truncates_json=True),
        Fault(route="", page="<html>under maintenance</html>"),
    ],
    ids=["500", "504", "reset", "cut", "cut-chunks", "half-json", "page"],
)
def test_what_passes_is_waited_for(
    hub: StandIn, hurry: RetryLimits, waits: list[float], route: str, fault: Fault
) -> None:
    whole = fetch_facts([(SHARDED, "main")])
    hub.faults.append(dataclasses.replace(fault, route=route, count=2))
    assert fetch_facts([(SHARDED, "main")], limits=hurry) == whole
    assert [1 <= waits[0] <= 2, 2 <= waits[1] <= 3, len(waits)] == [True, True, 2], "doubled, with jitter"


def test_no_two_runs_wait_the_same(hub: StandIn, hurry: RetryLimits, waits: list[float]) -> None:
    for _ in range(2):
        with hub.fault(Fault(route=SHARDED, status=500)):
            fetch_facts([(SHARDED, "main")], limits=hurry)
    assert waits[0] != waits[1]


# Limits


def test_a_limit_stops_all_questions_together_and_is_told_once(
    hub: StandIn, hurry: RetryLimits, waits: list[float]
) -> None:
    hub.faults.append(Fault(route="/api/models/", count=6, status=429, headers={"Retry-After": "40"}))
    asked = [(repo.id, "main") for repo in invented_repositories() if not (repo.is_private or repo.is_disabled)]
    told = Told()
    # The pause lasts no time here, so that one model may meet all six.
    limits = dataclasses.replace(hurry, attempts=7)
    answers = fetch_each(asked, token=ACCESS, limits=limits, listener=told)
    assert all(isinstance(answer, ModelFacts) for answer in answers.values())
    assert len(asked) > 15
    assert [wait for wait in waits if wait > 1] == pytest.approx([40]), "six refusals at once are one pause"
    assert told.pauses == [40]


def test_nobody_asks_while_the_hub_wants_a_pause(hub: StandIn) -> None:
    hub.faults.append(Fault(route=SHARDED, status=429, headers={"Retry-After": "1"}))
    asked = [(repo_id, "main") for repo_id in (SHARDED, OTHER, "stand-in/new-name", "stand-in/bnb")]
    times: list[float] = []

    class Clock(Told):
        def done(self, repo_id: str) -> None:
            times.append(time.monotonic())

    begun = time.monotonic()
    limits = RetryLimits(jobs=1, first_wait_seconds=0.01)
    assert all(isinstance(a, ModelFacts) for a in fetch_each(asked, limits=limits, listener=Clock()).values())
    assert min(times) - begun >= 1, "the pause is really kept, here and by those that come after"


def test_a_quota_that_is_used_up_is_waited_for_before_the_hub_refuses(
    hub: StandIn, hurry: RetryLimits, waits: list[float]
) -> None:
    used_up = {"RateLimit": '"api";r=0;t=20', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    hub.faults.append(Fault(route=f"/api/models/{SHARDED}", headers=used_up))
    fetch_facts([(SHARDED, "main")], limits=hurry)
    assert waits[0] == 21
    assert len(hub.requests) == 2, "none was refused"


def test_a_wait_of_more_than_a_window_ends_the_run_and_keeps_what_is_answered(
    hub: StandIn, hurry: RetryLimits, waits: list[float]
) -> None:
    hub.faults.append(Fault(route=OTHER, count=99, status=429, headers={"Retry-After": "3600"}))
    asked = [(SHARDED, "main"), (OTHER, "main"), ("stand-in/bnb", "main"), ("stand-in/gptq", "main")]
    answers = list(fetch_each(asked, limits=dataclasses.replace(hurry, jobs=1)).values())
    assert isinstance(answers[0], ModelFacts)
    assert "rate limit still applied" in answers[1].message  # type: ignore[union-attr]
    assert all("asked to wait 3600 s" in answer.message for answer in answers[2:])  # type: ignore[union-attr]
    assert waits == []
    assert len(hub.asked("/api/")) == 2, "the rest is not even asked"


@pytest.mark.parametrize("after", ["soon", "-5", "Wed, 99 Nov 2026", "1e9", "9" * 400])
def test_a_retry_after_that_is_no_wait_does_no_harm(hub: StandIn, hurry: RetryLimits, after: str) -> None:
    hub.faults.append(Fault(route=SHARDED, status=429, headers={"Retry-After": after}))
    answer = fetch_each([(SHARDED, "main")], limits=hurry)[SHARDED, "main"]
    assert isinstance(answer, ModelFacts) or "rate limit still applied" in answer.message


# Deadlines


@pytest.mark.parametrize("route", [f"/api/models/{SHARDED}", "config.json"])
def test_an_answer_that_drips_is_cut_off_at_the_models_deadline(hub: StandIn, route: str) -> None:
    hub.faults.append(Fault(route=route, count=99, drip_seconds=0.2))
    begun = time.monotonic()
    answers = fetch_each([(SHARDED, "main"), (OTHER, "main")], limits=RetryLimits(model_seconds=1, jobs=1))
    assert "no complete response" in answers[SHARDED, "main"].message  # type: ignore[union-attr]
    assert time.monotonic() - begun < 8, "a byte now and then must not hold a run"
    assert isinstance(answers[OTHER, "main"], ModelFacts) is (route == f"/api/models/{SHARDED}")


def test_a_pause_that_the_hub_asks_for_is_not_of_the_models_time(hub: StandIn) -> None:
    hub.faults.append(Fault(route=SHARDED, status=429, headers={"Retry-After": "2"}))
    limits = RetryLimits(model_seconds=1.5, first_wait_seconds=0.01)
    assert isinstance(fetch_each([(SHARDED, "main")], limits=limits)[SHARDED, "main"], ModelFacts)


def test_a_run_begins_no_model_after_its_time(hub: StandIn) -> None:
    answers = fetch_each([(SHARDED, "main")], limits=RetryLimits(run_seconds=-1))
    assert "the time limit for one run" in answers[SHARDED, "main"].message  # type: ignore[union-attr]
    assert hub.requests == []


def test_a_hub_that_is_away_is_not_asked_a_thousand_times(hub: StandIn, hurry: RetryLimits) -> None:
    hub.faults.append(Fault(route="/api/models/", count=10_000, status=503))
    asked = [(f"stand-in/model-{number}", "main") for number in range(100)]
    answers = fetch_each(asked, limits=hurry)
    # The workers of the first two that are given up begin another model each; with the third nothing more is asked.
    assert len(hub.requests) <= (JOBS + UNANSWERED - 1) * hurry.attempts
    last = answers[asked[-1]]
    assert isinstance(last, Refusal)
    assert last.message == "was not fetched: 3 models in a row got no response"


# No way to the Hub


def test_a_host_that_takes_no_connection_is_one_line(
    hub: StandIn, hurry: RetryLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as one, socket.socket() as two:
        for waiting in (one, two):  # they fill the queue, and the next is left without an answer
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{full.getsockname()[1]}")
        text = refused(SHARDED, dataclasses.replace(hurry, silence_seconds=0.3)).render()
    assert "got no response" in text
    assert "in time" in text


def test_a_name_without_an_address_is_named(
    hub: StandIn, hurry: RetryLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    found = refused(SHARDED, hurry)
    assert found.message == "cannot be fetched: http://hub.invalid has no DNS address"
    assert "HF_ENDPOINT" in (found.hint or "")


def test_a_certificate_that_is_not_trusted_is_refused_at_once(
    hub: StandIn, hurry: RetryLimits, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with StandIn(invented_repositories(), tls=context) as unknown:
        monkeypatch.setenv("HF_ENDPOINT", unknown.url)
        found = refused(SHARDED, hurry, ACCESS)
    assert "is not trusted" in found.message
    assert "SSL_CERT_FILE" in (found.hint or "")
    assert (waits, unknown.requests) == ([], []), "it would be the same again, and nothing was sent"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_renamed_repository_is_followed_within_the_hub(hub: StandIn, status: int) -> None:
    hub.faults.append(
        Fault(route="old-name", status=status, headers={"Location": "/api/models/stand-in/new-name?blobs=true"})
    )
    assert fetch_facts([("stand-in/old-name", "main")])[0].id == "stand-in/new-name"


def test_what_the_hub_says_of_a_model_is_taken_from_no_other_host(hub: StandIn, elsewhere: StandIn) -> None:
    hub.faults.append(Fault(route=f"/api/models/{SHARDED}", count=99, redirects_to=elsewhere.url))
    found = refused(SHARDED, token=ACCESS)
    assert "is redirected to localhost" in found.message
    assert elsewhere.requests == []


def test_a_file_may_lie_elsewhere_and_the_token_does_not_go_there(hub: StandIn, elsewhere: StandIn) -> None:
    whole = fetch_facts([(SHARDED, "main")], token=ACCESS)
    hub.faults.append(Fault(route="config.json", count=99, redirects_to=elsewhere.url))
    assert fetch_facts([(SHARDED, "main")], token=ACCESS) == whole
    assert [asked.has_token for asked in elsewhere.requests] == [False]
    assert all(asked.has_token for asked in hub.requests), "the Hub itself gets it"


def test_a_file_from_elsewhere_is_held_against_the_hubs_list(
    hub: StandIn, elsewhere: StandIn, hurry: RetryLimits
) -> None:
    hub.faults.append(Fault(route="config.json", count=99, redirects_to=elsewhere.url))
    elsewhere.repositories[SHARDED] = repository("sharded", {"config.json": {"model_type": "another"}})
    elsewhere.repositories[SHARDED].commits = {
        sha: next(iter(elsewhere.repositories[SHARDED].commits.values()))
        for sha in hub.repositories[SHARDED].commits
    }
    assert "where 293 are listed" in refused(SHARDED, hurry).message


def test_a_circle_of_redirects_is_left(hub: StandIn) -> None:
    hub.faults.append(Fault(route=SHARDED, count=99, redirects_to=hub.url))
    assert "redirected more than 5 times" in refused(SHARDED).message
    assert len(hub.requests) == 6


def test_no_file_is_fetched_over_plain_http_where_the_hub_has_tls(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with StandIn(invented_repositories(), tls=context) as safe:
        monkeypatch.setenv("HF_ENDPOINT", safe.url)
        assert fetch_facts([(SHARDED, "main")])[0].id == SHARDED
        safe.faults.append(Fault(route="config.json", redirects_to=hub.url))
        assert "over plain http" in refused(SHARDED).message
    assert hub.requests == []


# Answers that disagree


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"model-00001-of-00002.safetensors": {"size": 7}}, "with two sizes, 7 and 136"),
        ({"tokenizer.json": {"size": -1}}, "with an invalid size"),
        ({"tokenizer.json": {"size": "18"}}, "with an invalid size"),
        ({"README.md": {"rfilename": "tokenizer.json"}}, "lists `tokenizer.json` twice"),
        ({"config.json": {"size": 7}}, "has a config.json of 293 bytes, where 7 are listed, several times"),
        ({"config.json": {"blobId": "0" * 40}}, "bytes do not match the listing"),
    ],
)
def test_sizes_and_hashes_that_disagree_are_refused(
    hub: StandIn, hurry: RetryLimits, row: dict[str, dict[str, object]], message: str
) -> None:
    hub.faults.append(Fault(route=f"/api/models/{SHARDED}", count=99, lists=row))
    assert message in refused(SHARDED, hurry).message


def test_a_web_page_in_the_hubs_place_is_named(hub: StandIn, hurry: RetryLimits) -> None:
    hub.faults.append(Fault(route="/api/", count=99, page="<html>sign in</html>"))
    found = refused(SHARDED, hurry)
    assert "a web page instead of the Hub's data" in found.message
    assert "proxy" in (found.hint or "")


def test_an_answer_without_an_end_is_left(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubstack.hub.remote.client.MAX_INFO_BYTES", 1000)
    assert "more than 1,000 bytes" in refused(SHARDED).message


# Many at once


def test_one_refusal_stops_no_other_model_and_jobs_are_a_bound(hub: StandIn) -> None:
    many = [repository(f"model-{number}") for number in range(40)]
    hub.repositories |= {repo.id: repo for repo in many}
    hub.faults += [
        Fault(route="model-0$", count=99, status=404),
        Fault(route="/api/", count=10_000, stall_seconds=0.05),
    ]
    asked = [(repo.id, "main") for repo in many]
    answers = fetch_each(asked, limits=RetryLimits(jobs=4))
    assert list(answers) == asked, "the order is that of the list"
    assert [pair for pair, answer in answers.items() if isinstance(answer, Refusal)] == asked[:1]
    assert hub.most_at_once == 4


def project_with(folder: Path, *ids: str) -> Path:
    (folder / "stacks").mkdir(parents=True)
    for name in ("Pulumi.yaml", "stacks/Pulumi.dev.yaml"):
        (folder / name).write_bytes((PROJECT / name).read_bytes())
    (folder / "stacks" / "dev.models.yaml").write_text("models:\n" + "".join(f"  - {each}\n" for each in ids))
    return folder


def start_lock(project: Path, hub: StandIn, **env: str) -> subprocess.Popen[str]:
    held = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    return subprocess.Popen(
        [sys.executable, "-m", "hubstack", "lock", "dev", "--project", str(project)],
        cwd=PROJECT,
        env={
            **held,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(project / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            **env,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, "nothing was asked in time"
        time.sleep(0.01)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_run_at_once_and_leaves_the_lock(hub: StandIn, tmp_path: Path) -> None:
    project = project_with(tmp_path / "p", SHARDED, OTHER)
    hub.faults.append(Fault(route="", count=99, stall_seconds=600))
    running = start_lock(project, hub)
    wait_for(lambda: len(hub.requests) >= 2)
    running.send_signal(signal.SIGINT)
    # Before the 30 s of silence after which a question is given up: nobody waits for what is not wanted any more.
    out, err = running.communicate(timeout=25)
    assert running.returncode == 130
    assert "Traceback" not in out + err
    assert not list((project / "stacks").glob("*.lock.yaml"))


def test_a_second_lock_at_once_is_told_and_the_first_is_not_disturbed(hub: StandIn, tmp_path: Path) -> None:
    project = project_with(tmp_path / "p", SHARDED)
    hub.faults.append(Fault(route="/api/", stall_seconds=3))
    running = start_lock(project, hub)
    wait_for(lambda: hub.requests)
    running.send_signal(signal.SIGSTOP)  # however long the second takes to start
    try:
        second = start_lock(project, hub)
        _, err = second.communicate(timeout=120)
    finally:
        running.send_signal(signal.SIGCONT)
    assert second.returncode == 2
    assert "stacks/dev.models.yaml: another hubstack process is writing its lock" in err
    assert "fuser stacks/dev.models.yaml" in err
    running.communicate(timeout=120)
    assert (project / "stacks" / "dev.models.lock.yaml").exists()


# The token


FAULTS = {
    "429": Fault(route="/api/", status=429, headers={"Retry-After": "9999"}),
    "5xx": Fault(route="/api/", status=500),
    "reset": Fault(route="/api/", resets=True),
    "cut": Fault(route="/api/", cuts_body=True),
    "cut-chunks": Fault(route="config.json", cuts_chunks=True),
    "half-json": Fault(route="/api/", truncates_json=True),
    "page": Fault(route="/api/", page="<html></html>"),
    "sizes": Fault(route="/api/", lists={"config.json": {"size": 7}}),
    "drip": Fault(route="/api/", drip_seconds=0.05),
    "stall": Fault(route="/api/", stall_seconds=3),
    "redirect": Fault(route="/api/", redirects_to="http://localhost:9"),
    "redirected-file": Fault(route="config.json", redirects_to="http://localhost:9"),
    "expired": Fault(
        route="/api/", status=401, headers={"X-Error-Message": "Invalid credentials in Authorization header"}
    ),
    "echoed": Fault(route="/api/", status=418, headers={"X-Error-Message": f"Bearer {ACCESS} is no teapot"}),
    "gated": Fault(route="config.json", status=403, headers={"X-Error-Code": "GatedRepo"}),
    "deleted": Fault(route="/api/", status=404, headers={"X-Error-Code": "RepoNotFound"}),
    "no-revision": Fault(route="/api/", status=404, headers={"X-Error-Code": "RevisionNotFound"}),
    "no-commit": Fault(route="/api/", drops_keys=("sha",)),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_no_fault_brings_the_token_out(
    hub: StandIn,
    hurry: RetryLimits,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Searched for in the error, its causes, every log line at debug, both streams, and all files."""
    monkeypatch.setenv("HF_TOKEN", ACCESS)
    caplog.set_level(logging.DEBUG)
    # These log the answers' headers as they come; what the Hub echoes is not ours to clean.
    caplog.set_level(logging.INFO, "httpcore2")
    path = tmp_path / "dev.models.yaml"
    path.write_text(f"models: [{SHARDED}, {OTHER}]\n")
    hub.faults.append(
        dataclasses.replace(
            fault, route=f"{SHARDED}.*" + fault.route if "json" in fault.route else SHARDED, count=99
        )
    )
    told = Told()
    limits = dataclasses.replace(hurry, model_seconds=1, silence_seconds=0.3, jobs=1)
    lines, error = write_lock(load_request(path, path.name), path, [], told, limits)
    assert isinstance(error, HubError), "the fault must have had an effect"
    texts = [*lines, str(error), repr(error.__context__), caplog.text, *capfd.readouterr(), *told.begun]
    folders = (tmp_path, Path(constants.HF_ASSETS_CACHE))
    texts += [each.read_text() for folder in folders for each in folder.rglob("*") if each.is_file()]
    assert len(hub.requests) >= 1
    assert hub.requests[0].has_token, "else there is nothing to leak"
    assert [text for text in texts if ACCESS in text] == []


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "file", None])
def test_it_is_said_which_token_is_sent_and_never_what_it_is(
    hub: StandIn, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    if name == "file":
        Path(constants.HF_TOKEN_PATH).write_text(ACCESS)
    elif name:
        monkeypatch.setenv(name, ACCESS)
    told = Told()
    fetch_facts([(SHARDED, "main")], listener=told)
    place = constants.HF_TOKEN_PATH if name == "file" else name
    assert told.begun == [f"1 {hub.url} {f'with the token of {place}' if place else 'without a token'}"]
    assert [asked.has_token for asked in hub.requests] == [name is not None] * 2


def test_a_token_that_may_not_be_sent_unasked_is_not(hub: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", ACCESS)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    told = Told()
    fetch_facts([(SHARDED, "main")], listener=told)
    assert told.begun == [f"1 {hub.url} without a token"]
    assert not any(asked.has_token for asked in hub.requests)
