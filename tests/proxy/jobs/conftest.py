"""A reconciler with a clock that is told the time, a store in memory, and a provider that says what it is told to."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.clock import Clock
from gatekeeper.core.outcome import Made, Outcome, Pending, Unknown
from gatekeeper.dialects import native
from gatekeeper.dialects.base import JobLink
from gatekeeper.events import GenerationFacts
from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.records import Attached, HoldContext, JobStatus, OnUnknown, Settlement, SettleStatus
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.gate import InFlight
from gatekeeper.proxy.jobs import reconciler as module
from gatekeeper.proxy.jobs.desk import Job, JobDesk
from gatekeeper.proxy.jobs.reconciler import Reconciler
from gatekeeper.proxy.jobs.record import JobRecord, record_text
from gatekeeper.recent import Recent
from gatekeeper.settings import JobSettings
from tests.factories import a_model, a_valid_request

HELD = 49_000_000
RUNS = Pending("job-1")
MADE = Made(1)
GONE = Unknown("404", gone=True)


class ToldClock(Clock):
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.at_s)

    def monotonic_s(self) -> float:
        return self.at_s


class Store:
    """As much of a ledger as jobs need, shared by the processes of a test."""

    def __init__(self, clock: ToldClock) -> None:
        self._clock = clock
        self.open: dict[tuple[str, str], str] = {}
        self.leases: dict[str, tuple[str, float]] = {}
        self.settled: list[tuple[str, int, str]] = []
        self.named: list[str] = []
        self.names: dict[tuple[str, str], tuple[str, str]] = {}
        self.over: set[str] = set()
        self.away = False

    async def teams(self) -> AsyncIterator[str]:
        for team in sorted({team for team, _ in self.open}):
            yield team

    async def open_jobs(self, team: str, cursor: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        """One job a page."""
        mine = sorted((hold, text) for (of, hold), text in self.open.items() if of == team)
        at = int(cursor)
        return str(at + 1) if at + 1 < len(mine) else "0", tuple(mine[at : at + 1])

    async def open_job(self, team: str, hold_id: str) -> str | None:
        self._check()
        return self.open.get((team, hold_id))

    async def attach_job(self, hold_id: str, team: str, text: str, *, names: tuple[str, ...], **_: Any) -> Attached:
        """A hold is open unless it is named as one that is not."""
        self._check()
        for name in names:
            self.names[team, name] = hold_id, text
        if hold_id in self.over or any(hold == hold_id for hold, _, _ in self.settled):
            return Attached(JobStatus.RESOLVED, None, 0)
        self.open[team, hold_id] = text
        return Attached(JobStatus.ATTACHED, 1, 1)

    async def job(self, team: str, name: str) -> tuple[str, str] | None:
        self._check()
        return self.names.get((team, name))

    async def name_job(self, team: str, name: str, hold_id: str, text: str, keep_ms: int) -> None:
        self._check()
        self.named.append(name)
        self.names[team, name] = hold_id, text

    async def claim_job(self, team: str, hold_id: str, owner: str, ttl_ms: int) -> bool:
        holder, until_s = self.leases.get(hold_id, (owner, 0.0))
        if holder != owner and until_s > self._clock.at_s:
            return False
        self.leases[hold_id] = (owner, self._clock.at_s + ttl_ms / 1000)
        return True

    async def settle(self, hold_id: str, team: str, amount: int, *, outcome: str, **_: Any) -> Settlement:
        self._check()
        before = [charged for hold, charged, _ in self.settled if hold == hold_id]
        if before:
            status = SettleStatus.DUPLICATE if before == [amount] else SettleStatus.MISMATCH
            return Settlement(status, before[0], 0, 0, 0, 0, False, None, 0)
        self.settled.append((hold_id, amount, outcome))
        self.open.pop((team, hold_id), None)
        status = SettleStatus.SETTLED if amount else SettleStatus.RELEASED
        return Settlement(status, amount, HELD - amount, 0, 0, 0, False, None, 9)

    def _check(self) -> None:
        if self.away:
            raise LedgerUnavailable("away", maybe_executed=False)


class Waiting:
    """An outbox in memory."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    async def write(self, resolution: Any) -> None:
        self.written.append(resolution)


@dataclass
class Process:
    """A gateway process: its gate and its reconciler."""

    gate: Any
    reconciler: Reconciler
    errors: list[Exception] = field(default_factory=list)


class Scene:
    """Processes on one store, the time, and what the provider says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = ToldClock()
        self.store = Store(self.clock)
        self.says: Outcome = RUNS
        self.asked: list[float] = []
        self.settings = JobSettings()
        self.policy = OnUnknown.RELEASE
        monkeypatch.setattr(module, "ask", self._ask)

    async def _ask(self, _provider: Any, _link: JobLink, _timeout_s: float, **_: str) -> Outcome:
        self.asked.append(self.clock.at_s)
        return self.says

    def process(self, owner: str = "a") -> Process:
        """One more gateway on the store."""
        gate: Any = SimpleNamespace(
            ledger=self.store,
            clock=self.clock,
            jobs=self.settings,
            desk=JobDesk(self.store, self.clock.monotonic_s),
            recent=Recent(),
            spans=None,
            providers={"studio": SimpleNamespace(name="studio", on_unknown=self.policy, dialect=native)},
            shelf=SimpleNamespace(find_model=lambda _model, _list: a_model()),
            in_flight=InFlight(),
            outbox=Waiting(),
            metrics=Metrics(),
        )
        errors: list[Exception] = []

        async def rest(_seconds: float) -> None:
            """A pause takes no time here; others have their turn."""
            await asyncio.sleep(0)

        return Process(gate, Reconciler(gate, owner, on_error=errors.append, rest=rest), errors)

    def record(self, number: int = 1, team: str = "studio") -> JobRecord:
        """A job submitted just now."""
        hold_id = f"hold-{number}"
        return JobRecord(
            provider="studio",
            link=JobLink(f"job-{number}", "/v1/generations"),
            valid=a_valid_request(),
            price_list="test@0",
            held=HELD,
            facts=GenerationFacts(request_id="r", team=team, hold_id=hold_id, provider="studio"),
            context=HoldContext(HELD),
            submitted_at_ms=int(self.clock.now().timestamp() * 1000),
            deadline_s=900,
        )

    def submit(self, process: Process, number: int = 1) -> Job:
        """A job that this process has attached."""
        record = self.record(number)
        self.store.open[record.team, record.hold_id] = record_text(record)
        job: Job = process.gate.desk.adopt(record)
        return job

    def abandoned(self, number: int = 1, team: str = "studio") -> JobRecord:
        """A job of a process that is gone."""
        record = replace(self.record(number, team))
        self.store.open[record.team, record.hold_id] = record_text(record)
        return record

    async def live(self, seconds: float, *processes: Process, step_s: float = 1.0) -> None:
        """Lets this much time pass, in steps; every process looks at each."""
        for _ in range(round(seconds / step_s)):
            self.clock.at_s += step_s
            for process in processes:
                await process.reconciler.watch()
                await process.reconciler.settle_down()


@pytest.fixture(name="scene")
def _scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)
