"""The sweeper: time acts on every team's due holds, and nothing stops it but stop."""

import asyncio
from collections.abc import Callable

from redis.asyncio import Redis

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.keys import TEAMS
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import EntryKind, HoldOrder, TeamRecord, Transition
from gatekeeper.ledger.sweeper import Sweep, Sweeper

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


def sweeper(ledger: Ledger, ears: Ears) -> Sweeper:
    """A sweeper that does not rest."""
    return Sweeper(ledger, on_transition=ears.transition, on_error=ears.error, interval_s=0.001)


async def test_one_sweep_takes_all_teams(ledger: Ledger, order: Order):
    """Every team's due holds are expired and told, more than one page of teams too."""
    names = [f"t{n}" for n in range(120)]
    for name in names:
        await ledger.put_team(TeamRecord(name))
        await ledger.hold(order(team=name, amount=0, ttl_ms=0))
    ears = Ears()
    swept = await sweeper(ledger, ears).sweep()

    assert Sweep(teams=121, transitions=240) == swept
    assert sorted(names) == sorted(
        team_id for team_id, transition in ears.transitions if transition.kind is EntryKind.EXPIRE
    )


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

    assert [EntryKind.UNKNOWN, EntryKind.EXPIRE] == [transition.kind for _, transition in ears.transitions[:2]]
    assert 1 == len(await ledger.holds(team.id))


async def test_failed_sweep_is_told_and_not_the_last(
    ledger: Ledger, client: StoreClient, team: TeamRecord, order: Order
):
    """An error ends one sweep, not the sweeper."""
    ears = Ears()
    background = sweeper(ledger, ears)
    await client.command("RENAME", TEAMS, "gk:{x}:team")
    await client.command("SET", TEAMS, "no set")
    background.start()
    async with asyncio.timeout(5):
        await ears.heard.wait()
    await client.command("RENAME", "gk:{x}:team", TEAMS)
    ears.heard.clear()
    await ledger.hold(order(ttl_ms=0))
    async with asyncio.timeout(5):
        while not ears.transitions:
            await ears.heard.wait()
            ears.heard.clear()
    await background.stop()

    assert ears.errors


async def test_stop_without_start(real_redis: Redis):
    """Stopping what never ran is fine."""
    ears = Ears()
    await sweeper(Ledger(StoreClient(real_redis)), ears).stop()

    assert [] == ears.errors
