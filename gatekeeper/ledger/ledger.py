"""The credit ledger: what the rest of the gateway calls.

Each method that moves credits is one atomic step in the store, idempotent by the id it carries. It never guesses: an
answer is the fact the store wrote or found, a `Refused` lists every check that failed, and when the store cannot be
reached in time `LedgerUnavailable` says whether something may have been written. It does not log, does not price or
validate requests, and reads no clock: time is the store's.

A caller that is cancelled while it waits gives up the answer, not the step. Calls leave in the order in which they
were made, so a `release` after a cancelled `hold` meets whatever that hold did.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final

from gatekeeper.ledger import bounds, scripts
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import key_text, open_hold, pairs, parse_entry, parse_key, parse_team
from gatekeeper.ledger.errors import LedgerBroken, LedgerConflict, LedgerInvalid
from gatekeeper.ledger.keys import TEAMS, TeamKeys, api_key
from gatekeeper.ledger.records import (
    Balance,
    Entry,
    Expiry,
    GrantStatus,
    Held,
    HoldOrder,
    HoldResult,
    KeyRecord,
    Marked,
    OpenHold,
    Refused,
    Settlement,
    TeamRecord,
    Transition,
    VerifyReport,
)
from gatekeeper.ledger.usage import applying, limit_usage, scopes_of
from gatekeeper.ledger.verify import Replay, compare
from gatekeeper.ledger.windows import WindowCache

EXPIRE_MAX: Final = 200
"""Holds in one expire_due: keeps the store's other clients waiting for a few milliseconds at most."""
HOLDS_MAX: Final = 10_000
"""Open holds one call lists."""
JOURNAL_PAGE_MAX: Final = 1000
"""Journal entries in one page: about 300 kB."""
TIMEZONES_KNOWN_MAX: Final = 10_000
"""Teams whose time zone is remembered; a forgotten one costs its next hold a second round trip."""

_WINDOW_TRIES: Final = 3  # time zone unknown, then the window changed under us, then done
_SCAN_COUNT: Final = 500


class Ledger:
    """All of a store's teams, keys, credits and holds.

    `on_transition` is told everything that time did to a hold, with the team's id, whether a sweep or another hold
    of the team came upon it.
    """

    def __init__(self, client: StoreClient) -> None:
        self.on_transition: Callable[[str, Transition], None] = lambda _team, _transition: None
        self._client = client
        self._windows = WindowCache()
        self._timezones: dict[str, str] = {}

    async def close(self) -> None:
        """Finish what is in flight (bounded) and close the connections."""
        await self._client.close()

    # Teams and keys

    async def put_team(
        self, record: TeamRecord, *, actor: str = "", expected_revision: int | None = None
    ) -> TeamRecord:
        """Store a team; gives it back with its new revision (the same one if nothing changed).

        Counts from the next hold on, on every worker. Raises LedgerConflict if `expected_revision` is given and
        the store has another one.
        """
        bounds.check_team(record)
        bounds.check_name("actor", actor)
        await self._client.command("SADD", TEAMS, record.id)
        revision = await scripts.put_team(self._client, record, actor, expected_revision)
        self._remember_timezone(record.id, record.timezone)
        return replace(record, revision=revision)

    async def team(self, team_id: str) -> TeamRecord | None:
        """The team's record, or None."""
        bounds.check_team_id(team_id)
        stored = pairs(await self._client.command("HGETALL", TeamKeys(team_id).team))
        if not stored:
            return None
        record = parse_team(team_id, stored)
        self._remember_timezone(team_id, record.timezone)
        return record

    async def teams(self) -> AsyncIterator[str]:
        """Every team id, each at least once (read in pages; teams made meanwhile may or may not appear)."""
        cursor = "0"
        while True:
            cursor, page = await self._client.command("SSCAN", TEAMS, cursor, "COUNT", _SCAN_COUNT, bulk=True)
            for team_id in page:
                yield team_id
            if str(cursor) == "0":
                return

    async def put_key(self, key: KeyRecord) -> None:
        """Store or replace an API key's record under its SHA-256; a replaced secret stops working first.

        Raises LedgerConflict if the secret belongs to another key.
        """
        bounds.check_key(key)
        index, field = TeamKeys(key.team).keys, key.key_id
        before = await self.find_key(key.sha256)
        if before is not None and (before.team, before.key_id) != (key.team, key.key_id):
            raise LedgerConflict(f"the secret of key {key.key_id} of team {key.team} belongs to another key")
        old = await self._client.command("HGET", index, field)
        if old and old != key.sha256:
            await self._client.command("DEL", api_key(old))
        await self._client.command("HSET", index, field, key.sha256)
        await self._client.command("SET", api_key(key.sha256), key_text(key))

    async def remove_key(self, sha256: str) -> bool:
        """Forget a key; False if there was none."""
        key = await self.find_key(sha256)
        if key is None:
            return False
        await self._client.command("DEL", api_key(sha256))
        await self._client.command("HDEL", TeamKeys(key.team).keys, key.key_id)
        return True

    async def find_key(self, sha256: str) -> KeyRecord | None:
        """The key with this SHA-256 (64 lower-case hex digits), or None. Expired and revoked ones are given too."""
        bounds.check_sha256(sha256)
        text = await self._client.command("GET", api_key(sha256))
        return None if text is None else parse_key(sha256, text)

    async def keys(self, team_id: str) -> tuple[KeyRecord, ...]:
        """The team's keys, by key id."""
        bounds.check_team_id(team_id)
        index = pairs(await self._client.command("HGETALL", TeamKeys(team_id).keys))
        found = await asyncio.gather(*(self.find_key(index[key_id]) for key_id in sorted(index)))
        return tuple(key for key in found if key is not None)

    # Credits

    async def grants(self, team_id: str) -> dict[str, int]:
        """What the team was granted: micro-credits by grant id."""
        bounds.check_team_id(team_id)
        given = pairs(await self._client.command("HGETALL", TeamKeys(team_id).grants))
        return {grant_id: int(amount) for grant_id, amount in given.items()}

    async def grant(
        self,
        team_id: str,
        grant_id: str,
        amount: int,
        *,
        note: str = "",
        actor: str = "",
        expires_at_ms: int | None = None,
    ) -> GrantStatus:
        """Give credits (1 to 9e15 micro-credits), once per grant id. Raises LedgerNoTeam.

        `expires_at_ms` is refused: this ledger has no way yet to say which credits are spent first.
        """
        bounds.check_team_id(team_id)
        bounds.check_name("grant id", grant_id, required=True)
        bounds.check_amount(amount, least=1)
        bounds.check_text("note", note, bounds.REASON_CHARS_MAX)
        bounds.check_name("actor", actor)
        if expires_at_ms is not None:
            raise LedgerInvalid(f"grant {grant_id}: grants that expire are not kept; leave the expiry out")
        return await scripts.grant(self._client, team_id, grant_id, amount, note, actor)

    async def hold(self, order: HoldOrder) -> HoldResult:
        """Check everything that limits this team and keep the credits aside, all or nothing, in one step.

        Raises LedgerNoTeam, and LedgerUnavailable: then forward nothing.
        """
        bounds.check_order(order)
        windows = self._windows.latest(self._timezones.get(order.team, "UTC"))
        for _ in range(_WINDOW_TRIES):
            answer = await scripts.hold(self._client, order, windows)
            if not isinstance(answer, scripts.RetryWindows):
                if isinstance(answer, Held | Refused):
                    self._tell(order.team, answer.reaped)
                return answer
            self._remember_timezone(order.team, answer.timezone)
            windows = self._windows.at(answer.now_ms, answer.timezone)
        raise LedgerBroken(f"no calendar window of team {order.team} holds the store's time")

    async def settle(self, hold_id: str, team_id: str, amount: int, *, outcome: str = "", meta: str = "") -> Settlement:
        """Charge what was made (0 charges nothing) and free the rest of the hold.

        More than was held is charged too, and flagged `over`; so is a result that comes after time resolved the
        hold (`late`). Both are facts, and may take the team below zero.
        """
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        bounds.check_amount(amount)
        bounds.check_text("outcome", outcome, bounds.REASON_CHARS_MAX)
        bounds.check_meta(meta)
        return await scripts.settle(self._client, team_id, hold_id, amount, outcome, meta)

    async def release(self, hold_id: str, team_id: str, *, reason: str = "") -> Settlement:
        """Free the whole hold: the same as a settle of 0, with a reason for the journal."""
        return await self.settle(hold_id, team_id, 0, outcome=reason)

    async def mark_unknown(self, hold_id: str, team_id: str, *, reason: str = "") -> Marked:
        """Say that the outcome is not known; from now on the hold's grace runs, then its policy acts."""
        bounds.check_team_id(team_id)
        bounds.check_hold_id(hold_id)
        bounds.check_text("reason", reason, bounds.REASON_CHARS_MAX)
        return await scripts.mark_unknown(self._client, team_id, hold_id, reason)

    async def expire_due(self, team_id: str, max_holds: int = 100) -> Expiry:
        """Let time act on up to `max_holds` (at most 200) holds past their deadline, each by its own policy."""
        bounds.check_team_id(team_id)
        wanted = max(1, min(max_holds, EXPIRE_MAX))
        (seconds, micros), flat = await asyncio.gather(
            self._client.command("TIME", bulk=True, at=TeamKeys(team_id).due),
            self._client.command("ZRANGE", TeamKeys(team_id).due, 0, wanted, "WITHSCORES", bulk=True),
        )
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        due = [hold_id for hold_id, score in pairs(flat).items() if float(score) <= now_ms]
        if not due:
            return Expiry((), more=False)
        transitions = await scripts.expire(self._client, team_id, due[:wanted])
        self._tell(team_id, transitions)
        return Expiry(transitions, more=len(due) > wanted)

    # Looking

    async def balance(self, team_id: str, *, project: str = "", member: str = "", key_id: str = "") -> Balance:
        """The team's credits, and the use of every limit that applies to this project, member and key."""
        bounds.check_team_id(team_id)
        scopes = scopes_of(project, member, key_id)
        figures = await scripts.balance(self._client, team_id, scopes)
        windows = self._windows.at(figures.at_ms, figures.timezone)
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
            limits=tuple(limit_usage(s, limit, counters, windows) for s, limit in applying(figures.limits, scopes)),
            seq=figures.seq,
            at_ms=figures.at_ms,
        )

    async def holds(self, team_id: str, max_holds: int = 1000) -> tuple[OpenHold, ...]:
        """Up to `max_holds` of the team's open holds, oldest first."""
        bounds.check_team_id(team_id)
        keys, found, cursor = TeamKeys(team_id), dict[str, str](), "0"
        while True:
            cursor, page = await self._client.command("HSCAN", keys.open, cursor, "COUNT", _SCAN_COUNT, bulk=True)
            found |= pairs(page)
            if str(cursor) == "0" or len(found) >= min(max_holds, HOLDS_MAX):
                break
        if not found:
            return ()
        scores = await self._client.command("ZMSCORE", keys.due, *found, bulk=True)
        deadlines = (None if score is None else int(float(score)) for score in scores)
        listed = (open_hold(hold_id, text, at) for (hold_id, text), at in zip(found.items(), deadlines, strict=True))
        return tuple(sorted(listed, key=lambda hold: hold.seq)[:max_holds])

    async def journal(self, team_id: str, after: int = 0, count: int = 100) -> tuple[Entry, ...]:
        """Up to `count` (at most 1000) journal entries with a sequence above `after`, in order."""
        bounds.check_team_id(team_id)
        return await self._entries(team_id, after, "+", count)

    async def verify(self, team_id: str) -> VerifyReport:
        """Re-derive every figure of the team from its journal, against one consistent snapshot."""
        bounds.check_team_id(team_id)
        snapshot = await scripts.snapshot(self._client, team_id)
        last, read, replay = int(snapshot.bal.get("seq", "0")), 0, Replay()
        while replay.seq < last:
            page = await self._entries(team_id, replay.seq, f"{last}-0", JOURNAL_PAGE_MAX)
            if not page:
                break
            replay.add(page)
            read += len(page)
        return VerifyReport(team_id, last, read, compare(snapshot, replay))

    async def _entries(self, team_id: str, after: int, last: str, count: int) -> tuple[Entry, ...]:
        wanted = max(1, min(count, JOURNAL_PAGE_MAX))
        rows = await self._client.command(
            "XRANGE", TeamKeys(team_id).journal, f"{after + 1}-0", last, "COUNT", wanted, bulk=True
        )
        return tuple(parse_entry(entry_id, flat) for entry_id, flat in rows)

    def _tell(self, team_id: str, transitions: tuple[Transition, ...]) -> None:
        for transition in transitions:
            self.on_transition(team_id, transition)

    def _remember_timezone(self, team_id: str, timezone: str) -> None:
        if len(self._timezones) >= TIMEZONES_KNOWN_MAX:
            self._timezones.clear()
        self._timezones[team_id] = timezone
