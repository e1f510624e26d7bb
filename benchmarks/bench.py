"""What the sections of a run share: the lab, the stand-in, the reference, and every gateway whose books are checked."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from benchmarks.client import ask
from benchmarks.lab import Lab, Running
from benchmarks.machine import raise_open_files
from benchmarks.rounds import Budget
from benchmarks.servers import Gateway, gateway_settings, start_aio, start_gateway, start_mock, start_store

OPEN_FILES: Final = 65_536
"""Asked of the system, for two connections of each request in flight; it may allow less."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each is measured."""

    mode: str
    budget_s: float
    rounds: int
    small_rounds: int  # many and short: a machine that others share is faster and slower for seconds at a time
    seconds: float  # of a window of small requests
    large_seconds: float
    latency_seconds: float
    flying: int  # requests in flight, beside aio
    flying_rounds: int
    flying_most: int  # in one process
    bodies_rounds: int
    ledger_rounds: int
    ledger_calls: int


FULL = Sizes("full", 1200, 7, 61, 0.3, 3, 5, 5000, 3, 10_000, 3, 15, 1000)
QUICK = Sizes("quick", 180, 3, 8, 0.3, 0.7, 1.5, 1000, 1, 2000, 1, 5, 500)


@dataclass(frozen=True, slots=True)
class Site:
    """A store that gateways work on, and how the stand-in calls them: what is checked at the end."""

    name: str
    who: str
    store_url: str
    gateway: Gateway
    teams: tuple[str, ...] = ()
    """Whose books are looked at. None named: the team `bench`, and `gatekeeper verify` for all there are."""
    before: int = 0
    """Micro-credits that were charged without the stand-in."""


@dataclass(eq=False)
class Bench:
    """One run."""

    lab: Lab
    sizes: Sizes
    budget: Budget
    fsync: str
    mock: Running
    say: Callable[[str], None]
    open_files: int
    """How many each of its processes may have."""
    stores: dict[str, str] = field(default_factory=dict)
    sites: dict[str, Site] = field(default_factory=dict)

    async def store(self, who: str, fsync: str) -> str:
        """The store of one name, started once."""
        if who not in self.stores:
            self.stores[who] = await start_store(self.lab, fsync)
        return self.stores[who]

    async def gateway(self, who: str = "gate", fsync: str | None = None, **server: Any) -> Gateway:
        """A new gateway on the store of that name. Its books are checked at the end of the run."""
        url = await self.store(who, fsync or self.fsync)
        gateway = await start_gateway(self.lab, gateway_settings(self.mock.url, url, who, **server))
        self.sites[who] = Site(f"store of {who}", who, url, gateway)
        return gateway

    async def aio(self) -> Running:
        """A new reference process."""
        return await start_aio(self.lab, self.mock.url)

    async def tallies(self) -> dict[str, dict[str, int]]:
        """What the stand-in made, by caller."""
        found: dict[str, dict[str, int]] = orjson.loads((await ask("GET", f"{self.mock.url}/_/counts")).body)
        return found

    async def tell_mock(self, what: str) -> None:
        """`release` what is held, `end` jobs, `restart` them."""
        await ask("GET", f"{self.mock.url}/_/{what}")


@asynccontextmanager
async def open_bench(sizes: Sizes, fsync: str, say: Callable[[str], None]) -> AsyncIterator[Bench]:
    """A run's own processes, gone at its end."""
    open_files = raise_open_files(OPEN_FILES)
    async with Lab() as lab:
        yield Bench(lab, sizes, Budget(sizes.budget_s), fsync, await start_mock(lab), say, open_files)
