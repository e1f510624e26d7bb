"""The moments in the life of a generation at which somebody is killed.

Each step waits (bounded) for its moment, kills, brings what was killed back to life, and says whether the moment came.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from tests.torture.bills import Bills
from tests.torture.faultproxy import FaultProxy, Trap
from tests.torture.polling import MOMENT_S, until
from tests.torture.victims import Store, Victim

AWAY_S = 1.5
"""How long outcomes pile up on disk."""


class Scene(Protocol):
    """What a step needs of a run."""

    store: Store
    bills: Bills

    async def revive(self, victim: Victim) -> None:
        """Start the victim again."""

    async def revive_store(self) -> None:
        """Start the store again."""


Step = Callable[[Scene, Victim], Awaitable[bool]]


def at_script(script: str, *, after: bool) -> Step:
    """The victim is killed when it asks for this script: before it runs, or after, with the reply still on its way."""

    async def step(scene: Scene, victim: Victim) -> bool:
        hit = await _trapped(victim.proxy, script, after, victim.kill)
        if hit:
            await scene.revive(victim)
        return hit

    return step


def store_at_script(script: str, *, after: bool) -> Step:
    """The store is killed at that moment, and the victim has to cope."""

    async def step(scene: Scene, victim: Victim) -> bool:
        hit = await _trapped(victim.proxy, script, after, scene.store.kill)
        if hit:
            await scene.revive_store()
        return hit

    return step


async def _trapped(proxy: FaultProxy, script: str, after: bool, strike: Callable[[], None]) -> bool:
    trap = Trap(script, after, strike)
    proxy.trap = trap
    try:
        async with asyncio.timeout(MOMENT_S):
            await trap.hit.wait()
    except TimeoutError:
        if proxy.trap is trap:
            proxy.trap = None
    return trap.hit.is_set()


async def provider_asked(scene: Scene, victim: Victim) -> bool:
    """The provider has the whole request and has billed it; it has not answered."""
    return await _at_provider(scene, victim, scene.bills.on_asked)


async def provider_answered(scene: Scene, victim: Victim) -> bool:
    """The provider's whole answer is on its way to the victim."""
    return await _at_provider(scene, victim, scene.bills.on_answered)


async def _at_provider(scene: Scene, victim: Victim, traps: dict[str, Callable[[], None]]) -> bool:
    hit = await _struck(victim, traps, victim.kill)
    if hit:
        await scene.revive(victim)
    return hit


async def _struck(victim: Victim, traps: dict[str, Callable[[], None]], strike: Callable[[], None]) -> bool:
    """Whether the provider's moment with this victim came, and the strike with it."""
    hit = asyncio.Event()

    def spring() -> None:
        strike()
        hit.set()

    traps[victim.name] = spring
    try:
        async with asyncio.timeout(MOMENT_S):
            await hit.wait()
    except TimeoutError:
        traps.pop(victim.name, None)
    return hit.is_set()


def outbox_bytes(directory: Path) -> int:
    """What lies in an outbox."""
    total = 0
    for path in directory.glob("*.outbox"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


async def _cut_off(scene: Scene, victim: Victim) -> bool:
    """The store goes out of reach while a provider works for this victim, so that there is something to write."""
    return await _struck(victim, scene.bills.on_asked, victim.proxy.go_away)


async def outbox_written(scene: Scene, victim: Victim) -> bool:
    """The store is out of reach and outcomes go to disk: killed while they are being written."""
    before = outbox_bytes(victim.outbox)
    hit = await _cut_off(scene, victim) and await until(lambda: outbox_bytes(victim.outbox) > before)
    if hit:
        victim.kill()
    victim.proxy.is_away = False
    if hit:
        await scene.revive(victim)
    return hit


async def outbox_replayed(scene: Scene, victim: Victim) -> bool:
    """Killed twice: with outcomes on disk, and, started again, when the first of them is booked and not yet noted."""
    hit = await _cut_off(scene, victim) and await until(lambda: outbox_bytes(victim.outbox) > 0)
    victim.kill()
    await victim.buried()
    trap = Trap("settle", is_after=True, strike=victim.kill)
    victim.proxy.is_away, victim.proxy.trap = False, trap if hit else None
    await victim.start()
    if hit and not trap.hit.is_set():
        await until(trap.hit.is_set)
    victim.proxy.trap = None
    if not victim.is_up or trap.hit.is_set():
        await scene.revive(victim)
    return trap.hit.is_set()


async def outbox_waiting(scene: Scene, victim: Victim) -> bool:
    """The store was out of reach for a while: killed with outcomes on disk that were promised to clients."""
    hit = await _cut_off(scene, victim) and await until(lambda: outbox_bytes(victim.outbox) > 0)
    await asyncio.sleep(AWAY_S)
    victim.kill()
    victim.proxy.is_away = False
    await scene.revive(victim)
    return hit


async def store_anywhere(scene: Scene, victim: Victim) -> bool:
    """The store is killed whatever it is doing."""
    scene.store.kill()
    await scene.revive_store()
    return True


async def both(scene: Scene, victim: Victim) -> bool:
    """Victim and store at once."""
    victim.kill()
    scene.store.kill()
    await scene.revive_store()
    await scene.revive(victim)
    return True


STEPS: dict[str, Step] = {
    "hold, not run": at_script("hold", after=False),
    "hold, run, not told": at_script("hold", after=True),
    "provider asked": provider_asked,
    "provider answered": provider_answered,
    "settle, not run": at_script("settle", after=False),
    "settle, run, not told": at_script("settle", after=True),
    "unknown, not run": at_script("unknown", after=False),
    "unknown, run, not told": at_script("unknown", after=True),
    "outbox, in the write": outbox_written,
    "outbox, waiting": outbox_waiting,
    "outbox, in the replay": outbox_replayed,
    "store, hold not run": store_at_script("hold", after=False),
    "store, hold run": store_at_script("hold", after=True),
    "store, settle not run": store_at_script("settle", after=False),
    "store, settle run": store_at_script("settle", after=True),
    "store, anywhere": store_anywhere,
    "store and victim": both,
}
"""Every step by its name in the table. `run` is in the store, `told` is to the victim."""
