"""The scripts do what the state machine says, in every state and at every event."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.batch import Reply
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import parse_entry, parse_figures
from gatekeeper.ledger.holdid import DAY_MS, hold_id_day
from gatekeeper.ledger.lua import NAMES, Script
from gatekeeper.ledger.records import EntryKind
from gatekeeper.ledger.states import ROWS, TRANSITIONS, Event, State, Step
from tests.ledger.conftest import Raw
from tests.ledger.lots_scene import Clock, figures, give

NewId = Callable[..., str]
CONTEXT = "40\t3600000:0:0:0\tp\t\t\tf\tlist\t"
POLICIES = {
    State.EXPIRED: "r", State.LATE: "r", State.CHARGED: "c", State.KEPT: "k",
    Event.DEADLINE_CHARGE: "c", Event.DEADLINE_KEEP: "k",
}  # fmt: skip
LETTERS = {
    "S": State.SETTLED, "R": State.RELEASED, "X": State.EXPIRED, "C": State.CHARGED, "L": State.LATE, "V": State.VOID,
    "O": State.ORPHAN,
}  # fmt: skip


@dataclass
class Case:
    """A hold of 40 of which 25 are charged, brought into a state; its own name is its id."""

    raw: Raw
    hold_id: str
    policy: str

    async def bring_into(self, state: State) -> None:
        """Make the calls that lead there."""
        await self._name()
        match state:
            case State.NONE:
                return
            case State.VOID:
                await self.raw.settle(self.hold_id, 0, undo=1)
                return
            case State.ORPHAN:
                await self.raw.settle(self.hold_id, 25, context=CONTEXT)
                return
        await self.fire(Event.HOLD)
        if state in {State.JOB, State.JOB_UNKNOWN, State.JOB_KEPT}:
            await self.fire(Event.JOB)
        if state in {State.UNKNOWN, State.KEPT, State.JOB_UNKNOWN, State.JOB_KEPT}:
            await self.fire(Event.MARK)
        if state in {State.EXPIRED, State.CHARGED, State.LATE}:
            await self.fire(Event.DEADLINE_RELEASE)
        if state in {State.KEPT, State.JOB_KEPT, State.EXPIRED, State.CHARGED, State.LATE}:
            await self.fire(Event.DEADLINE_RELEASE)
        if state in {State.SETTLED, State.LATE}:
            await self.fire(Event.SETTLE)
        if state is State.RELEASED:
            await self.fire(Event.RELEASE)

    async def _name(self) -> None:
        """What a hold that was lost may have left: its name."""
        key = self.raw.keys.once(hold_id_day(self.hold_id))
        await self.raw.client.command("HSET", key, self.hold_id, self.hold_id)
        await self.raw.client.command("PEXPIRE", key, 2 * DAY_MS)

    async def fire(self, event: Event) -> str:
        """Let it happen; gives the answer's first word."""
        raw, hold_id = self.raw, self.hold_id
        match event:
            case Event.HOLD | Event.HOLD_OTHER:
                reply = await self._hold(hold_id, event is Event.HOLD, within=0)
            case Event.ONCE | Event.ONCE_OTHER:
                reply = await self._hold("", event is Event.ONCE, within=DAY_MS)
            case Event.SETTLE | Event.SETTLE_OTHER:
                reply = await raw.settle(hold_id, 25 if event is Event.SETTLE else 26)
            case Event.SETTLE_WITH_CONTEXT | Event.RELEASE_WITH_CONTEXT:
                reply = await raw.settle(hold_id, 25 if event is Event.SETTLE_WITH_CONTEXT else 0, context=CONTEXT)
            case Event.RELEASE | Event.UNDO:
                reply = await raw.settle(hold_id, 0, undo=int(event is Event.UNDO))
            case Event.MARK:
                reply = await raw.unknown(hold_id)
            case Event.JOB | Event.JOB_OTHER:
                reply = await raw.job(hold_id, event)
            case Event.EXTEND:
                reply = await raw.extend(hold_id)
            case _:
                reply = await self._pass_deadline()
        return str(reply[0])

    async def _hold(self, hold_id: str, same: bool, within: int) -> Reply:
        return await self.raw.hold(
            hold_id, amount=40, ttl=600_000, grace=60_000, policy=self.policy, fingerprint="f" if same else "other",
            project="p", once=self.hold_id, within=within,
        )  # fmt: skip

    async def _pass_deadline(self) -> Reply:
        await self.raw.client.command("ZADD", self.raw.keys.due, "XX", 1, self.hold_id)
        transitions = await self.raw.expire(self.hold_id)
        assert len(transitions) < 2, "with a grace, time takes one step at a time"
        return [transitions[0][1]] if transitions else [""]

    async def stored(self) -> list[Reply]:
        """Everything that is stored of this hold, and the team's figures."""
        keys, command = self.raw.keys, self.raw.client.command
        return [
            await command("HGET", keys.open, self.hold_id),
            await command("HGET", keys.done_of(self.hold_id), self.hold_id),
            await command("ZSCORE", keys.due, self.hold_id),
            await command("HGET", keys.jobs, self.hold_id),
            await command("HGET", keys.bal, "figures"),
        ]

    async def entries(self, after: int) -> list[str]:
        """The kinds of the journal entries after this one."""
        rows = await self.raw.client.command("XRANGE", self.raw.keys.journal, f"{after + 1}-0", "+")
        return [parse_entry(entry_id, flat).kind for entry_id, flat in rows]


def standing(stored: list[Reply]) -> State:
    """Where a hold stands, from what is stored of it."""
    record, done, deadline, job, _ = stored
    if record is None:
        return LETTERS[done[0]] if done else State.NONE
    is_known = record.startswith("H")
    if job is None:
        return State.HELD if is_known else State.KEPT if deadline is None else State.UNKNOWN
    return State.JOB if is_known else State.JOB_KEPT if deadline is None else State.JOB_UNKNOWN


async def nothing() -> None:
    """What happens between most states and events."""


async def happens(case: Case, state: State, event: Event, between: Callable[[], Awaitable[None]] = nothing) -> Step:
    """What the scripts make of an event in a state; that grants lapse meanwhile is told besides."""
    await case.bring_into(state)
    await between()
    before = await case.stored()
    assert state is standing(before), f"the way to {state} leads to {standing(before)}"
    reply = await case.fire(event)
    after = await case.stored()
    entries = await case.entries(int(parse_figures(before[-1])["seq"]))
    own = [kind for kind in entries if kind != EntryKind.LAPSE]
    assert len(own) < 2, f"{event} in {state} writes {entries}"
    assert entries or before == after, f"{event} in {state} changes what is stored and writes no entry"
    return Step(reply, standing(after), own[0] if own else None)  # type: ignore[arg-type]


async def drive(raw: Raw, new_id: NewId) -> dict[tuple[State, Event], Step]:
    """What the scripts make of every event in every state."""
    await raw.team()
    await raw.grant("opening", 10**9)
    seen = {}
    for state in State:
        for event in Event:
            policy = POLICIES.get(state) or POLICIES.get(event) or "r"
            seen[state, event] = await happens(Case(raw, new_id(), policy), state, event)
    return seen


async def drive_on_grants(raw: Raw, new_id: NewId, *, lapsing: bool) -> dict[tuple[State, Event], Step]:
    """The same with holds of which 30 are of a grant that expires, one that does so between state and event or not."""
    clock = Clock(raw)
    await raw.team()
    await give(clock, opening=(10**9, None))
    seen = {}
    for second, (state, event) in enumerate(TRANSITIONS):
        await clock.at(second)
        await give(clock, **{f"{second}": (30, second + 1)})
        case = Case(raw, new_id(), POLICIES.get(state) or POLICIES.get(event) or "r")
        seen[state, event] = await happens(case, state, event, partial(clock.at, second + lapsing))
        await raw.settle(case.hold_id, 0)
    await figures(raw)
    return seen


@pytest.mark.parametrize("redis", ["valkey"], indirect=True)
@pytest.mark.parametrize("lapsing", [False, True])
async def test_every_event_in_every_state_on_grants_that_expire(raw: Raw, new_id: NewId, lapsing: bool):
    """It is all the same where credits expire, before and after they do, and the books add up in the end."""
    assert TRANSITIONS == await drive_on_grants(raw, new_id, lapsing=lapsing)


async def test_every_event_in_every_state(raw: Raw, new_id: NewId):
    """The answer, the state after it and the journal entry are what the table says, and without an entry nothing of
    the hold is changed."""
    assert TRANSITIONS == await drive(raw, new_id)


def test_each_pair_stands_in_one_row():
    """The table is complete and says nothing twice."""
    pairs = [(state, event) for row in ROWS for state in row.states for event in row.events]

    assert sorted(pairs) == sorted((state, event) for state in State for event in Event)


async def every_other_answer(raw: Raw, nobody: Raw, new_id: NewId) -> None:
    """Calls for the answers that say nothing about a hold's state."""
    await raw.team()
    await raw.team(expected="7")
    await raw.team(frozen="x")
    await raw.grant("opening", 10**9)
    await raw.grant("opening", 1)
    await raw.grant("opening", 0)
    await raw.hold(amount=10**10)
    await raw.hold(amount="x")
    await raw.hold(new_id(3 * DAY_MS))
    await raw.hold(windows="Asia/Tokyo;1:2;1:1:1:1;2:2:2:2;3:3:3:3")
    await raw.settle(new_id(), "x")
    await raw.job(new_id(), "")
    await raw.expire(new_id(), "x")
    await raw.extend(new_id(), "x")
    lasting = new_id()
    await raw.hold(lasting, ttl=7_200_000)
    await raw.extend(lasting)
    await raw.exported("x")
    await raw.exported(2)
    await raw.trim("x", 1)
    await raw.trim(0, 3)
    await raw.trim(0, 1)
    await raw.trim(0, 2)
    await every_answer_of_the_wallet(raw, nobody, new_id)
    for key_id, before, after in (("", "", "x"), ("ci", "", "x"), ("ci", "", "x"), ("ci", "", "y"), ("ci", "x", "")):
        await raw.key(key_id, before, after)
    await nobody.key("ci", "", "x")
    await raw.client.command("HSET", raw.keys.bal, *(part for number in range(50_000) for part in (f"m{number}", "-")))
    await raw.hold(member="new")
    await nobody.hold()
    await nobody.grant()
    await nobody.balance("team")


async def every_answer_of_the_wallet(raw: Raw, nobody: Raw, new_id: NewId) -> None:
    """Refunds of every kind of charge, and a transfer from beginning to end."""
    settled, by_policy = new_id(), new_id()
    await raw.hold(settled, amount=20)
    seq = int((await raw.settle(settled, 20))[-1])
    await raw.hold(by_policy, amount=20, ttl=0, policy="c")
    by_time = int((await raw.expire(by_policy))[-1][-1])
    for amount in (5, 5, 6, ""):
        await raw.refund("r", seq, amount, hold_id=settled)
    await raw.refund("s", seq, 16, hold_id=settled)
    await raw.refund("s", "x", hold_id=settled)
    await raw.refund("s", seq - 1, hold_id=settled)
    await raw.refund("s", 10**9, hold_id=settled)
    await raw.settle(by_policy, 10)
    await raw.refund("s", by_time, hold_id=by_policy)
    await raw.client.command("HDEL", raw.keys.done_of(by_policy), by_policy)
    await raw.refund("s", by_time, hold_id=by_policy)
    await nobody.refund("s", 1, hold_id=settled)
    for amount, given in ((10**10, 0), (1, 1), ("x", 0), (1, 0), (1, 0), (2, 0), (1, 1)):
        await raw.transfer("t", amount, given=given)
    await nobody.transfer("t", 1)


def answers_named(name: str) -> set[tuple[str, str]]:
    """The answers in a script's header, each with the script."""
    text = files("gatekeeper.ledger.lua").joinpath(f"{name}.lua").read_text("utf-8")
    header = text.partition("-- Reply")[2].partition("-- Example")[0]
    return {(name, word) for word in re.findall(r"'([A-Z_]{2,})'", header)}


async def test_every_answer_of_every_script_is_seen(real_redis: Redis, new_id: NewId):
    """Each word that a script's header names is an answer that a test has met, and no script gives another one."""
    client = Listening(real_redis)
    raw, nobody = Raw(client, "a"), Raw(client, "nobody")
    await drive(raw, new_id)
    await every_other_answer(raw, nobody, new_id)
    await client.close()

    assert {answer for name in NAMES for answer in answers_named(name)} == client.heard


class Listening(StoreClient):
    """A client that notes the first word of each reply."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self.heard: set[tuple[str, str]] = set()

    async def run(self, script: Script, keys: list[str], args: list[str | int], *, bulk: bool = False) -> list[Reply]:
        reply = await super().run(script, keys, args, bulk=bulk)
        if reply and re.fullmatch("[A-Z_]{2,}", str(reply[0])):
            self.heard.add((script.name, reply[0]))
        return reply
