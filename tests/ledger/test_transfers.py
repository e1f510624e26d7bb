"""Transfers: credits of one team become another one's, once, whatever happens between the two halves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerConflict, LedgerInvalid, LedgerNoTeam, LedgerUnavailable
from gatekeeper.ledger.keys import TRANSFERS, TeamKeys
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lua import Script
from gatekeeper.ledger.records import EntryKind, HoldOrder
from gatekeeper.ledger.slots import slot_of
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.walletrecords import WalletStatus
from gatekeeper.ledger.wire import Reply
from tests.ledger.conftest import CREDIT

Order = Callable[..., HoldOrder]
DAY_MS = 86_400_000
MOST = 9_000_000_000_000_000
HERE, THERE = "here", "there"


@pytest.fixture
async def pair(ledger: Ledger) -> Ledger:
    """A ledger with two teams of one organisation, one of which has 100 credits."""
    for team_id in (HERE, THERE):
        await ledger.put_team(TeamRecord(team_id, organisation="studio"))
    await ledger.grant(HERE, "opening", 100 * CREDIT)
    return ledger


async def available(ledger: Ledger) -> tuple[int, int]:
    """What both teams have; the journals must confirm it."""
    for team_id in (HERE, THERE):
        assert () == (await ledger.verify(team_id)).differences
    here, there = [await ledger.balance(team_id) for team_id in (HERE, THERE)]
    return here.available, there.available


async def waiting(ledger: Ledger) -> list[str]:
    """What was announced and is not done."""
    found: list[str] = await ledger._client.command("ZRANGE", TRANSFERS, 0, -1)
    return found


async def test_credits_go_from_one_team_to_another(pair: Ledger):
    """One entry with the giver, one grant with the receiver, both with who and why, and nothing is left to do."""
    met = await pair.wallet.transfer(HERE, "summer", THERE, 30 * CREDIT, why="their turn", actor="amy")
    taken, got = [(await pair.journal(team_id))[-1] for team_id in (HERE, THERE)]

    assert (WalletStatus.GRANTED, 70 * CREDIT, 3) == (met.status, met.available, met.seq)
    assert (EntryKind.TRANSFER, "summer", 30 * CREDIT) == (taken.kind, taken.hold_id, taken.amount)
    assert (EntryKind.GRANT, "transfer:here:summer", 30 * CREDIT) == (got.kind, got.hold_id, got.amount)
    assert {("their turn", "amy")} == {(each.fields["why"], each.fields["actor"]) for each in (taken, got)}
    assert (70 * CREDIT, 30 * CREDIT) == await available(pair)
    assert [False] == [each.pending for each in await pair.wallet.transfers(HERE)]
    assert [] == await waiting(pair)


async def test_the_same_transfer_again_changes_nothing(pair: Ledger):
    """Ten at once are one; another amount or receiver under its id is a mismatch."""
    calls = [pair.wallet.transfer(HERE, "t", THERE, 5) for _ in range(10)]
    met = [each.status for each in await asyncio.gather(*calls)]
    other = await pair.wallet.transfer(HERE, "t", THERE, 6)
    elsewhere = await pair.wallet.transfer(HERE, "t", "nobody", 5)

    assert [WalletStatus.DUPLICATE] * 9 + [WalletStatus.GRANTED] == sorted(met)
    assert (WalletStatus.MISMATCH, THERE, 5) == (other.status, other.to, other.amount)
    assert WalletStatus.MISMATCH is elsewhere.status
    assert (100 * CREDIT - 5, 5) == await available(pair)


async def test_only_what_is_free_and_never_expires(pair: Ledger, order: Order):
    """Neither held credits nor those of a grant with an expiry; what the message names can be handed on."""
    await pair.grant(HERE, "soon", 50 * CREDIT, expires_at_ms=await pair.now_ms(HERE) + DAY_MS)
    await pair.hold(order(team=HERE, amount=60 * CREDIT))
    with pytest.raises(LedgerInvalid, match=r"can hand on 90 credits, not 90\.000001$"):
        await pair.wallet.transfer(HERE, "t", THERE, 90 * CREDIT + 1)
    await pair.grant(HERE, "later", 7 * CREDIT, expires_at_ms=await pair.now_ms(HERE) + DAY_MS)
    with pytest.raises(LedgerInvalid, match=r"can hand on 90 credits, not 90\.000001: of its 97 "):
        await pair.wallet.transfer(HERE, "t", THERE, 90 * CREDIT + 1)
    await pair.wallet.transfer(HERE, "t", THERE, 90 * CREDIT)

    assert (7 * CREDIT, 90 * CREDIT) == await available(pair)


class Breaking(StoreClient):
    """A client that breaks down before it makes so many more calls, or does not hear its answer."""

    def __init__(self, inner: StoreClient, calls: int, *, after: bool) -> None:
        self.__dict__.update(inner.__dict__)
        self._inner, self._left, self._after = inner, calls, after

    async def run(self, script: Script, keys: list[str], args: list[str | int], *, bulk: bool = False) -> list[Reply]:
        return list(await self._call(lambda: self._inner.run(script, keys, args, bulk=bulk)))

    async def command(self, *args: str | int, bulk: bool = False, at: str = "") -> Reply:
        return await self._call(lambda: self._inner.command(*args, bulk=bulk, at=at))

    async def _call(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._after):
            raise LedgerUnavailable("gone", maybe_executed=True)
        answer = await call()
        if self._left == 0:
            raise LedgerUnavailable("gone", maybe_executed=True)
        return answer


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(1, 11))
@pytest.mark.parametrize("who", ["caller", "background"])
async def test_a_crash_at_any_step(pair: Ledger, client: StoreClient, calls: int, after: bool, who: str):
    """Whoever comes next finishes what was begun: the caller with the same words, or the loop, which knows it by name.
    It is booked once, and where nothing was taken nothing is given."""
    with pytest.raises(LedgerUnavailable):
        await Ledger(Breaking(client, calls, after=after)).wallet.transfer(HERE, "t", THERE, 30 * CREDIT, why="w")
    begun = len(await pair.wallet.transfers(HERE))
    if who == "caller":
        begun = 1
        await pair.wallet.transfer(HERE, "t", THERE, 30 * CREDIT, why="w")
    await pair.wallet.finish_pending()
    again = await pair.wallet.finish_pending()

    assert ((100 - 30 * begun) * CREDIT, 30 * begun * CREDIT) == await available(pair)
    assert (0, [False] * begun) == (again, [each.pending for each in await pair.wallet.transfers(HERE)])
    assert ["w"] * begun == [each.fields["why"] for each in (await pair.journal(THERE))[1:]]


async def test_a_pending_transfer_is_no_difference(pair: Ledger, client: StoreClient):
    """Between its halves the credits are with nobody, and both journals are right."""
    with pytest.raises(LedgerUnavailable):
        await Ledger(Breaking(client, 7, after=True)).wallet.transfer(HERE, "t", THERE, 30 * CREDIT)

    assert [True] == [each.pending for each in await pair.wallet.transfers(HERE)]
    assert (70 * CREDIT, 0) == await available(pair)


async def test_an_announcement_of_nothing_goes_after_an_hour(pair: Ledger, client: StoreClient):
    """One that was never made is looked for no longer; a young one may be made any moment."""
    now_ms = await pair.now_ms(HERE)
    await client.command("ZADD", TRANSFERS, now_ms - 2 * 3_600_000, f"{HERE}:old")
    await client.command("ZADD", TRANSFERS, now_ms - 60_000, f"{HERE}:young")
    await pair.wallet.finish_pending()

    assert [f"{HERE}:young"] == await waiting(pair)


async def test_many_that_were_refused_are_in_nobodys_way(pair: Ledger, client: StoreClient):
    """Each that is asked for in vain stays announced for an hour; one that a crash left is finished all the same."""
    now_ms = await pair.now_ms(HERE)
    refused = [text for n in range(300) for text in (now_ms - 60_000, f"{HERE}:refused-{n}")]
    await client.command("ZADD", TRANSFERS, *refused)
    with pytest.raises(LedgerUnavailable):
        await Ledger(Breaking(client, 7, after=True)).wallet.transfer(HERE, "t", THERE, 30 * CREDIT)

    assert 1 == await pair.wallet.finish_pending()
    assert (70 * CREDIT, 30 * CREDIT) == await available(pair)


async def test_a_receiver_that_cannot_take_it_yet(pair: Ledger, client: StoreClient):
    """It was taken, and the receiver got too much in between: it waits, is told, and is given when there is room."""
    with pytest.raises(LedgerUnavailable):
        await Ledger(Breaking(client, 7, after=True)).wallet.transfer(HERE, "t", THERE, 30 * CREDIT)
    await pair.grant(THERE, "most", MOST)
    with pytest.raises(LedgerConflict, match="waits for team there to be able to take it"):
        await pair.wallet.finish_pending()
    await pair.wallet.transfer(THERE, "back", HERE, 30 * CREDIT)

    assert 1 == await pair.wallet.finish_pending()
    assert (100 * CREDIT, MOST) == await available(pair)


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"amount": 0}, LedgerInvalid, "from 0.000001 to"),
        ({"amount": -1}, LedgerInvalid, "from 0.000001 to"),
        ({"amount": 10**16}, LedgerInvalid, "from 0.000001 to"),
        ({"transfer_id": ""}, LedgerInvalid, "transfer id is missing"),
        ({"transfer_id": "a:b"}, LedgerInvalid, "leave the ':' out"),
        ({"to": "../x"}, LedgerInvalid, "team id"),
        ({"to": HERE}, LedgerInvalid, "has its credits already"),
        ({"to": "nobody"}, LedgerNoTeam, "no team nobody"),
        ({"team_id": "nobody"}, LedgerNoTeam, "no team nobody"),
        ({"to": "stranger"}, LedgerInvalid, "not of one organisation"),
        ({"team_id": "stranger", "to": "loner"}, LedgerInvalid, "not of one organisation"),
    ],
)
async def test_what_cannot_be_handed_on(pair: Ledger, words: dict[str, Any], error: type[Exception], message: str):
    """Each says what is wrong, and nothing was changed or announced."""
    for team_id in ("stranger", "loner"):
        await pair.put_team(TeamRecord(team_id))
    wanted: dict[str, Any] = {"team_id": HERE, "transfer_id": "t", "to": THERE, "amount": 5, **words}
    with pytest.raises(error, match=message):
        await pair.wallet.transfer(**wanted)

    assert (100 * CREDIT, 0) == await available(pair)
    assert [] == await waiting(pair)


async def test_a_receiver_with_too_much_is_told_before(pair: Ledger):
    """What a team may have in all is bounded: nothing is taken that could not be given."""
    await pair.grant(THERE, "most", MOST)
    with pytest.raises(LedgerInvalid, match="more than 9000000000 credits"):
        await pair.wallet.transfer(HERE, "t", THERE, 1)

    assert (100 * CREDIT, MOST) == await available(pair)


@pytest.mark.parametrize("lost", ["giver's half", "receiver's half"])
async def test_a_half_that_is_gone_is_named(pair: Ledger, client: StoreClient, lost: str):
    """A store that has lost one of the two tells it: in the proof of the team that still has the other."""
    await pair.wallet.transfer(HERE, "t", THERE, 5)
    side, key, field = {
        "giver's half": (THERE, TeamKeys(HERE).transfers, "t"),
        "receiver's half": (HERE, TeamKeys(THERE).grants, "transfer:here:t"),
    }[lost]
    await client.command("HDEL", key, field)
    names = {
        "giver's half": "transfer t of team here", "receiver's half": "grant of transfer t in team there",
    }  # fmt: skip

    assert [names[lost]] == [each.what for each in (await pair.verify(side)).differences]


@pytest.mark.parametrize("lost", [HERE, THERE])
async def test_doing_it_again_mends_what_a_store_lost(pair: Ledger, client: StoreClient, lost: str):
    """One team's whole history is gone and was made again: the same transfer does the half that is missing, once."""
    await pair.wallet.transfer(HERE, "t", THERE, 30 * CREDIT)
    keys = TeamKeys(lost)
    for key in (keys.team, keys.bal, keys.grants, keys.transfers, keys.journal):
        await client.command("DEL", key)
    await pair.put_team(TeamRecord(lost, organisation="studio"))
    if lost == HERE:
        await pair.grant(HERE, "opening", 100 * CREDIT)
    for _ in range(2):
        await pair.wallet.transfer(HERE, "t", THERE, 30 * CREDIT)

    assert (70 * CREDIT, 30 * CREDIT) == await available(pair)


@pytest.mark.parametrize("grant_id", ["transfer:here:t", "allowance:monthly:2026-01-01"])
async def test_nobody_gives_under_the_names_of_the_ledger(pair: Ledger, grant_id: str):
    """A grant by hand can be mistaken for neither a transfer nor a recurring grant."""
    with pytest.raises(LedgerInvalid, match="are the ledger's own"):
        await pair.grant(THERE, grant_id, 5)


def test_the_two_are_in_two_places():
    """On a cluster of three these two teams are on two nodes, so these tests are of that too."""
    assert slot_of(TeamKeys(HERE).bal) * 3 // 16384 != slot_of(TeamKeys(THERE).bal) * 3 // 16384
