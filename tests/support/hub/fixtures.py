# SPDX-License-Identifier: Apache-2.0
"""A fresh stand-in of the Hub for each test, and an environment in which only it can be reached."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from hubstack.hub.remote import RetryLimits
from tests.support.hub import StandIn, invented_collections, invented_repositories, real_repositories


@pytest.fixture
def hub(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandIn]:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE", "HF_OIDC_ID_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    # The client reads these at import, so that setting the variable here would come too late.
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_ASSETS_CACHE", str(tmp_path_factory.mktemp("assets")))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    with StandIn([*real_repositories(), *invented_repositories()], invented_collections()) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def waits() -> list[float]:
    """Seconds that a fetch would have slept, one for each retry."""
    return []


@pytest.fixture
def hurry(waits: list[float]) -> RetryLimits:
    """Real patience in all but the sleeping."""

    async def sleep(seconds: float) -> None:
        if seconds:
            waits.append(seconds)

    return RetryLimits(attempts=4, sleep=sleep)


class Told:
    """Hears how a run goes."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done_ids: list[str] = []
        self.pauses: list[float] = []

    def begin(self, models: int, what: str) -> None:
        self.begun.append(f"{models} {what}")

    def done(self, repo_id: str) -> None:
        self.done_ids.append(repo_id)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
