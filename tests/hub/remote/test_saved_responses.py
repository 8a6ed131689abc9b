# SPDX-License-Identifier: Apache-2.0
"""A `lock` that was stopped is taken up by the next one."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from hubstack.hub.lock import load_lock
from hubstack.hub.remote import RetryLimits, write_lock
from hubstack.hub.remote.saved_responses import KEPT_SECONDS
from hubstack.inputs.models import load_request
from proof.hub.tiny import TINY
from tests.support.hub import StandIn
from tests.support.hub.fixtures import Told
from tests.support.hub.invented import repository

MODELS, HEARD = 6, 4
ONE_BY_ONE = RetryLimits(jobs=1)


class Stopped(Told):
    """Ends the run, as Ctrl-C does, once some models are done."""

    def done(self, repo_id: str) -> None:
        super().done(repo_id)
        if len(self.done_ids) == HEARD:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A process that a shell started in the background ignores SIGINT, and so would the runs below."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def listed(hub: StandIn, tmp_path: Path) -> Path:
    for number in range(MODELS):
        hub.repositories[f"stand-in/m{number}"] = repository(f"m{number}", {"config.json": TINY})
    path = tmp_path / "dev.models.yaml"
    path.write_text("models:\n" + "".join(f"  - stand-in/m{number}\n" for number in range(MODELS)))
    return path


def stop(listed: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_lock(load_request(listed, listed.name), listed, [], Stopped(), ONE_BY_ONE)


def again(hub: StandIn, listed: Path) -> tuple[str, list[str]]:
    """Lock; return the first line and the models that the Hub was asked for."""
    hub.requests.clear()
    lines, refused = write_lock(load_request(listed, listed.name), listed, [], None, ONE_BY_ONE)
    assert refused is None
    assert len(load_lock(listed.with_name("dev.models.lock.yaml")).models) == MODELS
    asked = {each.path.split("/api/models/")[1] for each in hub.requests if "/api/models/" in each.path}
    return lines[0], sorted(asked)


def kept() -> list[Path]:
    return [each for each in Path(constants.HF_ASSETS_CACHE).rglob("*") if each.is_file()]


def test_it_asks_for_what_was_not_answered_and_the_lock_is_the_same(hub: StandIn, listed: Path) -> None:
    stop(listed)
    locked = listed.with_name("dev.models.lock.yaml")
    assert not locked.exists()
    assert again(hub, listed) == (
        f"resuming an interrupted run, already received: {HEARD} of {MODELS} models",
        [f"stand-in/m{number}" for number in range(HEARD, MODELS)],
    )
    resumed = locked.read_bytes()
    assert kept() == []
    locked.unlink()
    assert len(again(hub, listed)[1]) == MODELS
    assert locked.read_bytes() == resumed


def half_a_line(file: Path) -> int:
    file.write_bytes(file.read_bytes()[:-20])
    return HEARD - 1


def another_figure(file: Path) -> int:
    before = file.read_text()
    file.write_text(before.replace('"hidden_size": ', '"hidden_size": 1', 1))
    assert file.read_text() != before
    return HEARD - 1


def not_text(file: Path) -> int:
    file.write_bytes(b"\xff\xfe\x00")
    return 0


def too_old(file: Path) -> int:
    then = time.time() - KEPT_SECONDS - 60
    os.utime(file, (then, then))
    return 0


def a_folder(file: Path) -> int:
    file.unlink()
    file.mkdir()
    return 0


@pytest.mark.parametrize("spoil", [half_a_line, another_figure, not_text, too_old, a_folder])
def test_what_is_damaged_or_old_is_asked_again(hub: StandIn, listed: Path, spoil: Callable[[Path], int]) -> None:
    stop(listed)
    (file,) = kept()
    taken = spoil(file)
    line, asked = again(hub, listed)
    assert len(asked) == MODELS - taken
    assert line.startswith(f"resuming an interrupted run, already received: {taken} of" if taken else "added ")


def test_a_run_that_is_stopped_twice_keeps_what_both_heard(hub: StandIn, listed: Path) -> None:
    stop(listed)
    (file,) = kept()
    half_a_line(file)
    hub.requests.clear()
    told = Stopped()
    told.done_ids = ["x"] * (HEARD - 1)  # one more, then it is stopped
    with pytest.raises(KeyboardInterrupt):
        write_lock(load_request(listed, listed.name), listed, [], told, ONE_BY_ONE)
    assert again(hub, listed)[0] == f"resuming an interrupted run, already received: {HEARD} of {MODELS} models"


def test_another_list_takes_nothing_of_it(hub: StandIn, listed: Path) -> None:
    stop(listed)
    other = listed.with_name("prod.models.yaml")
    other.write_bytes(listed.read_bytes())
    hub.requests.clear()
    lines, _ = write_lock(load_request(other, other.name), other, [], None, ONE_BY_ONE)
    assert lines[0].startswith("added ")
    assert len(kept()) == 1, "the other list's answers stay for it"


def test_a_cache_that_cannot_be_written_is_done_without(
    hub: StandIn, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    occupied = listed.with_name("occupied")
    occupied.write_text("")
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(occupied))
    stop(listed)
    assert len(again(hub, listed)[1]) == MODELS
