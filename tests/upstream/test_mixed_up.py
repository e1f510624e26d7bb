"""Many requests at once through few connections, to a provider that fails in every way it can think of.

What must hold whatever happens: nobody gets another's answer, nothing is sent twice, what says that it was never sent
never arrived, and in the end no connection is lost track of.

One thing the provider here does not do, because HTTP/1.1 has no means against it: send an answer too many just after
the next request was written.
"""

import asyncio
import random
from collections import Counter

import pytest

from gatekeeper.upstream.client import Upstream
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.messages import Delivery

REQUESTS, AT_ONCE, CONNECTIONS = 600, 40, 6


class Moody:
    """Answers with what was asked, most of the time."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.arrived = Counter()

    async def __call__(self, peer):
        while True:
            body = (await peer.request()).partition(b"\r\n\r\n")[2]
            number, _, _ = body.partition(b"|")
            self.arrived[int(number)] += 1
            text = number * self.chance.choice([1, 1, 1, 50_000])
            if await self._answered(peer, text, self.chance.randrange(14)):
                return

    async def _answered(self, peer, text, mood):
        """Returns whether that was the end of the connection."""
        counted = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(text), text)
        whole = self.chance.choice([counted, chunked])
        match mood:
            case 0:
                pass
            case 1:
                await peer.answer(whole[: self.chance.randrange(len(whole))])
            case 2:
                await peer.answer(b"HTTP/1.0 200 OK\r\n\r\n" + text)
            case 3:
                await peer.answer(whole)
                peer.writer.write_eof()
            case 4:
                peer.abort()
            case 5 if len(text) < 100:
                await peer.answer(whole + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
            case 6:
                await peer.answer(b"HTTP/1.1 100 Continue\r\n\r\n" + whole[:30])
                await asyncio.sleep(0.002)
                await peer.answer(whole[30:])
            case _:
                await peer.answer(whole)
        return mood < 5


async def one(upstream, ask, url, number, chance):
    """One request: what came back of it, and whether it says that it was sent."""
    delivery, body = Delivery(), (b"%d|" % number, b"x" * chance.choice([0, 0, 200_000]))
    try:
        async with asyncio.timeout(chance.choice([5, 5, 5, 0.003])):
            async with await upstream.send(ask(url, body=body), delivery) as answer:
                if chance.randrange(10) == 0:
                    return None, delivery.sent
                if (whole := answer.whole()) is not None:
                    return whole, delivery.sent
                return b"".join([piece async for piece in answer.chunks()]), delivery.sent
    except (UpstreamError, TimeoutError):
        return None, delivery.sent


@pytest.mark.parametrize("seed", range(2))
async def test_nobody_gets_anothers_answer(provider, ask, seed):
    """Answers go to whoever asked, requests arrive once at most, and every connection is accounted for."""
    moody, chance = Moody(seed), random.Random(seed)
    server, wrong, unsent, answered = await provider(moody), [], [], 0
    numbers = iter(range(1000, 1000 + REQUESTS))
    async with Upstream(connections_per_host=CONNECTIONS) as upstream:

        async def client():
            nonlocal answered
            for number in numbers:
                body, sent = await one(upstream, ask, server.url, number, chance)
                if body is not None:
                    answered += 1
                    if body.strip(b"%d" % number) or not body:
                        wrong.append((number, body[:20]))
                if not sent:
                    unsent.append(number)

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
        pool = upstream._pool
        counts = [(origin.count, len(origin.idle), len(origin.waiting)) for origin in pool.origins.values()]

    assert [] == wrong
    assert {1} == set(moody.arrived.values())
    assert [] == [number for number in unsent if moody.arrived[number]]
    assert answered > REQUESTS / 3
    assert all(count == idle and waiting == 0 for count, idle, waiting in counts)
