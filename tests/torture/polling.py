"""Waiting for something that another process does, for a bounded time."""

import asyncio
from collections.abc import Callable

MOMENT_S = 6.0
"""How long a moment is waited for; all of them come many times a second while there is work."""
POLL_S = 0.001


async def until(done: Callable[[], bool], most_s: float = MOMENT_S) -> bool:
    """Whether it came true within this time."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + most_s
    while not done() and loop.time() < end_s:  # noqa: ASYNC110 - there is nobody in this process to set an event
        await asyncio.sleep(POLL_S)
    return done()
