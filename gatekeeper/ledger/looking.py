"""Reads of a team's credits that change nothing: its balance, grants and open holds, as `Ledger` gives them out.

Each is one instant of its team only where one command or script reads it; a list that is read in pages is not.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from gatekeeper.ledger import scripts
from gatekeeper.ledger.bounds import INSTANT_MAX_MS
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import open_hold, pairs, parse_ended, parse_grant, parse_team
from gatekeeper.ledger.keys import TEAMS, TeamKeys
from gatekeeper.ledger.limituse import applying, limit_usage
from gatekeeper.ledger.lots import parse_lots
from gatekeeper.ledger.reports import Balance, EndedHold, Grant, OpenHold
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.windows import WindowCache

HOLDS_MAX: Final = 10_000
"""Open holds one call lists."""

_SCAN_COUNT: Final = 500


async def scan(client: StoreClient, command: str, key: str) -> AsyncIterator[list[str]]:
    """A hash (HSCAN, field and value in turn) or a set (SSCAN) in pages. Nothing is missing that was there throughout;
    what is written meanwhile may be in or not, and something may come twice."""
    cursor = "0"
    while True:
        cursor, page = await client.command(command, key, cursor, "COUNT", _SCAN_COUNT, bulk=True)
        yield page
        if str(cursor) == "0":
            return


async def whole_hash(client: StoreClient, key: str) -> dict[str, str]:
    """A hash that may be large, read in pages."""
    found: dict[str, str] = {}
    async for page in scan(client, "HSCAN", key):
        found |= pairs(page)
    return found


async def team_ids(client: StoreClient) -> AsyncIterator[str]:
    """Every team id, each at least once; teams made meanwhile may or may not appear."""
    async for page in scan(client, "SSCAN", TEAMS):
        for team_id in page:
            yield team_id


async def in_chunks(teams: AsyncIterator[str], size: int) -> AsyncIterator[list[str]]:
    """So many at a time, the last ones fewer: what is asked about them together goes in one pipeline."""
    chunk: list[str] = []
    async for team_id in teams:
        chunk.append(team_id)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def team(client: StoreClient, team_id: str) -> TeamRecord | None:
    """The team's record as it is now."""
    stored = pairs(await client.command("HGETALL", TeamKeys(team_id).team))
    return parse_team(team_id, stored) if stored else None


async def now_ms(client: StoreClient, team_id: str) -> int:
    """The time of the node that has this team."""
    seconds, micros = await client.command("TIME", at=TeamKeys(team_id).bal)
    return int(seconds) * 1000 + int(micros) // 1000


async def due_in_ms(client: StoreClient, team_ids: Sequence[str]) -> list[int | None]:
    """For each team, how far off its next deadline is: 0 or less if it has come, None if there is none.

    All are measured by the clock of the first one's node: good enough to know when to look at a team.
    """
    keys = [TeamKeys(team_id).due for team_id in team_ids]
    now, *first = await asyncio.gather(
        now_ms(client, team_ids[0]), *(client.command("ZRANGE", key, 0, 0, "WITHSCORES", bulk=True) for key in keys)
    )
    return [int(float(flat[1])) - now if flat else None for flat in first]


async def first_due(client: StoreClient, team_id: str, count: int) -> dict[str, int]:
    """How far off, in ms, the team's first deadlines are (one more than `count`), by hold id or a lot's reminder."""
    now, flat = await asyncio.gather(
        now_ms(client, team_id),
        client.command("ZRANGE", TeamKeys(team_id).due, 0, count, "WITHSCORES", bulk=True),
    )
    return {member: int(float(score)) - now for member, score in pairs(flat).items()}


async def grants(client: StoreClient, team_id: str) -> tuple[Grant, ...]:
    """What the team was granted: what expires first, then what never does, each by id."""
    keys = TeamKeys(team_id)
    # In this order: a grant that is listed has its lot, unless that has lapsed.
    flat, text, now = await asyncio.gather(
        client.command("HGETALL", keys.grants), client.command("HGET", keys.bal, "lots"), now_ms(client, team_id)
    )
    lots = {lot.grant_id: lot for lot in parse_lots(text or "")}
    given = (parse_grant(name, stored, lots.get(name), now) for name, stored in pairs(flat).items())
    return tuple(sorted(given, key=lambda each: (each.expires_at_ms or INSTANT_MAX_MS, each.id)))


async def balance(client: StoreClient, cache: WindowCache, team_id: str, scopes: list[str]) -> Balance:
    """The team's credits, and the use of every limit that applies to these scopes."""
    figures = await scripts.balance(client, team_id, scopes)
    windows = cache.at(figures.at_ms, figures.timezone)
    counters = dict(zip(scopes, figures.counters, strict=True))
    free = figures.granted - figures.charged - figures.expired - figures.held
    return Balance(
        team=team_id,
        granted=figures.granted,
        available=max(0, free),
        held=figures.held,
        charged=figures.charged,
        expired=figures.expired,
        debt=max(0, -free),
        open_holds=figures.open_holds,
        limits=tuple(
            limit_usage(scope, limit, counters, windows, figures.at_ms)
            for scope, limit in applying(figures.limits, scopes)
        ),
        seq=figures.seq,
        at_ms=figures.at_ms,
    )


async def holds(client: StoreClient, team_id: str, max_holds: int) -> tuple[OpenHold, ...]:
    """Up to `max_holds` of the team's open holds, oldest first."""
    keys, found = TeamKeys(team_id), dict[str, str]()
    async for page in scan(client, "HSCAN", keys.open):
        found |= pairs(page)
        if len(found) >= min(max_holds, HOLDS_MAX):
            break
    if not found:
        return ()
    scores = await client.command("ZMSCORE", keys.due, *found, bulk=True)
    deadlines = (None if score is None else int(float(score)) for score in scores)
    listed = (open_hold(hold_id, text, at) for (hold_id, text), at in zip(found.items(), deadlines, strict=True))
    return tuple(sorted(listed, key=lambda each: each.seq)[:max_holds])


async def hold(client: StoreClient, team_id: str, hold_id: str) -> OpenHold | None:
    """This hold, if it is open."""
    keys = TeamKeys(team_id)
    text, score = await asyncio.gather(
        client.command("HGET", keys.open, hold_id), client.command("ZSCORE", keys.due, hold_id)
    )
    return None if text is None else open_hold(hold_id, text, None if score is None else int(float(score)))


async def ended(client: StoreClient, team_id: str, hold_id: str) -> EndedHold | None:
    """How a hold ended, or None if the store remembers none of this id that is over."""
    text = await client.command("HGET", TeamKeys(team_id).done_of(hold_id), hold_id)
    return None if text is None else parse_ended(text)
