"""One timer for many limits: never early, hardly late, and none forgotten."""

import asyncio
from math import inf

import pytest

from gatekeeper.upstream.limits import CHECK_EVERY_S, Limits


class Member:
    def __init__(self, limits, limit_at=inf):
        self.limits, self.limit_at = limits, limit_at
        self.reached_at = None
        self.reached = asyncio.Event()
        limits.members.add(self)
        limits.watch(limit_at)

    def limit_reached(self):
        self.reached_at = self.limits._loop.time()
        self.reached.set()


@pytest.fixture
async def limits():
    limits = Limits(asyncio.get_running_loop())
    yield limits
    limits.stop()


async def test_each_in_its_time(limits):
    """Limits set in any order are kept, none early."""
    now = asyncio.get_running_loop().time()
    delays = [0.03, 0.01, 0.08, 0.0, 0.05, -1.0]
    members = [Member(limits, now + delay) for delay in delays]

    await asyncio.wait_for(asyncio.gather(*(member.reached.wait() for member in members)), 5)

    assert all(member.reached_at >= now + delay for member, delay in zip(members, delays, strict=True))


async def test_taken_back(limits):
    """A limit that was lifted or moved is not kept at its old time."""
    now = asyncio.get_running_loop().time()
    lifted, moved, last = Member(limits, now + 0.01), Member(limits, now + 0.01), Member(limits, now + 0.03)
    lifted.limit_at, moved.limit_at = inf, now + 60

    await asyncio.wait_for(last.reached.wait(), 5)

    assert (False, False) == (lifted.reached.is_set(), moved.reached.is_set())


async def test_one_that_leaves_another_and_sets_a_limit(limits):
    """A member may take others away and set limits of its own while limits are kept."""
    now = asyncio.get_running_loop().time()
    first, gone, later = Member(limits, now + 0.01), Member(limits, now + 1), Member(limits)

    def limit_reached():
        limits.members.discard(gone)
        later.limit_at = now + 0.02
        limits.watch(later.limit_at)

    first.limit_reached = limit_reached

    await asyncio.wait_for(later.reached.wait(), 5)

    assert not gone.reached.is_set()


async def test_looked_at_seldom(limits):
    """However many limits run out shortly after each other, all members are looked at only every now and then."""
    looks, loop = 0, asyncio.get_running_loop()

    class Counting(set):
        def __iter__(self):
            nonlocal looks
            looks += 1
            return super().__iter__()

    limits.members = Counting()
    now = loop.time()
    members = [Member(limits, now + number / 2000) for number in range(100)]

    await asyncio.wait_for(members[-1].reached.wait(), 5)

    took_s = loop.time() - now
    assert looks <= 2 * (took_s / CHECK_EVERY_S + 2)
