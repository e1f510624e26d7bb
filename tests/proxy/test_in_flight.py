"""Bookings and those who wait for them: what a cancelled request leaves, and what a shutdown waits for."""

import asyncio

import pytest

from gatekeeper.proxy.gate import InFlight


class Teller:
    """A booking that asks a store: its first question stays without an answer until the store is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.told: list[str] = []
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def book(self, word: str) -> None:
        self.asked += 1
        self.is_asked.set()
        await self.may_answer.wait()
        self.told.append(word)


async def test_a_booking_ends_before_its_request_goes_on() -> None:
    """Whoever waits may tell what was booked."""
    in_flight, teller = InFlight(), Teller()
    teller.may_answer.set()

    await in_flight.book_here(teller.book, "charged")

    assert (["charged"], 0) == (teller.told, await in_flight.until_none(1))


async def test_a_cancelled_request_leaves_its_booking_to_be_done() -> None:
    """It is begun anew, tells once, and a shutdown waits for it."""
    in_flight, teller = InFlight(), Teller()
    request = asyncio.ensure_future(in_flight.book_here(teller.book, "charged"))
    await teller.is_asked.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    unbooked = await in_flight.until_none(0)
    teller.may_answer.set()

    assert (1, 0) == (unbooked, await in_flight.until_none(1))
    assert (2, ["charged"]) == (teller.asked, teller.told)


async def test_a_shutdown_waits_for_a_booking_without_a_flight() -> None:
    """As long as it may, then it says how many are left."""
    in_flight, teller = InFlight(), Teller()
    request = asyncio.ensure_future(in_flight.book_here(teller.book, "charged"))
    await teller.is_asked.wait()
    unbooked = await in_flight.until_none(0)
    teller.may_answer.set()

    assert (1, 0) == (unbooked, await in_flight.until_none(1))
    assert request.done()


async def test_what_a_booking_raises_is_its_requests() -> None:
    """Nothing is begun anew for it."""
    in_flight, asked = InFlight(), []

    async def broken() -> None:
        asked.append(1)
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        await in_flight.book_here(broken)

    assert ([1], 0) == (asked, await in_flight.until_none(1))


async def test_what_was_cut_off_counts_as_abandoned() -> None:
    """Also when its end is booked before the process ends."""
    in_flight = InFlight()
    in_flight.began()
    in_flight.cut_off()
    in_flight.ended()

    assert (0, 1) == (await in_flight.until_none(1), in_flight.abandoned)
