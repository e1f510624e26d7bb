"""A hold that the store may have made, in an answer that nobody can read: nothing was sent, so nothing stays held."""

from typing import Any

import pytest

from gatekeeper.ledger import scripts
from gatekeeper.ledger.errors import LedgerBroken, LedgerUnavailable
from gatekeeper.ledger.records import Held, HoldOrder, HoldResult
from tests.system.world import World

NOBODY_READS = LedgerBroken("hold.lua gave a reply it cannot give")


@pytest.fixture(name="unread")
def _unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the store makes holds, and its answers are none."""
    read = scripts.held

    def held(order: HoldOrder, reply: list[Any]) -> HoldResult | scripts.RetryWindows:
        result = read(order, reply)
        if isinstance(result, Held):
            raise NOBODY_READS
        return result

    monkeypatch.setattr(scripts, "held", held)


@pytest.mark.usefixtures("unread")
async def test_a_hold_whose_answer_cannot_be_read_is_freed_at_once(world: World) -> None:
    """The caller hears 503 that no SDK repeats, and has all its credits."""
    key = await world.key()

    answer = await world.native(key)

    balance = await world.balance()
    assert (503, "ledger_unavailable", None) == (
        answer.status, answer.headers["Gatekeeper-Rejection"], answer.headers.get("Retry-After"),
    )  # fmt: skip
    assert (1_000_000_000, 0) == (balance.available, balance.held)
    assert ["hold", "release"] == await world.kinds()
    assert 0 == (await world.provider())["requests"]
    await world.assert_books_clean()


@pytest.mark.usefixtures("unread")
async def test_where_the_store_is_away_then_the_outbox_frees_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told when the store is back."""
    key, asked = await world.key(), []
    ask = scripts.ask_settle

    async def away_once(*told: object) -> object:
        asked.append(told)
        if len(asked) == 1:
            raise LedgerUnavailable("away", maybe_executed=False)
        return await ask(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(scripts, "ask_settle", away_once)

    await world.native(key)
    deferred = await world.event("settle.deferred")
    await world.event("settle.replayed")

    assert ("undo", 49) == (deferred["act"], deferred["credits_held"])
    assert 0 == (await world.balance()).held
    await world.assert_books_clean()


@pytest.mark.usefixtures("unread")
async def test_a_store_that_says_nothing_twice_is_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put on disk for a store that an operator has to mend; the line says what may be held, and where."""
    key = await world.key()

    def settlement(*_: object) -> None:
        raise NOBODY_READS

    monkeypatch.setattr(scripts, "settlement", settlement)

    await world.native(key)
    failed = await world.event("settle.failed")

    assert ("LedgerBroken", 49, "team-0") == (failed["reason"], failed["credits_held"], failed["team"])
    assert 0 == world.gateway.gate.outbox.depth
