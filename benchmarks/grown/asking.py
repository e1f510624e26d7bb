"""Asks a list of requests once each, many at a time, and keeps the answers: for what is made before a measurement."""

import asyncio
from collections.abc import Sequence
from typing import Final

from benchmarks.client import Connection
from benchmarks.client import connect as open_connection

AT_ONCE: Final = 64
WITHIN_S: Final = 600.0
"""For all of them."""
OVERLOADED: Final = 503
"""A machine that is busy with everything else: the gateway says when to come again, and has done nothing."""
DONE: Final = (200, 202)
TRIES: Final = 10
WAIT_S: Final = 1.0


async def ask_all(url: str, requests: Sequence[bytes]) -> list[bytes]:
    """The bodies of the answers, in the order of the requests. Raises RuntimeError for one that is not `DONE`."""
    answers, waiting = [b""] * len(requests), enumerate(requests)
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(_ask_some(url, waiting, answers) for _ in range(min(AT_ONCE, len(requests)))))
    return answers


async def _ask_some(url: str, waiting: "enumerate[bytes]", answers: list[bytes]) -> None:
    answered = asyncio.Event()
    connection: Connection = await open_connection(url, lambda _: answered.set(), keep=True)
    for place, request in waiting:
        for _ in range(TRIES):
            answered.clear()
            connection.body.clear()
            connection.ask(request)
            await answered.wait()
            if connection.status != OVERLOADED:
                break
            await asyncio.sleep(WAIT_S)
        answers[place] = b"".join(connection.body)
        if connection.status not in DONE:
            told = request.split(b"\r\n", 1)[0].decode()
            raise RuntimeError(f"{told}: {connection.status} {answers[place][:500]!r}")
    connection.transport.abort()
