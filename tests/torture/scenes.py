"""One run: a store, victims behind fault proxies, providers that bill, teams at their limits, readers, and a killer.

`Run` is the same for gateways and workers; what differs is a `Cast`. When the time is over, load ends, everything is
let come to rest, and the judge looks at it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.ledger.client import StoreClient, connect
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import Caps, Limit, Per, TeamRecord
from tests.ledger.topologies import free_port
from tests.torture.bank import Bank
from tests.torture.bills import Bills
from tests.torture.faultproxy import FaultProxy
from tests.torture.judge import LATEST_MS, Verdict, judge
from tests.torture.steps import STEPS, Step, outbox_bytes
from tests.torture.victims import Store, Victim

CREDIT = 1_000_000
PLENTY = 10**9 * CREDIT
SWEEP_S = 0.5
TOP_UP_S = 0.2
PAUSES_S = (0.05, 0.5)
"""Between two kills."""
FAULTS_PER_S = 0.3
"""Of each proxy, beside the kills."""
LONGER_S = 60
"""How long a run goes on at most for what it lacks when its time is over."""


def teams_of(price: int) -> tuple[TeamRecord, ...]:
    """Two teams that can do what they want, and four that meet their limits all the time; `price` is a typical one."""
    return (
        TeamRecord("rich-0"),
        TeamRecord("rich-1", limits=(Limit("member", Per.DAY, PLENTY), Limit("team", Per.HOUR, PLENTY))),
        TeamRecord("poor"),
        TeamRecord("capped", caps=Caps(per_request=3 * price, open_holds=4, held_credits=6 * price)),
        TeamRecord("daily", limits=(Limit("team", Per.DAY, 300 * price), Limit("key", Per.LIFETIME, 200 * price))),
        TeamRecord("named", limits=(Limit("member", Per.WEEK, 60 * price), Limit("member:amy", Per.WEEK, 90 * price))),
    )


RICH = ("rich-0", "rich-1")


@dataclass(frozen=True, slots=True)
class Least:
    """What must have happened, however slow the machine is: calls to the provider, and kills of anybody."""

    calls: int = 0
    kills: int = 0


NOTHING = Least()


@dataclass(eq=False)
class Cast:
    """Who acts in a run. `load` runs until `finish`, which lets everybody end what they began; `steps` are
    the moments at which somebody is killed. Victims with a `stop` have sweepers of their own, and are stopped when no
    hold is open any more."""

    victims: Sequence[Victim]
    load: Callable[[], Awaitable[None]]
    finish: Callable[[], Awaitable[None]]
    price: int
    life_ms: int
    call_field: str
    stop: Callable[[], Awaitable[None]] | None = None
    steps: Mapping[str, Step] = field(default_factory=lambda: STEPS)
    faults_per_s: float = FAULTS_PER_S
    least: Least = NOTHING


@dataclass(eq=False)
class Run:
    """A store and everything around it. `waits` lets time pass for what kills left behind; else it is moved on."""

    directory: Path
    seed: int
    waits: bool
    say: Callable[[str], None]
    bills: Bills = field(default_factory=Bills)
    hits: Counter[str] = field(default_factory=Counter)
    tries: Counter[str] = field(default_factory=Counter)
    proxies: list[FaultProxy] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    store: Store = field(init=False)
    lots: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.lots = random.Random(self.seed)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.store = Store(self.directory / "store", free_port())

    async def open(self) -> None:
        """Start the store and get a ledger of our own, past all proxies."""
        await self.store.start()
        self.client = StoreClient(connect(self.store.url))
        self.ledger = Ledger(self.client)

    async def proxy(self) -> FaultProxy:
        """One more proxy in front of the store."""
        proxy = FaultProxy(self.store.port, self.lots.getrandbits(32))
        await proxy.start()
        self.proxies.append(proxy)
        return proxy

    async def revive(self, victim: Victim) -> None:
        """Start a victim again."""
        await victim.buried()
        await victim.start()

    async def revive_store(self) -> None:
        """Start the store again."""
        await self.store.again()

    async def found_teams(self, price: int) -> None:
        """Teams with credits."""
        for team in teams_of(price):
            await self.ledger.put_team(team)
            opening = 40 * price if team.id == "poor" else PLENTY
            await self.ledger.grant(team.id, "opening", opening)

    async def play(self, cast: Cast, seconds: float) -> Verdict:
        """Load and kills for so long; then rest, then the verdict."""
        bank = Bank(StoreClient(connect(self.store.url)), [team.id for team in teams_of(1)], ["poor"])
        bank.start()
        background = [
            asyncio.ensure_future(each)
            for each in (cast.load(), self._top_up(cast.price), self._tell(cast, seconds), self._sweep(cast))
        ]
        try:
            await self._kill(cast, seconds)
            _check(background)
            await cast.finish()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
        await self._rest(cast)
        await bank.stop()
        return await self._verdict(cast, bank)

    async def _kill(self, cast: Cast, seconds: float) -> None:
        """Every step in turn, in an order of the seed's, until the time is over and enough has happened."""
        loop = asyncio.get_running_loop()
        end_s, names = loop.time() + seconds, list(cast.steps)

        def goes_on() -> bool:
            return loop.time() < end_s or (loop.time() < end_s + LONGER_S and self._lacks(cast))

        for proxy in self.proxies:
            proxy.faults_per_s = cast.faults_per_s
        while goes_on():
            self.lots.shuffle(names)
            await asyncio.sleep(0.1)
            for name in names:
                if not goes_on():
                    break
                self.tries[name] += 1
                self.hits[name] += await cast.steps[name](self, self.lots.choice(cast.victims))
                await asyncio.sleep(self.lots.uniform(*PAUSES_S))
        for proxy in self.proxies:
            proxy.faults_per_s = 0.0

    def _lacks(self, cast: Cast) -> bool:
        kills = sum(victim.kills for victim in cast.victims) + self.store.kills
        return kills < cast.least.kills or sum(self.bills.manners.values()) < cast.least.calls

    async def _sweep(self, cast: Cast) -> None:
        """Let time act for victims that do not do it themselves."""
        while cast.stop is None:
            await asyncio.sleep(SWEEP_S)
            await self._pass_time()

    async def _pass_time(self) -> None:
        for team in teams_of(1):
            try:
                await self.ledger.expire_due(team.id)
            except LedgerUnavailable:
                continue

    async def _top_up(self, price: int) -> None:
        """A little credit again and again, so that the poor team is always at its end and never past it."""
        number = 0
        while True:
            await asyncio.sleep(TOP_UP_S)
            try:
                await self.ledger.grant("poor", f"top-up-{number}", 2 * price)
            except LedgerUnavailable:
                continue
            number += 1

    async def _tell(self, cast: Cast, seconds: float) -> None:
        began_s = time.monotonic()
        while True:
            await asyncio.sleep(10)
            kills = sum(victim.kills for victim in cast.victims)
            self.say(
                f"{time.monotonic() - began_s:.0f} of {seconds:.0f} s, {sum(self.bills.manners.values())} calls, "
                f"{kills} + {self.store.kills} kills, {len(+self.hits)} of {len(cast.steps)} steps"
            )

    async def _rest(self, cast: Cast) -> None:
        """Everything ends by itself, within its time."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + (cast.life_ms + LATEST_MS) / 1000
        while loop.time() < end_s and await self._open_holds():
            if not self.waits:
                await self._move_time_on()
            if cast.stop is None or not self.waits:
                await self._pass_time()
            await asyncio.sleep(0.1)
        if cast.stop is not None:
            await cast.stop()

    async def _open_holds(self) -> int:
        balances = [await self.ledger.balance(team.id) for team in teams_of(1)]
        return sum(balance.open_holds for balance in balances)

    async def _move_time_on(self) -> None:
        """Time itself, without the waiting: every deadline is now."""
        for team in teams_of(1):
            for hold in await self.ledger.holds(team.id):
                if hold.deadline_ms is not None:
                    await self.client.command("ZADD", TeamKeys(team.id).due, 1, hold.hold_id)

    async def _verdict(self, cast: Cast, bank: Bank) -> Verdict:
        teams = [await self.ledger.team(team.id) for team in teams_of(cast.price)]
        known = [team for team in teams if team is not None]
        verdict = await judge(self.ledger, known, self.bills, life_ms=cast.life_ms, call_field=cast.call_field)
        for victim in cast.victims:
            if waiting := outbox_bytes(victim.outbox):
                verdict.breach("left in an outbox", f"{victim.name}: {waiting} bytes")
            for line in _lines(victim.outbox / "rejected.jsonl"):
                verdict.breach("set aside", line)
            for line in victim.tracebacks():
                verdict.breach("errors that nobody took", f"{victim.name}: {line}")
        for code in filter(None, self.codes):
            verdict.breach("processes that did not end", f"exit code {code}")
        for what in bank.broken:
            verdict.breach("broken snapshots", what)
        verdict.figures.update({f"bank: {name}": count for name, count in bank.seen.items()})
        for proxy in self.proxies:
            verdict.figures.update({f"fault: {name}": count for name, count in proxy.counts.items()})
        return verdict

    async def close(self) -> None:
        """Nothing of it is left running."""
        await self.client.close()
        for proxy in self.proxies:
            await proxy.close()
        await self.store.close()


def _check(background: Sequence["asyncio.Future[None]"]) -> None:
    """Load that failed is a failure of the run."""
    for task in background:
        if task.done():
            task.result()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
