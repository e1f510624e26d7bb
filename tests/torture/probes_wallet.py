"""Probes of refunds, transfers and raised limits: each a short scene with its expected end."""

from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.records import Held, HoldContext, OnUnknown, Refused
from gatekeeper.ledger.teamrecord import Limit, Per, TeamRecord
from gatekeeper.ledger.walletrecords import Refunded, WalletStatus
from gatekeeper.ledger.walletscripts import (
    NoRefund,
    Other,
    RefundOrder,
    Stage,
    TransferOrder,
    refund,
    transfer,
)
from tests.torture.bench import GRANT, Bench

TO = "bench-other"


async def charged(bench: Bench, amount: int = 30) -> tuple[str, int]:
    """A hold that was charged, and the entry of that."""
    hold = await bench.held(40)
    return hold.hold_id, (await bench.ledger.settle(hold.hold_id, bench.team, amount)).seq


async def guessed(bench: Bench) -> tuple[str, int]:
    """A hold of 40 that time has charged, and the entry of that."""
    hold = await bench.held(40, ttl_ms=0, on_unknown=OnUnknown.CHARGE)
    expiry = await bench.ledger.expire_due(bench.team)
    return hold.hold_id, expiry.transitions[-1].seq


async def given(bench: Bench, name: str, seq: int, amount: int | None, hold_id: str) -> tuple[str, int, int] | str:
    """Refund past everything that Python looks at; status, amount and what is left of the charge."""
    met = await refund(bench.client, bench.team, RefundOrder(name, seq, amount, hold_id))
    return (met.status.value, met.amount, met.charged) if isinstance(met, Refunded) else met.value


async def odd_refunds(bench: Bench) -> None:
    """A name without a colon, digits for the entry and the amount, and the hold that the entry is about."""
    hold_id, seq = await charged(bench)
    other, _ = await charged(bench, 1)
    before = await bench.all()
    ids, amounts = [(0, value, "refund id") for value in ("of:3", "a\tb", "")], ("-1", "0", "1e3")
    for place, value, what in (*ids, (1, "1e0", "sequence"), *((2, value, "amount") for value in amounts)):
        assert f"refuses its {what}" in await bench.bent("refund", place, value, given(bench, "r", seq, 5, hold_id))
    assert "refuses its hold id" in await bench.refused_as(given(bench, "r", seq, 5, other))
    assert before == await bench.all()


async def refund_of_nobody(bench: Bench) -> None:
    """A team that is not there has nothing to refund."""
    order = RefundOrder("r", 1, 5, bench.id())
    assert "LedgerNoTeam" in await bench.refused_as(refund(bench.client, "bench-none", order))


async def refunds_once(bench: Bench) -> None:
    """An id is one refund: the same words find it, others are told apart."""
    hold_id, seq = await charged(bench)
    other, another = await charged(bench)
    assert ("granted", 5, 25) == await given(bench, "r", seq, 5, hold_id)
    for amount in (5, None):
        assert ("duplicate", 5, 25) == await given(bench, "r", seq, amount, hold_id)
    assert ("mismatch", 5, 25) == await given(bench, "r", seq, 6, hold_id)
    assert ("mismatch", 5, 25) == await given(bench, "r", another, 5, other)
    assert (GRANT - 55, 0, 55) == await bench.figures()
    await bench.assert_clean()


async def refunds_are_capped(bench: Bench) -> None:
    """Together they are at most the charge, and when it is used up there is nothing."""
    hold_id, seq = await charged(bench)
    assert "has 0.00003 credits left" in await bench.refused_as(given(bench, "r", seq, 31, hold_id))
    assert ("granted", 20, 10) == await given(bench, "r", seq, 20, hold_id)
    assert "has 0.00001 credits left" in await bench.refused_as(given(bench, "s", seq, 11, hold_id))
    assert ("granted", 10, 0) == await given(bench, "s", seq, None, hold_id)
    for amount in (1, None):
        assert "has 0 credits left" in await bench.refused_as(given(bench, "t", seq, amount, hold_id))
    assert (GRANT, 0, 0) == await bench.figures()
    await bench.assert_clean()


async def refund_of_what(bench: Bench) -> None:
    """Only of what charged something, and only while the journal has the charge and its hold."""
    hold_id, seq = await charged(bench)
    guess, _ = await guessed(bench)
    nothing = (await bench.ledger.settle(guess, bench.team, 0)).seq
    assert "is a late and charged nothing" in await bench.refused_as(given(bench, "r", nothing, None, guess))
    assert "is a hold and charged nothing" in await bench.refused_as(given(bench, "r", seq - 1, 5, hold_id))
    assert "gone" == await given(bench, "r", 10**6, 5, hold_id)
    await bench.client.command("XTRIM", bench.keys.journal, "MINID", f"{seq}-0")
    assert "gone" == await given(bench, "r", seq, 5, hold_id)


async def refund_of_a_guess(bench: Bench) -> None:
    """A charge by policy is refunded until a result comes; then the hold costs what that says, and no longer the guess.
    Nobody takes a forgotten end for one that never was."""
    guess, seq = await guessed(bench)
    assert ("granted", 40, 0) == await given(bench, "r", seq, None, guess)
    assert ("late", 25) == await bench.settle(guess, 25)
    assert (GRANT - 25, 0, 25) == await bench.figures()
    (row,) = await bench.ledger.usage.rows(bench.team, 0, 10**15)
    assert (25, 1, 0) == (row.credits, row.generations, row.released)
    assert NoRefund.SUPERSEDED == await given(bench, "s", seq, 5, guess)
    await bench.assert_clean()
    await bench.client.command("DEL", bench.keys.done_of(guess))
    assert NoRefund.UNSURE == await given(bench, "s", seq, 5, guess)


async def refund_of_an_orphan(bench: Bench) -> None:
    """What was booked without a hold comes back as well: counters that are nothing then are written as such."""
    hold_id = bench.id()
    context = HoldContext(30, member="amy", usage="m|image|1K|||")
    seq = (await bench.ledger.settle(hold_id, bench.team, 30, context=context, outputs=2)).seq
    assert ("granted", 30, 0) == await given(bench, "r", seq, None, hold_id)
    assert [(0, 2)] == [(row.credits, row.outputs) for row in await bench.ledger.usage.rows(bench.team, 0, 10**15)]
    assert ["0:0"] * 5 == (await bench.counters("member:amy")).split("|")[:5]
    await bench.assert_clean()


async def handed_on(
    bench: Bench, name: str, amount: int, to: str = TO, *, noted: bool = False
) -> tuple[str, int] | str:
    """Take past everything that Python looks at: the stage and what is available; or whose the id is."""
    met = await transfer(bench.client, bench.team, TransferOrder(name, to, amount), given=noted)
    return f"{met.to} {met.amount}" if isinstance(met, Other) else (met.stage.value, met.available)


async def odd_transfers(bench: Bench) -> None:
    """A name without a colon, a team's name, and digits above 0."""
    before = await bench.all()
    ids, amounts = [(0, value, "transfer id") for value in ("a:b", "a\nb", "")], ("-1", "0", "1e0")
    teams = [(1, value, "team") for value in ('b"}', "")]
    for place, value, what in (*ids, *teams, *((2, value, "amount") for value in amounts)):
        assert f"refuses its {what}" in await bench.bent("transfer", place, value, handed_on(bench, "t", 5))
    assert before == await bench.all()


async def transfer_of_nobody(bench: Bench) -> None:
    """A team that is not there has nothing to hand on."""
    call = transfer(bench.client, "bench-none", TransferOrder("t", TO, 5))
    assert "LedgerNoTeam" in await bench.refused_as(call)


async def transfers_once(bench: Bench) -> None:
    """An id is one transfer, pending until it is noted as given; what was not taken cannot be noted."""
    assert "the store has lost it" in await bench.refused_as(handed_on(bench, "t", 5, noted=True))
    assert (Stage.TAKEN, GRANT - 5) == await handed_on(bench, "t", 5)
    assert (Stage.PENDING, GRANT - 5) == await handed_on(bench, "t", 5)
    assert f"{TO} 5" == await handed_on(bench, "t", 6) == await handed_on(bench, "t", 5, "bench-third")
    assert (Stage.GIVEN, GRANT - 5) == await handed_on(bench, "t", 5, noted=True)
    assert (Stage.GIVEN, GRANT - 5) == await handed_on(bench, "t", 5)
    assert ["transfer"] == await bench.kinds()


async def only_the_pot(bench: Bench) -> None:
    """Neither what is held nor what expires is handed on."""
    await bench.ledger.grant(bench.team, "lot", 50, expires_at_ms=bench.now_ms + DAY_MS)
    await bench.held(70)
    assert "can hand on 0.00008 credits, not 0.000081" in await bench.refused_as(handed_on(bench, "t", 81))
    await bench.ledger.grant(bench.team, "more", 50, expires_at_ms=bench.now_ms + DAY_MS)
    assert "not 0.000081: of its 0.00013 " in await bench.refused_as(handed_on(bench, "t", 81))
    assert (Stage.TAKEN, 50) == await handed_on(bench, "t", 80)
    await bench.assert_clean()


async def both_halves(bench: Bench) -> None:
    """A transfer is one entry here and one grant there."""
    for name in (bench.team, f"{bench.team}-too"):
        await bench.ledger.put_team(TeamRecord(name, organisation="bench"))
    met = await bench.ledger.wallet.transfer(bench.team, "t", f"{bench.team}-too", 5)
    assert (WalletStatus.GRANTED, 5) == (met.status, (await bench.ledger.balance(met.to)).available)
    await bench.assert_clean()


async def raised_limits(bench: Bench) -> None:
    """Until its end the raised amount is in force, then the limit."""
    for until_ms, expected in ((bench.now_ms + DAY_MS, Held), (1, Refused)):
        limit = Limit("team", Per.LIFETIME, 5, 80, until_ms)
        await bench.ledger.put_team(TeamRecord(bench.team, limits=(limit,)))
        assert expected is type(await bench.hold(30))
    await bench.assert_clean()


WALLET_PROBES = (
    odd_refunds, refund_of_nobody, refunds_once, refunds_are_capped, refund_of_what, refund_of_a_guess,
    refund_of_an_orphan, odd_transfers, transfer_of_nobody, transfers_once, only_the_pot, both_halves, raised_limits,
)  # fmt: skip
