"""How often somebody may try what is not known: by network, within bounds, and only who fails pays."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.core.rejection import Code, Rejected
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.teamrecord import KeyRecord, TeamRecord
from gatekeeper.web.auth import REMEMBER_S, Authenticator, Caller
from gatekeeper.web.knocking import A_SECOND, AT_ONCE_MAX, NETWORKS_MAX, Knocks, network_of

HERE: Any = SimpleNamespace(remote="192.0.2.1")
THERE: Any = SimpleNamespace(remote="192.0.2.2")
GOOD = "gk_good"
GOOD_ONES = tuple(f"gk_good_{number}" for number in range(AT_ONCE_MAX * 5))
KNOWN = {hashlib.sha256(key.encode()).hexdigest() for key in (GOOD, *GOOD_ONES)}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def monotonic_s(self) -> float:
        return self.at_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Store:
    """Knows the good keys, and counts what it is asked for."""

    asked: list[str] = field(default_factory=list)
    away: bool = False

    async def find(self, sha256: str) -> KeyRecord | None:
        self.asked.append(sha256)
        await asyncio.sleep(0)
        if self.away:
            raise LedgerUnavailable("away", maybe_executed=False)
        return KeyRecord(sha256=sha256, team="a", key_id="k") if sha256 in KNOWN else None

    async def team(self, name: str) -> TeamRecord:
        return TeamRecord(name)


class Door:
    """An authenticator and what is around it."""

    def __init__(self) -> None:
        self.clock, self.store = Clock(), Store()
        self._callers = Authenticator(self.store.find, self.store.team, self.clock)

    async def enter(self, key: str, sender: Any = HERE) -> Caller | Code:
        """The caller, or why not."""
        try:
            found = self._callers.caller([(b"Authorization", f"Bearer {key}".encode())], sender=sender)
            return found if isinstance(found, Caller) else await found
        except Rejected as refused:
            return refused.rejection.code

    async def guess(self, times: int, sender: Any = HERE) -> list[Caller | Code]:
        return [await self.enter(f"gk_guess_{number}", sender) for number in range(times)]


async def test_who_guesses_is_told_to_wait_and_the_store_is_left_alone() -> None:
    """After so many in a row: 429 with when to come again, and no question more."""
    door = Door()
    heard = await door.guess(AT_ONCE_MAX + 40)

    assert [Code.UNAUTHENTICATED] * AT_ONCE_MAX + [Code.RATE_LIMITED] * 40 == heard
    assert AT_ONCE_MAX == len(door.store.asked)


async def test_the_refusal_says_when_to_come_again() -> None:
    """In whole seconds."""
    door = Door()
    await door.guess(AT_ONCE_MAX)
    with pytest.raises(Rejected) as refused:
        await door._callers.caller([(b"X-Key", b"gk_more")], sender=HERE)  # type: ignore[misc]

    assert 1 == refused.value.rejection.retry_after_s
    assert refused.value.rejection.retryable


async def test_a_good_key_passes_whoever_guesses_beside_it() -> None:
    """One that was good before, from the same network: also after what was remembered of it is out of date."""
    door = Door()
    await door.enter(GOOD)
    await door.guess(AT_ONCE_MAX + 1)
    door.clock.at_s += REMEMBER_S + 0.1  # out of date, and less than what a refill would take
    await door.guess(10)

    assert isinstance(await door.enter(GOOD), Caller)


async def test_another_network_is_not_concerned() -> None:
    """A key that comes for the first time is looked up there."""
    door = Door()
    await door.guess(AT_ONCE_MAX + 1)

    assert Code.RATE_LIMITED == await door.enter(GOOD)
    assert isinstance(await door.enter(GOOD, THERE), Caller)


async def test_good_keys_take_nothing() -> None:
    """However many callers of one network come for the first time, one after the other."""
    door = Door()
    for _ in range(AT_ONCE_MAX * 2):
        door._callers._keys._known.clear()
        door._callers._pairs.clear()
        await door.enter(GOOD)

    assert 0 == len(door._callers._knocks)


async def test_good_keys_that_come_together_are_all_looked_up() -> None:
    """After a start all come for the first time at once, behind a balancer from one address."""
    door = Door()
    heard = await asyncio.gather(*map(door.enter, GOOD_ONES))

    assert {Caller} == set(map(type, heard))


async def test_guesses_that_come_together_leave_nothing_for_those_that_follow() -> None:
    """Those of one moment are looked up; whoever comes when they have failed is not."""
    door = Door()
    await asyncio.gather(*(door.enter(f"gk_{number}") for number in range(1000)))

    assert [Code.RATE_LIMITED] * 5 == await door.guess(5)


async def test_a_store_that_is_away_is_nobodys_guess() -> None:
    """Who could not be looked up has not failed."""
    door = Door()
    door.store.away = True
    for number in range(AT_ONCE_MAX * 2):
        with pytest.raises(LedgerUnavailable):
            await door.enter(f"gk_{number}")

    assert 0 == len(door._callers._knocks)


def test_tries_come_back() -> None:
    """So many each second, and never more than at the beginning."""
    clock = Clock()
    knocks = Knocks(clock)
    for _ in range(AT_ONCE_MAX):
        knocks.take("192.0.2.1")
    clock.at_s += 1
    later = [knocks.take("192.0.2.1") for _ in range(int(A_SECOND) + 1)]
    clock.at_s += 10_000
    whole = [knocks.take("192.0.2.1") for _ in range(AT_ONCE_MAX + 1)]

    assert [0, 0, 1] == later
    assert [0] * AT_ONCE_MAX + [1] == whole


def test_ever_new_addresses_take_no_memory() -> None:
    """Of IPv6 a whole network counts as one; of anything no more are remembered than there is room for."""
    knocks = Knocks(Clock())
    waits = [knocks.take(f"2001:db8:1:2:{number:x}::1") for number in range(AT_ONCE_MAX + 1)]
    one = len(knocks)
    for number in range(NETWORKS_MAX * 2):
        knocks.take(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1")

    assert [0] * AT_ONCE_MAX + [1] == waits
    assert (1, NETWORKS_MAX) == (one, len(knocks))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("", "", True),
        ("somewhere", "elsewhere", False),
    ],
)
def test_what_counts_as_one_network(one: str, other: str, same: bool) -> None:
    """What one host can have as many of as it likes is one."""
    assert same == (network_of(one) == network_of(other))
