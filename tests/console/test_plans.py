"""Caps, allowances and refunds by their sheets: each is in the books, and says who did it and why."""

from gatekeeper.core.credits import MICRO
from gatekeeper.ledger.teamrecord import Caps
from tests.console.consoleworld import Console


async def test_caps_are_set_and_taken_away(console: Console) -> None:
    """What is left empty has no bound."""
    ledger = console.world.gateway.store.ledger
    await console.do("/teams/studio/caps", per_request="60", open_holds="5")
    first = await ledger.team("studio")
    page = await console.get("/teams/studio/caps")
    await console.do("/teams/studio/caps", requests_per_minute="30")
    second = await ledger.team("studio")

    assert first is not None
    assert second is not None
    assert [Caps(60 * MICRO, 5, None, None), Caps(None, None, None, 30)] == [first.caps, second.caps]
    assert 'name="per_request" value="60"' in page
    assert ("team", "lena", "a test") == await console.last_entry()


async def test_a_cap_that_is_no_number_is_told_beside_its_field(console: Console) -> None:
    """And nothing was changed."""
    answer = await console.post("/teams/studio/caps", who="lena", why="x", open_holds="many")

    assert answer.status in {422, 400}
    assert b'id="open_holds-wrong"' in answer.body


async def test_an_allowance_is_given_and_ended(console: Console) -> None:
    """It stands with the grants, and can be ended from there."""
    await console.do("/teams/studio/allowances/set", id="pocket", credits="200", per="week", lasts_periods="1")
    page = await console.get("/teams/studio")

    await console.do("/teams/studio/allowances/pocket/end")

    assert "every week" in page
    assert 'href="/teams/studio/allowances/pocket/end"' in page
    assert "every week" not in await console.get("/teams/studio")
    assert ("team", "lena", "a test") == await console.last_entry()


async def test_a_charge_is_refunded_from_its_entry(console: Console) -> None:
    """All of it, once, under the name that the sheet had."""
    ledger = console.world.gateway.store.ledger
    key = await console.world.another_key("studio")
    await console.world.native(key)
    seq = next(each.seq for each in await ledger.journal("studio") if each.kind == "settle")
    page = await console.get("/teams/studio")

    for _ in range(2):
        await console.do(f"/teams/studio/entries/{seq}/refund", id="sorry")

    assert f'href="/teams/studio/entries/{seq}/refund"' in page
    assert 1000 * MICRO == (await ledger.balance("studio")).available
    assert ("refund", "lena", "a test") == await console.last_entry()
