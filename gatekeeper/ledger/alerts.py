"""What people are told about a team's credits: who spent lately, how far limits and budgets are used, what was told
already, and what became of calling the team.

Nothing here moves a credit. `seen` is all that a hold or its end costs: one entry of a bounded set, which whoever
watches takes away. Something is told once per window over all gateways: who tells it has a lease on it, and leaves a
mark when it is told; a lease that nobody marks ends by itself, so what its owner's end cut off is told by another one,
under the same id.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, NamedTuple

import orjson

from gatekeeper.ledger import bounds, looking, scripts
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.errors import LedgerBroken, LedgerInvalid
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.limituse import applying, limit_usage, scopes_of
from gatekeeper.ledger.records import HoldContext, HoldOrder
from gatekeeper.ledger.reports import LimitUsage
from gatekeeper.ledger.teamrecord import Limit
from gatekeeper.ledger.windows import WindowCache

SEEN_MAX: Final = 10_000
"""Spenders remembered between two looks; beyond it the walk over all teams finds what was not seen."""

SCOPES_AT_ONCE: Final = 500
"""Counters in one read: a script that reads more keeps others waiting."""

DELIVERIES_KEPT: Final = 1000
"""Attempts that a team's delivery log has, about: the store cuts it where that is cheap."""

DELIVERIES_PAGE_MAX: Final = 1000
"""Attempts in one answer."""

ALERT_ID_BYTES: Final = 16
"""128 bits: no two alerts of a team ever share an id by chance."""

_PAGE: Final = 500
_DELIVERY_ID: Final = re.compile(r"[0-9]{1,16}-[0-9]{1,16}")


class Spender(NamedTuple):
    """On whose account something was held or ended."""

    team: str
    project: str = ""
    member: str = ""
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far limits and budgets are used at one instant of the store, in micro-credits; `budgets` are in the order in
    which they were asked for."""

    at_ms: int
    timezone: str
    limits: tuple[LimitUsage, ...]
    budgets: tuple[LimitUsage, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to call a team's alert address. `outcome` is `delivered`, `retried` or `failed` (for good); `status`
    0 means that there was no answer. `id` is its place in the log, given by the store."""

    at_ms: int
    alert: str
    event: str
    host: str
    status: int
    outcome: str
    reason: str = ""
    id: str = ""


class Alerts:
    """The alerts of a store's teams, and who of this process spent since somebody looked."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client
        self._windows = WindowCache()
        self._seen: set[tuple[str, str, str, str]] = set()

    def seen(self, team: str, who: HoldOrder | HoldContext | None) -> None:
        """Somebody spends: whoever watches will look. Costs no call. A hold that is ended by hand is nobody's but the
        team's."""
        seen = self._seen
        if len(seen) < SEEN_MAX:
            seen.add((team, "", "", "") if who is None else (team, who.project, who.member, who.key_id))

    def see_again(self, spender: Spender) -> None:
        """Somebody has to be looked at once more."""
        self._seen.add(spender)

    def take_seen(self) -> set[Spender]:
        """Who spent since this was asked last."""
        seen, self._seen = self._seen, set()
        return {Spender(*each) for each in seen}

    async def standing(self, team_id: str, spenders: Iterable[Spender], budgets: Sequence[Limit] = ()) -> Standing:
        """The limits that apply to these spenders, and the same figures for budgets of projects, which limit nothing:
        each a `Limit` of the scope `project:<id>`."""
        bounds.check_team_id(team_id)
        wanted = [scopes_of(each.project, each.member, each.key_id) for each in spenders] or [["team"]]
        every = dict.fromkeys([*(scope for scopes in wanted for scope in scopes), *(each.scope for each in budgets)])
        scopes, counters, figures = list(every), dict[str, str](), None
        for first in range(0, len(scopes), SCOPES_AT_ONCE):
            some = scopes[first : first + SCOPES_AT_ONCE]
            figures = await scripts.balance(self._client, team_id, some)
            counters |= dict(zip(some, figures.counters, strict=True))
        assert figures is not None, "there is always the team's own scope"
        windows = self._windows.at(figures.at_ms, figures.timezone)
        limits = dict.fromkeys(found for scopes in wanted for found in applying(figures.limits, scopes))
        return Standing(
            figures.at_ms,
            figures.timezone,
            tuple(limit_usage(scope, limit, counters, windows, figures.at_ms) for scope, limit in limits),
            tuple(limit_usage(each.scope, each, counters, windows, figures.at_ms) for each in budgets),
        )

    async def told(self, team_id: str, claims: Sequence[str]) -> frozenset[str]:
        """Which of these were told already."""
        key, found = TeamKeys(team_id).alerts, list[str]()
        for first in range(0, len(claims), _PAGE):
            some = claims[first : first + _PAGE]
            marks = await self._client.command("HMGET", key, *some)
            found += [claim for claim, mark in zip(some, marks, strict=True) if mark is not None]
        return frozenset(found)

    async def claim(self, team_id: str, claim: str, owner: str, ttl_ms: int) -> bool:
        """Whether this owner, and for `ttl_ms` nobody else, is to tell this now: it was not told, nobody is at it."""
        bounds.check_lease(owner, ttl_ms)
        keys, alert = TeamKeys(team_id), alert_id(team_id, claim)
        key = keys.alert(alert)
        _, there, mark = await asyncio.gather(
            self._client.command("SET", key, owner, "NX", "PX", ttl_ms),
            self._client.command("GET", key),
            self._client.command("HGET", keys.alerts, claim),
        )
        return there == owner and mark is None

    async def mark(self, team_id: str, claim: str, *, now_ms: int, ends_ms: int | None) -> None:
        """It is told. Forgotten some time after its window has ended, which for one without an end is never."""
        ends = "" if ends_ms is None else str(ends_ms)
        await self._client.command("HSET", TeamKeys(team_id).alerts, claim, f"{now_ms}\t{ends}")

    async def give_back(self, team_id: str, claim: str) -> None:
        """It could not be told: whoever looks next may try."""
        await self._client.command("DEL", TeamKeys(team_id).alert(alert_id(team_id, claim)))

    async def forget(self, team_id: str, before_ms: int) -> int:
        """Removes the marks of windows that ended before this instant; how many."""
        key = TeamKeys(team_id).alerts
        marks = await looking.whole_hash(self._client, key)
        ended = [claim for claim, mark in marks.items() if _ended(mark, before_ms)]
        for first in range(0, len(ended), _PAGE):
            await self._client.command("HDEL", key, *ended[first : first + _PAGE])
        return len(ended)

    async def told_since(self, team_id: str) -> dict[str, int]:
        """Everything that is marked as told, with when, for people to see."""
        bounds.check_team_id(team_id)
        marks = await looking.whole_hash(self._client, TeamKeys(team_id).alerts)
        return {claim: int(mark.partition("\t")[0]) for claim, mark in marks.items()}

    async def note(self, team_id: str, delivery: Delivery) -> None:
        """Adds an attempt to the team's delivery log."""
        stored = {"alert": delivery.alert, "event": delivery.event, "host": delivery.host, "status": delivery.status,
                  "outcome": delivery.outcome, "reason": delivery.reason, "at": delivery.at_ms}  # fmt: skip
        key = TeamKeys(team_id).deliveries
        await self._client.command("XADD", key, "MAXLEN", "~", DELIVERIES_KEPT, "*", "d", orjson.dumps(stored).decode())

    async def deliveries(self, team_id: str, count: int = 100, before: str = "") -> tuple[Delivery, ...]:
        """Up to `count` (at most 1000) attempts, the latest first; with `before`, those in the log before that id."""
        bounds.check_team_id(team_id)
        if before and not _DELIVERY_ID.fullmatch(before):
            raise LedgerInvalid(f"delivery {before[:40]!r}: use the id of one that was listed")
        key, wanted = TeamKeys(team_id).deliveries, max(1, min(count, DELIVERIES_PAGE_MAX))
        latest = f"({before}" if before else "+"
        found = await self._client.command("XREVRANGE", key, latest, "-", "COUNT", wanted, bulk=True)
        return tuple(_delivery(place, pairs(flat)) for place, flat in found)


def alert_id(team_id: str, claim: str) -> str:
    """The id of an alert: the same for whoever tells it, at every attempt."""
    return "alert_" + blake2b(f"{team_id}\t{claim}".encode(), digest_size=ALERT_ID_BYTES).hexdigest()


def _ended(mark: str, before_ms: int) -> bool:
    ends = mark.partition("\t")[2]
    return bool(ends) and int(ends) < before_ms


def _delivery(place: str, stored: dict[str, str]) -> Delivery:
    try:
        known = orjson.loads(stored["d"])
        return Delivery(
            at_ms=int(known["at"]), alert=known["alert"], event=known["event"], host=known["host"],
            status=int(known["status"]), outcome=known["outcome"], reason=known["reason"], id=place,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerBroken(f"entry {place} of a delivery log cannot be read: {error!r}") from error
