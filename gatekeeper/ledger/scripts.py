"""One typed coroutine per script: names to KEYS and ARGV, the reply to a record. The only caller of `lua/*.lua`. What
every request has, a hold and its end, has its two halves too: whoever has both in one place waits in between itself.

It decides nothing. A reply that a script cannot give is LedgerBroken; `INVALID` and `NO_TEAM` become their errors.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import (
    STATES,
    ending_words,
    order_words,
    pairs,
    parse_figures,
    parse_limits,
    team_arguments,
)
from gatekeeper.ledger.errors import LedgerBroken, LedgerConflict, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.holdid import hold_id_day, month_of_day
from gatekeeper.ledger.keys import TeamKeys, hold_names, once_names, settle_names
from gatekeeper.ledger.lots import REMINDER
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.records import (
    Answer,
    Attached,
    Ending,
    EntryKind,
    Extended,
    ExtendStatus,
    GrantStatus,
    Held,
    HoldOrder,
    HoldResult,
    Job,
    JobStatus,
    Marked,
    MarkStatus,
    Mismatch,
    Refusal,
    RefusalCode,
    Refused,
    Repeated,
    Settlement,
    SettleStatus,
    TooManyNames,
    Transition,
)
from gatekeeper.ledger.teamrecord import Limit, TeamRecord
from gatekeeper.ledger.windows import Windows
from gatekeeper.ledger.wire import COUNT_BYTES, WORDS_BEGIN, Reply, head_of_call, packed

HEADS_KEPT: Final = 4096
"""Beginnings of calls that are kept, of holds and of ends: those of the teams at work. Half a KB each, and soon made
again."""

REFUSALS_KEPT: Final = 1024
"""Reasons of refusals, some hundred bytes each: whoever asks again with nothing left has the same."""

HELD_PARTS: Final = 8
"""What a hold that was made is answered with, but for what a shadow let by."""

SETTLED_PARTS: Final = 8
"""What every end is answered with."""

REFUSED_PARTS: Final = 5
"""What a hold that was refused is answered with, but for the reasons."""

KEPT_COUNT: Final = b"*7"
"""The words of an end whose answer is kept: five, the answer, and for how long."""

_REFUSED: Final = {code.value: code for code in RefusalCode}
_SETTLED: Final = {status.name: status for status in SettleStatus}


@dataclass(frozen=True, slots=True)
class RetryWindows:
    """The windows sent do not hold the store's now, or are another time zone's: send those of this one."""

    now_ms: int
    timezone: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A team's figures and some scopes' counters at one instant, as balance.lua reads them."""

    at_ms: int
    seq: int
    granted: int
    charged: int
    expired: int
    held: int
    open_holds: int
    timezone: str
    limits: tuple[Limit, ...]
    counters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything of a team that its journal must confirm, at one instant."""

    bal: dict[str, str]
    use: dict[str, str]
    lots: str
    open: dict[str, str]
    grants: dict[str, str]
    due: dict[str, str]
    base: dict[str, str]
    refunds: dict[str, str]
    transfers: dict[str, str]
    months: tuple[str, ...]
    usage: dict[str, dict[str, str]]


async def put_team(client: StoreClient, record: TeamRecord, actor: str, why: str, expected_revision: int | None) -> int:
    """Run team.lua: the revision the team has now."""
    keys = TeamKeys(record.id)
    expected = "" if expected_revision is None else str(expected_revision)
    args = [expected, *team_arguments(record), actor, why]
    reply = await client.run(script("team"), [keys.team, keys.bal, keys.journal], [*args])
    match reply:
        case ["STORED" | "UNCHANGED", revision]:
            return int(revision)
        case ["CONFLICT", revision]:
            raise LedgerConflict(f"team {record.id} is at revision {revision}, not {expected_revision}; read it again")
    raise unusual("team", record.id, reply)


async def grant(
    client: StoreClient, team: str, grant_id: str, amount: int, note: str, actor: str, expires_at_ms: int | None = None
) -> GrantStatus:
    """Run grant.lua."""
    keys = TeamKeys(team)
    names = [keys.team, keys.bal, keys.grants, keys.journal, keys.due]
    expires = "" if expires_at_ms is None else expires_at_ms
    reply = await client.run(script("grant"), names, [grant_id, amount, note, actor, expires])
    match reply:
        case ["GRANTED", *_]:
            return GrantStatus.GRANTED
        case ["DUPLICATE"]:
            return GrantStatus.DUPLICATE
        case ["MISMATCH", *_]:
            return GrantStatus.MISMATCH
    raise unusual("grant", team, reply)


async def put_key(  # noqa: PLR0913  # what the script takes, each by its name
    client: StoreClient, team: str, key_id: str, before: str, after: str, *, told: str, actor: str, why: str
) -> bool | None:
    """Run key.lua: whether it changed anything; None if the record was another one by then."""
    keys = TeamKeys(team)
    names = [keys.team, keys.keys, keys.bal, keys.journal]
    reply = await client.run(script("key"), names, [key_id, before, after, told, actor, why])
    match reply:
        case ["STORED", _]:
            return True
        case ["UNCHANGED"]:
            return False
        case ["CONFLICT"]:
            return None
    raise unusual("key", team, reply)


async def hold(client: StoreClient, order: HoldOrder, windows: Windows) -> HoldResult | RetryWindows:
    """Run hold.lua."""
    return held(order, await ask_hold(client, order, windows, order_words(order)))


def ask_hold(client: StoreClient, order: HoldOrder, windows: Windows, words: bytes) -> Awaitable[list[Reply]]:
    """Send hold.lua off with the order's words; what it tells is read by `held`."""
    day, is_named = hold_id_day(order.hold_id), order.once != ""
    key, head = _hold_head(order.team, day, is_named, windows.argument, words[:COUNT_BYTES])
    return client.tell(script("hold"), key, head + words[WORDS_BEGIN:])


@lru_cache(maxsize=HEADS_KEPT)
def _hold_head(team: str, day: int, is_named: bool, windows: str, count: bytes) -> tuple[str, bytes]:
    """The first key of a hold, and all of its call before its words: the most of it, and for hours the same."""
    names = once_names(team, day) if is_named else hold_names(team, day)
    return names[0], head_of_call(script("hold").sha, names, (f"{day};{windows}",), count)


def held(order: HoldOrder, reply: list[Reply]) -> HoldResult | RetryWindows:
    """What hold.lua told about this order."""
    if isinstance(reply, list) and len(reply) >= HELD_PARTS and reply[0] == "HELD":
        _, amount, available, kept, seq, again, reaped, starts, *shadowed = reply
        return Held(
            order.hold_id, amount, available, kept, int(seq), again == "1",
            _transitions(reaped) if reaped else (), starts,
            tuple(_refusal(available, *refusal) for refusal in shadowed) if shadowed else (),
        )  # fmt: skip
    if isinstance(reply, list) and len(reply) >= REFUSED_PARTS and reply[0] == "REFUSED":
        _, free, kept, reaped, *refusals, now = reply
        available = int(free)
        decoded = tuple([_refusal(available, *refusal) for refusal in refusals])
        transitions = _transitions(reaped) if reaped else ()
        return Refused(decoded, order.amount, available, int(kept), transitions, int(now))
    match reply:
        case ["REPEAT", state, amount, charged, hold_id]:
            return Repeated(hold_id, STATES[state], int(amount), int(charged))
        case ["MISMATCH", state, hold_id]:
            return Mismatch(hold_id, STATES[state])
        case ["RETRY_WINDOWS", now, timezone]:
            return RetryWindows(int(now), timezone)
        case ["NAMES", scope, most]:
            return TooManyNames(scope, int(most))
        case ["STALE", now]:
            raise LedgerInvalid(f"hold id {order.hold_id} is too far from the store's time {now}; make a new one")
    raise unusual("hold", order.team, reply)


@lru_cache(maxsize=REFUSALS_KEPT)
def _refusal(  # noqa: PLR0913, PLR0917  # what a script tells of a check that failed
    available: int, code: str, scope: str, per: str, limit: str, used: str, kept: str, resets_at: str, fits: str
) -> Refusal:
    return Refusal(
        _REFUSED[code], scope, per, int(limit), int(used), int(kept), available,
        int(resets_at) or None, fits == "1",
    )  # fmt: skip


async def settle(client: StoreClient, team: str, ending: Ending) -> Settlement:
    """Run settle.lua."""
    return settlement(team, await ask_settle(client, team, ending, ending_words(ending)))


def ask_settle(client: StoreClient, team: str, ending: Ending, words: bytes) -> Awaitable[list[Reply]]:
    """Send settle.lua off with the ending's words, and the answer that it keeps; what it tells is read by
    `settlement`."""
    hold_id, answer = ending.hold_id, ending.answer
    day = hold_id_day(hold_id)
    if answer is None:
        key, head = _settle_head(team, day, words[:COUNT_BYTES])
        return client.tell(script("settle"), key, head + words[WORDS_BEGIN:])
    key, head, place = _kept_head(team, day)
    name, text, ttl = place + hold_id.encode(), answer.text.encode(), b"%d" % answer.ttl_ms
    call = b"%b$%d\r\n%b\r\n%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        head, len(name), name, words[WORDS_BEGIN:], len(text), text, len(ttl), ttl,
    )  # fmt: skip
    return client.tell(script("settle"), key, call)


@lru_cache(maxsize=HEADS_KEPT)
def _settle_head(team: str, day: int, count: bytes) -> tuple[str, bytes]:
    """The same of an end."""
    names = settle_names(team, day)
    return names[0], head_of_call(script("settle").sha, names, (), count)


@lru_cache(maxsize=HEADS_KEPT)
def _kept_head(team: str, day: int) -> tuple[str, bytes, bytes]:
    """The same of an end whose answer is kept, up to the answer's key, and how that key begins."""
    names, place = settle_names(team, day), TeamKeys(team).answer("")
    whole = head_of_call(script("settle").sha, (*names, place), (), KEPT_COUNT)
    return names[0], whole[: -len(packed((place,))[WORDS_BEGIN:])], place.encode()


def settlement(team: str, reply: list[Reply]) -> Settlement:
    """What settle.lua told."""
    if not isinstance(reply, list) or len(reply) != SETTLED_PARTS:
        raise unusual("settle", team, reply)
    status, charged, freed, available, kept, was, over, seq = reply
    debt = -available if available < 0 else 0
    return Settlement(_SETTLED[status], charged, freed, available, kept, debt, over == "1", STATES.get(was), int(seq))


async def mark_unknown(client: StoreClient, team: str, hold_id: str, why: str) -> Marked:
    """Run unknown.lua."""
    keys = TeamKeys(team)
    names = [keys.bal, keys.open, keys.due, keys.done_of(hold_id), keys.journal]
    reply = await client.run(script("unknown"), names, [hold_id, why])
    match reply:
        case [status, deadline, seq]:
            return Marked(MarkStatus(status.lower()), int(deadline) or None, int(seq))
    raise unusual("unknown", team, reply)


async def attach_job(client: StoreClient, team: str, hold_id: str, job: Job, answer: Answer | None = None) -> Attached:
    """Run job.lua."""
    keys = TeamKeys(team)
    names = [keys.bal, keys.open, keys.due, keys.done_of(hold_id), keys.journal, keys.jobs, *map(keys.job, job.names)]
    args: list[str | int] = [hold_id, job.text, job.ttl_ms, len(job.names), job.keep_ms]
    if answer is not None:
        names.append(keys.answer(hold_id))
        args += [answer.text, answer.ttl_ms]
    reply = await client.run(script("job"), names, args)
    match reply:
        case [status, deadline, seq]:
            return Attached(JobStatus(status.lower()), int(deadline) or None, int(seq))
    raise unusual("job", team, reply)


async def extend(client: StoreClient, team: str, hold_id: str, ttl_ms: int) -> Extended:
    """Run extend.lua."""
    keys = TeamKeys(team)
    names = [keys.bal, keys.open, keys.due, keys.done_of(hold_id), keys.journal]
    reply = await client.run(script("extend"), names, [hold_id, ttl_ms])
    match reply:
        case [status, deadline, seq]:
            return Extended(ExtendStatus(status.lower()), int(deadline) or None, int(seq))
    raise unusual("extend", team, reply)


async def expire(client: StoreClient, team: str, members: list[str]) -> tuple[Transition, ...]:
    """Run expire.lua on these members of `due`: holds, and reminders of lots."""
    keys = TeamKeys(team)
    hold_ids = [member for member in members if not member.startswith(REMINDER)]
    days = sorted({hold_id_day(hold_id) for hold_id in hold_ids})
    place = {day: 5 + i for i, day in enumerate(days)}
    args: list[str | int] = []
    for hold_id in hold_ids:
        args += [hold_id, place[hold_id_day(hold_id)]]
    for reminder in members:
        if reminder.startswith(REMINDER):
            args += [reminder, 0]
    names = [keys.bal, keys.open, keys.due, keys.journal, *map(keys.done, days)]
    names += [keys.usage(month_of_day(day)) for day in days]
    reply = await client.run(script("expire"), names, args, bulk=True)
    if reply and reply[0] == "INVALID":
        raise unusual("expire", team, reply)
    return _transitions(reply)


def _transitions(rows: list[list[str]]) -> tuple[Transition, ...]:
    return tuple(Transition(hold_id, EntryKind(kind), int(amount), int(seq)) for hold_id, kind, amount, seq in rows)


async def balance(client: StoreClient, team: str, scopes: list[str]) -> Figures:
    """Run balance.lua for these scopes."""
    keys = TeamKeys(team)
    reply = await client.run(script("balance"), [keys.team, keys.bal], [*scopes])
    match reply:
        case [now, seq, granted, charged, expired, held, holds, timezone, limits, *counters]:
            return Figures(
                int(now), int(seq), int(granted), int(charged), int(expired), int(held), int(holds),
                timezone, parse_limits(limits), tuple(counters),
            )  # fmt: skip
    raise unusual("balance", team, reply)


async def snapshot(client: StoreClient, team: str, months: Sequence[str]) -> Snapshot:
    """Run snapshot.lua, with the usage of these months."""
    keys = TeamKeys(team)
    names = [keys.bal, keys.open, keys.due, keys.grants, keys.base, keys.refunds, keys.transfers]
    reply = await client.run(script("snapshot"), [*names, *map(keys.usage, months)], [], bulk=True)
    use, open_, grants, due, base, refunds, transfers, *buckets = (pairs(part) for part in reply)
    figures = parse_figures(use.pop("figures", ""))
    use.pop("rules", None)
    use.pop("minute", None)  # a rate, not credits
    usage = {month: rows for month, rows in zip(months, buckets, strict=True) if rows}
    lots = use.pop("lots", "")
    return Snapshot(figures, use, lots, open_, grants, due, base, refunds, transfers, tuple(months), usage)


async def exported(client: StoreClient, team: str, seq: int) -> int:
    """Run exported.lua: the last entry that is noted as exported now."""
    keys = TeamKeys(team)
    match reply := await client.run(script("exported"), [keys.bal, keys.base], [seq], bulk=True):
        case ["EXPORTED", noted]:
            return int(noted)
    raise unusual("exported", team, reply)


async def trim(client: StoreClient, team: str, before: int, seq: int, state: str) -> int:
    """Run trim.lua: how many entries were cut off."""
    keys = TeamKeys(team)
    match reply := await client.run(
        script("trim"), [keys.bal, keys.base, keys.journal], [before, seq, state], bulk=True
    ):
        case ["TRIMMED", count]:
            return int(count)
        case ["MOVED", there]:
            raise LedgerConflict(f"the journal of team {team} was cut up to entry {there} by somebody else")
        case ["NOT_EXPORTED", last]:
            raise LedgerInvalid(
                f"the journal of team {team} is exported up to entry {last}, not {seq}: export it first"
            )
    raise unusual("trim", team, reply)


def unusual(name: str, team: str, reply: Reply) -> Exception:
    """The error for a reply that is no result."""
    match reply:
        case ["NO_TEAM"]:
            return LedgerNoTeam(f"the ledger knows no team {team}")
        case ["INVALID", what]:
            return LedgerInvalid(f"{name}.lua refuses its {what}")
    return LedgerBroken(f"{name}.lua gave a reply it cannot give: {reply!r}")
