"""The sweeper: time acts on every team's due holds, on time, and nothing stops it but stop."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.keys import TEAMS, TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind, Expiry, HoldOrder, Transition
from gatekeeper.ledger.sweeper import TICK_S, Sweep, Sweeper
from gatekeeper.ledger.teamrecord import TeamRecord

Order = Callable[..., HoldOrder]


class Ears:
    """Hears what a sweeper tells."""

    def __init__(self) -> None:
        self.transitions: list[tuple[str, Transition]] = []
        self.errors: list[Exception] = []
        self.heard = asyncio.Event()

    def transition(self, team_id: str, transition: Transition) -> None:
        self.transitions.append((team_id, transition))
        self.heard.set()

    def error(self, error: Exception) -> None:
        self.errors.append(error)
        self.heard.set()

    def kinds(self) -> list[EntryKind]:
        return [transition.kind for _, transition in self.transitions]


class Time:
    """A clock on which time passes when everybody rests, and only then."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._slept = 0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.now_s, UTC)

    def monotonic_s(self) -> float:
        return self.now_s

    async def rest(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._slept += 1
        heapq.heappush(self._sleepers, (self.now_s + seconds, self._slept, woken))
        await woken.wait()

    async def pass_until(self, end_s: float, sleepers: int) -> None:
        """Wake one sleeper after the other, whenever so many are asleep."""
        while True:
            while len(self._sleepers) < sleepers:  # noqa: ASYNC110 - there is no event for "all others wait"
                await asyncio.sleep(0)
            if self._sleepers[0][0] > end_s:
                return
            self.now_s, _, woken = heapq.heappop(self._sleepers)
            woken.set()

    def wake_all(self) -> None:
        for _, _, woken in self._sleepers:
            woken.set()


@dataclass
class Books:
    """A ledger without a store: teams with holds that become due, then unknown, then expire."""

    time: Time
    grace_s: float = 60.0
    due: dict[str, dict[str, float]] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    over: dict[str, float] = field(default_factory=dict)
    looked_at: int = 0
    on_transition: Callable[[str, Transition], None] = lambda _team, _transition: None
    on_deadline: Callable[[str, int], None] = lambda _team, _in_ms: None

    async def teams(self) -> AsyncIterator[str]:
        for team_id in list(self.due):
            yield team_id

    async def due_in_ms(self, team_ids: Sequence[str]) -> list[int | None]:
        self.looked_at += len(team_ids)
        return [self._next_ms(team_id) for team_id in team_ids]

    async def expire_due(self, team_id: str) -> Expiry:
        holds, done = self.due[team_id], []
        for hold_id in [each for each, at_s in holds.items() if at_s <= self.time.now_s]:
            kind = EntryKind.EXPIRE if hold_id in self.unknown else EntryKind.UNKNOWN
            if kind is EntryKind.EXPIRE:
                del holds[hold_id]
                self.over[hold_id] = self.time.now_s
            else:
                self.unknown.add(hold_id)
                holds[hold_id] = self.time.now_s + self.grace_s
            done.append(Transition(hold_id, kind, 1, 1))
        return Expiry(tuple(done), more=False, next_due_in_ms=0 if done else self._next_ms(team_id))

    def hold(self, team_id: str, hold_id: str, ttl_s: float, *, told: bool) -> None:
        self.due.setdefault(team_id, {})[hold_id] = self.time.now_s + ttl_s
        if told:
            self.on_deadline(team_id, int(ttl_s * 1000))

    def _next_ms(self, team_id: str) -> int | None:
        holds = self.due[team_id]
        return int((min(holds.values()) - self.time.now_s) * 1000) if holds else None


async def play(books: Books, seconds: float, during: Callable[[], None] = lambda: None) -> Ears:
    """The sweeper in its own time; `during` happens when its loops run."""
    ears = Ears()
    background = Sweeper(
        books, on_transition=ears.transition, on_error=ears.error, clock=books.time, rest=books.time.rest
    )
    background.start()
    await books.time.pass_until(0, sleepers=2)
    during()
    await books.time.pass_until(seconds, sleepers=2)
    stopping = asyncio.create_task(background.stop())
    while not stopping.done():
        books.time.wake_all()
        await asyncio.sleep(0)
    assert [] == ears.errors
    return ears


async def test_every_hold_of_100_000_teams_ends_in_time():
    """What a dead gateway left is over within its deadline, its grace and 60 s, in whichever team it is."""
    books = Books(Time())
    for n in range(100_000):
        books.due[f"t{n}"] = {}
    left = {f"t{n}": 10.0 + n % 97 for n in range(0, 100_000, 7)}

    def leave() -> None:
        for team_id, ttl_s in left.items():
            books.hold(team_id, f"hold of {team_id}", ttl_s, told=False)

    await play(books, 240, leave)
    late_s = {team: books.over[f"hold of {team}"] - ttl_s - books.grace_s for team, ttl_s in left.items()}

    assert max(late_s.values()) <= 60


async def test_holds_made_here_end_on_the_second():
    """The gateway's own holds wait for no walk, however many teams there are."""
    books = Books(Time())
    for n in range(50_000):
        books.due[f"t{n}"] = {}

    def make() -> None:
        for n in range(0, 50_000, 1000):
            books.hold(f"t{n}", f"{n}", 20.5, told=True)

    await play(books, 90, make)

    assert 50 == len(books.over)
    assert max(books.over.values()) <= 20.5 + TICK_S + books.grace_s + TICK_S


@pytest.mark.parametrize(("teams", "walks_least", "walks_most"), [(100, 40, 42), (10_000, 4.9, 6), (100_000, 4.4, 4.6)])
async def test_a_walk_is_paced(teams: int, walks_least: float, walks_most: float):
    """Few teams are walked over every few seconds; many in as long as there is time, but for the first walk."""
    books = Books(Time())
    for n in range(teams):
        books.due[f"t{n}"] = {}
    await play(books, 200)

    assert walks_least <= books.looked_at / teams <= walks_most


async def test_one_walk_takes_all_teams(ledger: Ledger, order: Order):
    """Every team's due holds are expired and told, more than one page of teams too."""
    names = [f"t{n}" for n in range(120)]
    for name in names:
        await ledger.put_team(TeamRecord(name))
        await ledger.hold(order(team=name, amount=0, ttl_ms=0))
    ears = Ears()
    swept = await sweeper(ledger, ears).walk()

    assert Sweep(teams=121, transitions=240) == swept
    assert sorted(names) == sorted(
        team_id for team_id, transition in ears.transitions if transition.kind is EntryKind.EXPIRE
    )


def sweeper(ledger: Ledger, ears: Ears, time: Time | None = None) -> Sweeper:
    """A sweeper on a real ledger; with a time of its own it never rests."""

    async def rest(_: float) -> None:
        await asyncio.sleep(0)

    return Sweeper(ledger, on_transition=ears.transition, on_error=ears.error, clock=time, rest=rest)


async def test_a_hold_is_watched_from_the_start(ledger: Ledger, team: TeamRecord, order: Order):
    """The ledger tells of each hold, so its team is looked at when its time has come and not before."""
    ears, time = Ears(), Time()
    background = sweeper(ledger, ears, time)
    await ledger.hold(order(ttl_ms=60_000))
    await ledger.hold(order(ttl_ms=0))
    looks = [await background.watch(), await background.watch()]

    assert ([2, 0], [EntryKind.UNKNOWN, EntryKind.EXPIRE]) == (looks, ears.kinds())
    assert 1 == len(await ledger.holds(team.id))


async def test_a_mark_is_watched(ledger: Ledger, team: TeamRecord, order: Order):
    """A hold that was marked unknown and has no grace meets its policy at the next look."""
    ears = Ears()
    background = sweeper(ledger, ears, Time())
    asked = order()
    await ledger.hold(asked)
    await background.watch()
    await ledger.mark_unknown(asked.hold_id, team.id)

    assert (1, [EntryKind.EXPIRE]) == (await background.watch(), ears.kinds())


async def test_after_a_look_the_next_deadline_is_known(ledger: Ledger, team: TeamRecord, order: Order):
    """A team that was looked at for one hold is looked at again for the next one, told or not."""
    time = Time()
    background = sweeper(ledger, Ears(), time)
    other = Ledger(ledger._client)
    await other.hold(order(ttl_ms=40_000))
    await ledger.hold(order(ttl_ms=0))
    await background.watch()
    time.now_s = 39.0
    early = background._deadlines.take_due(time.now_s, 9)
    time.now_s = 41.0

    assert ([], [team.id]) == (early, background._deadlines.take_due(time.now_s, 9))


async def test_runs_until_stopped(ledger: Ledger, team: TeamRecord, order: Order):
    """Started, it finds what becomes due later; stopped, it leaves it."""
    ears = Ears()
    background = sweeper(ledger, ears)
    background.start()
    await ledger.hold(order(ttl_ms=0))
    async with asyncio.timeout(5):
        await ears.heard.wait()
    await background.stop()
    await ledger.hold(order(ttl_ms=0))

    assert [EntryKind.UNKNOWN, EntryKind.EXPIRE] == ears.kinds()[:2]
    assert 1 == len(await ledger.holds(team.id))


async def test_a_stop_waits_for_nothing(ledger: Ledger):
    """A sweeper at rest ends at once."""
    background = Sweeper(ledger, on_transition=Ears().transition, on_error=Ears().error)
    background.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(0.9 * TICK_S):
        await background.stop()

    assert [] == background._tasks


async def test_failed_walk_is_told_and_not_the_last(
    ledger: Ledger, client: StoreClient, team: TeamRecord, order: Order
):
    """An error ends one walk, not the sweeper."""
    ears = Ears()
    background = sweeper(ledger, ears)
    await client.command("SET", TEAMS, "no set")
    background.start()
    async with asyncio.timeout(5):
        await ears.heard.wait()
    await client.command("DEL", TEAMS)
    await client.command("SADD", TEAMS, team.id)
    await Ledger(client).hold(order(ttl_ms=0))
    async with asyncio.timeout(5):
        while not ears.transitions:
            ears.heard.clear()
            await ears.heard.wait()
    await background.stop()

    assert ears.errors


async def test_a_team_that_cannot_be_read_keeps_time_from_nobody(
    ledger: Ledger, client: StoreClient, team: TeamRecord, order: Order
):
    """Damaged books of one team are told; the others' holds end as ever."""
    await ledger.put_team(TeamRecord("damaged"))
    for name in ("damaged", team.id):
        await ledger.hold(order(team=name, amount=0, ttl_ms=0))
    await client.command("HSET", TeamKeys("damaged").bal, "figures", "x")
    ears = Ears()
    await sweeper(ledger, ears).walk()

    assert (1, [team.id] * 2) == (len(ears.errors), [team_id for team_id, _ in ears.transitions])


async def test_a_team_whose_deadlines_cannot_be_read_keeps_time_from_nobody(
    ledger: Ledger, client: StoreClient, team: TeamRecord, order: Order
):
    """A team with a broken list of deadlines is told and passed by; the walk takes all others."""
    await ledger.put_team(TeamRecord("broken"))
    await client.command("SET", TeamKeys("broken").due, "no list")
    await ledger.hold(order(ttl_ms=0, grace_ms=0))
    ears = Ears()

    await sweeper(ledger, ears).walk()

    await client.command("DEL", TeamKeys("broken").due)
    assert ([EntryKind.UNKNOWN, EntryKind.EXPIRE], 1) == (ears.kinds(), len(ears.errors))


async def test_stop_without_start(real_redis: Redis):
    """Stopping what never ran is fine."""
    ears = Ears()
    await sweeper(Ledger(StoreClient(real_redis)), ears).stop()

    assert [] == ears.errors
