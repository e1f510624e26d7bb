"""Looks at the limits and budgets of teams that spend, and tells what has been reached, once per window.

Two loops. The watch looks every few seconds at whoever spent through this process; budgets of projects are diagnosed
less often, for that reads their usage. The walk goes over all teams at the start and now and then, for what a process
that is gone has left untold. Each thing told is a log event, a metric, and where the team has an address, a call of it,
which `send` keeps on disk before it counts as told; what it could not keep is given back and looked at again. A crash
between the call's keeping and its mark may tell it twice, under the same id; nothing is lost in silence.

Nothing here refuses a request or moves a credit, and no request waits for it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gatekeeper.catalog import Catalog
from gatekeeper.clock import SystemClock
from gatekeeper.ledger.alerts import Spender, alert_id
from gatekeeper.ledger.errors import LedgerBroken, LedgerError
from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.looking import in_chunks
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.logs import emit
from gatekeeper.metrics import Metrics
from gatekeeper.sections import SignalSettings
from gatekeeper.signals.findings import Finding, diagnosed, named, reached
from gatekeeper.teamevents import BudgetSignal, LimitThreshold

TEAMS_AT_ONCE: Final = 20
"""Teams looked at side by side: their reads share pipelines, and the store has others to serve."""

CLAIM_TTL_MS: Final = 90_000
"""How long one gateway has to tell something before another may: far longer than keeping a letter takes."""

TEAMS_A_SECOND: Final = 250
"""The pace of the walk: it is in no hurry."""

DIAGNOSED_MAX: Final = 10_000
"""Teams whose last diagnosis is remembered; a forgotten one is diagnosed once more."""

FORGET_AFTER_MS: Final = 2 * DAY_MS
"""A mark outlives its window by so much, for what is charged late still counts in it."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a team is to be told. `id` is the same for whoever tells it, at every attempt."""

    id: str
    team: str
    url: str
    event: LimitThreshold | BudgetSignal
    at_ms: int


Send = Callable[[Alert], Awaitable[bool]]
"""Keeps an alert for its delivery; False: it could not be kept."""


class Watcher:
    """Watches a ledger in the background until it is stopped. `owner` names this process among its like."""

    def __init__(  # every argument is a part that is wired in
        self,
        ledger: Ledger,
        catalog: Callable[[], Catalog],
        settings: SignalSettings,
        metrics: Metrics,
        owner: str,
        send: Send,
        on_error: Callable[[Exception], None],
    ) -> None:
        self._ledger = ledger
        self._catalog = catalog
        self._settings = settings
        self._metrics = metrics
        self._owner = owner
        self._send = send
        self._on_error = on_error
        self._clock = SystemClock()
        self._diagnosed_s: dict[str, float] = {}
        self._undiagnosed: set[str] = set()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to watch and to walk; needs a running event loop."""
        self._stopping.clear()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._forever(self.watch, self._settings.watch_every_s)),
            loop.create_task(self._forever(self.walk, self._settings.walk_every_s, at_once=True)),
        ]

    async def stop(self) -> None:
        """Stop between two looks; what is being told is finished."""
        self._stopping.set()
        tasks, self._tasks = self._tasks, []
        await asyncio.gather(*tasks)

    async def watch(self) -> int:
        """Looks at every team that spent since the last look; how much was told. Raises the ledger's error if one could
        not be looked at, after all the others; it is looked at again."""
        by_team: dict[str, list[Spender]] = defaultdict(list)
        for spender in self._ledger.alerts.take_seen():
            by_team[spender.team].append(spender)
        for team in [team for team in self._undiagnosed if self._is_time(team)]:
            by_team[team].append(Spender(team))
        told, failures = 0, list[LedgerError]()
        for some in _chunks(by_team, TEAMS_AT_ONCE):
            for team, result in await self._look_at_each({team: by_team[team] for team in some}):
                if isinstance(result, int):
                    told += result
                    continue
                failures.append(result)
                for spender in by_team[team]:
                    self._ledger.alerts.see_again(spender)
        if failures:
            raise failures[0]
        return told

    async def walk(self) -> int:
        """Looks once at every team and its projects, at a pace, and forgets marks of windows long over; how much was
        told. A team that cannot be read is told of and passed by. Raises the ledger's errors."""
        told = 0
        async for some in in_chunks(self._ledger.teams(), TEAMS_AT_ONCE):
            told += await self._walk_by(some)
            await self._rest(len(some) / TEAMS_A_SECOND)
            if self._stopping.is_set():
                break
        return told

    async def _walk_by(self, teams: list[str]) -> int:
        told = 0
        for _, result in await self._look_at_each(dict.fromkeys(teams, ())):
            if isinstance(result, int):
                told += result
            else:
                self._on_error(result)
        return told

    async def _look_at_each(self, teams: Mapping[str, Iterable[Spender]]) -> list[tuple[str, int | LedgerError]]:
        """What was told to each, or what kept it from being looked at: one node may be away, and not the others."""

        async def look(team: str, spenders: Iterable[Spender]) -> tuple[str, int | LedgerError]:
            try:
                return team, await self.look_at(team, spenders)
            except LedgerError as error:
                return team, error

        return await asyncio.gather(*(look(team, spenders) for team, spenders in teams.items()))

    async def look_at(self, team: str, spenders: Iterable[Spender]) -> int:
        """Tells what this team has reached and nobody told; how much that was. Without spenders: the team, its projects
        and the members and keys that limits name, and what is over is forgotten."""
        try:
            return await self._look_at(team, list(spenders))
        except LedgerBroken as error:  # one team's books must not keep all the others from being told
            self._on_error(error)
            return 0

    async def _look_at(self, team: str, spenders: list[Spender]) -> int:
        record = await self._ledger.team(team)
        if record is None:
            return 0
        may_read_rows = bool(record.projects) and self._may_diagnose(team)
        at_ms, found = await reached(self._ledger, record, spenders or named(record), rows=may_read_rows)
        if may_read_rows:
            found += await diagnosed(self._ledger, self._catalog(), record, at_ms)
        if not spenders:
            await self._ledger.alerts.forget(team, at_ms - FORGET_AFTER_MS)
        return await self._tell(record, found, at_ms)

    def _may_diagnose(self, team: str) -> bool:
        """Whether the last time is long enough ago. If not, its turn comes, though nobody may spend until then."""
        if not self._is_time(team):
            if len(self._undiagnosed) < DIAGNOSED_MAX:
                self._undiagnosed.add(team)
            return False
        if len(self._diagnosed_s) >= DIAGNOSED_MAX:
            self._diagnosed_s.clear()
        self._diagnosed_s[team] = self._clock.monotonic_s()
        self._undiagnosed.discard(team)
        return True

    def _is_time(self, team: str) -> bool:
        last_s = self._diagnosed_s.get(team)
        return last_s is None or self._clock.monotonic_s() - last_s >= self._settings.diagnose_every_s

    async def _tell(self, record: TeamRecord, found: list[Finding], at_ms: int) -> int:
        alerts = self._ledger.alerts
        told = await alerts.told(record.id, [each.claim for each in found])
        count = 0
        for each in found:
            if each.claim in told or not await alerts.claim(record.id, each.claim, self._owner, CLAIM_TTL_MS):
                continue
            if not await self._send_kept(record, each, at_ms):
                await alerts.give_back(record.id, each.claim)
                alerts.see_again(each.spender)
                continue
            self._count(each)
            emit(each.event)
            await alerts.mark(record.id, each.claim, now_ms=at_ms, ends_ms=each.ends_ms)
            count += 1
        return count

    async def _send_kept(self, record: TeamRecord, found: Finding, at_ms: int) -> bool:
        """Whether whoever is to be called about it will be, or nobody is."""
        if not record.alert_url:
            return True
        return await self._send(
            Alert(alert_id(record.id, found.claim), record.id, record.alert_url, found.event, at_ms)
        )

    def _count(self, found: Finding) -> None:
        match found.event:
            case LimitThreshold(percent=percent):
                self._metrics.threshold_told(percent)
            case BudgetSignal(diagnosis=diagnosis):
                self._metrics.signal_told(diagnosis)

    async def _forever(self, step: Callable[[], Awaitable[int]], every_s: float, *, at_once: bool = False) -> None:
        if not at_once:
            await self._rest(every_s)
        while not self._stopping.is_set():
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - the supervisor: one failure must not end all later looks
                self._on_error(error)
            await self._rest(every_s)

    async def _rest(self, seconds: float) -> None:
        """So long, unless it is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _chunks(teams: Iterable[str], size: int) -> list[list[str]]:
    every = list(teams)
    return [every[first : first + size] for first in range(0, len(every), size)]
