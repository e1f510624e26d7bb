"""A calendar that a test turns: the time of the store's scripts, of its clients and of the gateway, all the same.

The scripts ask the store for the time in one line, and so does `looking.now_ms`; here both read a key that the test
has written. Everything else is as it is: a real server, the real scripts, HTTP. What the store forgets by itself (keys
with a life of their own) it forgets by its own clock.
"""

import importlib.resources
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from gatekeeper.clock import Clock, SystemClock
from gatekeeper.ledger import looking, lua
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.keys import TeamKeys

NOW = "test:now"
"""HASH: `ms`, what time it is."""

_ASKED = "local time, last = call('TIME'), at + 0"
_TOLD = """local stands = call('HGET', 'test:now', 'ms')
  local time, last = stands and {math.floor(stands / 1000), stands % 1000 * 1000} or call('TIME'), at + 0"""


class Almanac(Clock):
    """The clock of a gateway under test, which stands until it is turned."""

    def __init__(self) -> None:
        self._real = SystemClock()
        self._now = self._real.now()

    def now(self) -> datetime:
        return self._now

    def monotonic_s(self) -> float:
        return self._real.monotonic_s()

    async def turn(self, client: StoreClient, to: str) -> datetime:
        """It is this time (ISO, UTC where it says nothing else), for the store and the gateway."""
        self._now = datetime.fromisoformat(to)
        if self._now.tzinfo is None:
            self._now = self._now.replace(tzinfo=UTC)
        await client.command("HSET", NOW, "ms", int(self._now.timestamp() * 1000))
        return self._now


async def _now_ms(client: StoreClient, team_id: str) -> int:
    told = await client.command("HGET", NOW, "ms")
    if told is not None:
        return int(told)
    seconds, micros = await client.command("TIME", at=TeamKeys(team_id).bal)
    return int(seconds) * 1000 + int(micros) // 1000


class _Folder:
    """The scripts' folder, whose prelude reads the calendar."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def joinpath(self, name: str) -> "_File":
        return _File(self._real.joinpath(name))


class _File:
    def __init__(self, real: Any) -> None:
        self._real = real

    def read_text(self, encoding: str) -> str:
        text: str = self._real.read_text(encoding)
        if self._real.name == "prelude.lua":
            assert text.count(_ASKED) == 1, "the prelude asks for the time in another way now"
            text = text.replace(_ASKED, _TOLD)
        return text


@contextmanager
def turned_by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Almanac]:
    """Inside the block scripts are loaded that read the calendar; one server only, for a cluster would not have it."""
    monkeypatch.setattr(lua, "files", lambda package: _Folder(importlib.resources.files(package)))
    monkeypatch.setattr(looking, "now_ms", _now_ms)
    lua.script.cache_clear()
    try:
        yield Almanac()
    finally:
        lua.script.cache_clear()
