"""Scripts with a guard taken out, on a real server, behind the ledger's own front door.

A `Bench` is a team of its own and a ledger whose scripts may be mutated, and whose arguments may be bent on their way:
past every check that Python makes.
"""

import itertools
import json
import secrets
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis

from gatekeeper.ledger import scripts
from gatekeeper.ledger.batch import Patience, Reply
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.holdid import DAY_MS, new_hold_id
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import Script
from gatekeeper.ledger.records import Held, HoldOrder, HoldResult
from gatekeeper.ledger.scripts import RetryWindows
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.windows import Window, Windows
from gatekeeper.ledger.wire import unpacked

GRANT = 100
_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Mutation:
    """A guard that is taken out: in `file`, `text` becomes `instead`. `probe` is who must notice."""

    name: str
    file: str
    text: str
    instead: str
    probe: str

    def apply(self, name: str, text: str) -> str:
        """The mutated text of the script of this name, or the same one if the guard is not in it."""
        prelude = script_text("prelude")
        if self.file == "prelude":
            return text.replace(prelude, prelude.replace(self.text, self.instead, 1), 1)
        own = text.removeprefix(prelude)
        return prelude + own.replace(self.text, self.instead, 1) if name == self.file else text


def script_text(file: str) -> str:
    """The text of one Lua file."""
    from importlib.resources import files  # noqa: PLC0415 - only here

    return files("gatekeeper.ledger.lua").joinpath(f"{file}.lua").read_text("utf-8")


class MutantClient(StoreClient):
    """Sends mutated scripts, and bends arguments: `bend` has (script, index in ARGV) -> value."""

    def __init__(self, redis: Redis, mutation: Mutation | None) -> None:
        super().__init__(redis, Patience(budget_s=5, attempts=2, wait_s=0.01))
        self.mutation = mutation
        self.bend: dict[tuple[str, int], str | int] = {}
        self.sent: dict[str, tuple[list[str], list[str | int]]] = {}
        self.codes: set[tuple[str, str]] = set()

    async def run(self, script: Script, keys: list[str], args: list[str | int], *, bulk: bool = False) -> list[Reply]:
        args = [self.bend.get((script.name, place), arg) for place, arg in enumerate(args)]
        self.sent[script.name] = (keys, args)
        reply = await super().run(self.mutant(script), keys, args, bulk=bulk)
        if reply and isinstance(reply[0], str) and reply[0].isupper():
            self.codes.add((script.name, reply[0]))
        return reply

    def tell(self, script: Script, key: str, call: bytes) -> Awaitable[list[Reply]]:
        _, _, count, *words = unpacked(call)
        return self.run(script, words[: int(count)], list[str | int](words[int(count) :]))

    def mutant(self, script: Script) -> Script:
        """The script as it is sent."""
        if self.mutation is None:
            return script
        text = self.mutation.apply(script.name, script.text)
        return Script(script.name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(eq=False)
class Bench:
    """One team with 100 micro-credits and what a probe does with it."""

    client: MutantClient
    team: str = field(default_factory=lambda: f"bench-{next(_NUMBERS)}")
    now_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    @property
    def ledger(self) -> Ledger:
        """A ledger that remembers nothing of this team."""
        return Ledger(self.client)

    @property
    def keys(self) -> TeamKeys:
        """The team's keys."""
        return TeamKeys(self.team)

    async def found(self, **changes: Any) -> None:
        """Store the team, and grant it its credits once."""
        await self.ledger.put_team(TeamRecord(self.team, **changes))
        await self.ledger.grant(self.team, "opening", GRANT)

    def id(self, age_ms: int = 0) -> str:
        """A new hold id, so old."""
        return new_hold_id(self.now_ms - age_ms, secrets.randbits(74))

    def order(self, amount: int = 10, **changes: Any) -> HoldOrder:
        """An order with boring arguments but for the changes."""
        base = HoldOrder(self.id(), self.team, amount, ttl_ms=DAY_MS, fingerprint="print")
        return replace(base, **changes)

    async def hold(self, amount: int = 10, **changes: Any) -> HoldResult:
        """Hold through the ledger."""
        return await self.ledger.hold(self.order(amount, **changes))

    async def held(self, amount: int = 10, **changes: Any) -> Held:
        """Hold, which must succeed."""
        result = await self.hold(amount, **changes)
        assert isinstance(result, Held), result
        return result

    async def in_windows(
        self, starts: Sequence[int], amount: int = 10, *, ends: int = 9 * DAY_MS, timezone: str = "UTC", **changes: Any
    ) -> HoldResult | RetryWindows:
        """Hold in windows that begin at these distances from now, and end so much later."""
        spans = [Window(self.now_ms + at, self.now_ms + ends, self.now_ms + ends + DAY_MS) for at in starts]
        return await scripts.hold(self.client, self.order(amount, **changes), Windows(timezone, *spans))

    async def settle(self, hold_id: str, amount: int, **how: Any) -> tuple[str, int]:
        """Settle; gives status and charged."""
        settlement = await self.ledger.settle(hold_id, self.team, amount, **how)
        return settlement.status.value, settlement.charged

    async def figures(self) -> tuple[int, int, int]:
        """Available less debt, held, charged."""
        balance = await self.ledger.balance(self.team)
        return balance.available - balance.debt, balance.held, balance.charged

    async def counters(self, scope: str = "team") -> str:
        """A scope's counters as 'used:held' for life, hour, day, week and month, and when the windows began."""
        *moved, starts = json.loads(await self.client.command("HGET", self.keys.bal, scope))
        return "|".join([f"{used}:{held}" for used, held in zip(moved[::2], moved[1::2], strict=True)] + [starts])

    async def kinds(self) -> list[str]:
        """The journal's entries, but for the team and its grant."""
        entries = await self.ledger.journal(self.team, count=1000)
        return [entry.kind.value for entry in entries if entry.kind.value not in {"team", "grant"}]

    async def assert_clean(self) -> None:
        """The journal confirms everything."""
        report = await self.ledger.verify(self.team)
        assert () == report.differences

    async def all(self) -> dict[str, Any]:
        """Everything stored of the team, but for the time of the last write."""
        found: dict[str, Any] = {}
        for key in (self.keys.bal, self.keys.open, self.keys.grants, self.keys.team):
            found[key] = await self.client.command("HGETALL", key)
        found["due"] = await self.client.command("ZRANGE", self.keys.due, 0, -1, "WITHSCORES")
        found["journal"] = await self.client.command("XLEN", self.keys.journal)
        return found

    async def refused_as(self, call: Any) -> str:
        """The ledger's error for this call, by name and text; empty if there was none."""
        try:
            await call
        except LedgerError as error:
            return f"{type(error).__name__}: {error}"
        return ""

    async def bent(self, script: str, place: int, value: str | int, call: Any) -> str:
        """The same, with one argument bent on its way."""
        self.client.bend = {(script, place): value}
        try:
            return await self.refused_as(call)
        finally:
            self.client.bend = {}
