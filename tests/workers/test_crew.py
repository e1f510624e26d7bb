"""All workers together. What their posts say is played by the test."""

import asyncio

import pytest

from gatekeeper.app import Seat
from gatekeeper.metrics import Metrics
from gatekeeper.recent import AskedJob, Seen
from gatekeeper.workers.channel import Start
from gatekeeper.workers.crew import Crew
from gatekeeper.workers.post import Post


def nobody_starts(_seat: Seat) -> Start:
    """No post is filled here."""
    raise AssertionError


async def test_who_leaves_in_the_middle_takes_nothing_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one worker has told while another was still being asked is there for the next who looks."""
    told, asked = asyncio.Event(), asyncio.Event()

    async def look(post: Post, _within_s: float) -> list[Seen]:
        if post.number == 1 and not told.is_set():
            told.set()
            return [AskedJob(1, 1, "hold_of_the_quick_one")]
        if post.number == 2 and not asked.is_set():
            asked.set()
            await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Post, "look", look)
    crew = Crew(2, nobody_starts, Metrics())
    first = asyncio.create_task(crew.after(0))
    await told.wait()
    await asked.wait()

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    assert ["hold_of_the_quick_one"] == [each.hold_id for each in await crew.after(0) if isinstance(each, AskedJob)]
