"""A receiver of webhooks on this machine, and a clock that stands still unless it is moved."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gatekeeper.clock import Clock
from tests.receiver import Receiver, listening


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    async with listening() as receiver:
        yield receiver


class HandClock(Clock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic_s(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
