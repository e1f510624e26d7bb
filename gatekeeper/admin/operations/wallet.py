"""Credits that move otherwise than by a hold: given back for a charge, handed on to a team of the same organisation."""

from typing import Any

from gatekeeper.admin.bodies import PageQuery, RefundBody, TransferBody
from gatekeeper.admin.documents import RefundDocument, RefundList, RefundMade, TransferDocument, TransferList
from gatekeeper.admin.operations.asking import Created, Who, page_of, team_of
from gatekeeper.admin.problems import AdminProblem, differs, invalid
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.walletrecords import Refund, Transfer, Transferred, WalletStatus


async def list_refunds(ledger: Ledger, team_id: str, page: PageQuery) -> RefundList:
    """What the team was given back, by id."""
    await team_of(ledger, team_id)
    refunds, cursor = page_of(await ledger.wallet.refunds(team_id), page, lambda refund: refund.id)
    return RefundList(refunds=[RefundDocument(**_refund_facts(refund)) for refund in refunds], next_cursor=cursor)


async def give_refund(ledger: Ledger, team_id: str, body: RefundBody, who: Who) -> Created[RefundMade]:
    """Give back what a hold was charged, or a part of it; the same again changes nothing."""
    await team_of(ledger, team_id)
    if (body.hold_id is None) is (body.seq is None):
        raise invalid("hold_id", "a charge is named by its hold or by its journal entry", "Write hold_id, or seq.")
    why = who.because(body.why)
    done = await ledger.wallet.refund(
        team_id, body.id, body.credits, hold_id=body.hold_id or "", seq=body.seq, why=why.why, actor=why.actor
    )
    given = next((each for each in await ledger.wallet.refunds(team_id) if each.id == body.id), None)
    if given is None:
        raise AdminProblem("charge_not_found", f"Refund {body.id} of team {team_id} is not there; look at the journal.")
    if done.status is WalletStatus.MISMATCH:
        raise differs(f"a refund {body.id} of team {team_id}", _differing_refund(given, body))
    document = RefundMade(
        **_refund_facts(given), refunded=done.refunded, charged=done.charged, credits_available=max(0, done.available)
    )
    return Created(document, new=done.status is WalletStatus.GRANTED)


def _refund_facts(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "hold_id": refund.hold_id,
        "charge_seq": refund.charge_seq,
        "credits": refund.amount,
        "at": refund.at_ms,
        "seq": refund.seq,
    }


def _differing_refund(given: Refund, body: RefundBody) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    if body.credits is not None and given.amount != body.credits:
        found["credits"] = credits_number(given.amount), credits_number(body.credits)
    if body.hold_id is not None and given.hold_id != body.hold_id:
        found["hold_id"] = given.hold_id, body.hold_id
    if body.seq is not None and given.charge_seq != body.seq:
        found["seq"] = given.charge_seq, body.seq
    return found or {"credits": (credits_number(given.amount), None)}


async def list_transfers(ledger: Ledger, team_id: str, page: PageQuery) -> TransferList:
    """What the team handed on, by id."""
    await team_of(ledger, team_id)
    transfers, cursor = page_of(await ledger.wallet.transfers(team_id), page, lambda transfer: transfer.id)
    return TransferList(transfers=[_transfer_document(each) for each in transfers], next_cursor=cursor)


async def make_transfer(ledger: Ledger, team_id: str, body: TransferBody, who: Who) -> Created[TransferDocument]:
    """Hand credits on to a team of the same organisation; the same again changes nothing."""
    await team_of(ledger, team_id)
    await team_of(ledger, body.to)
    why = who.because(body.why)
    done = await ledger.wallet.transfer(team_id, body.id, body.to, body.credits, why=why.why, actor=why.actor)
    if done.status is WalletStatus.MISMATCH:
        raise differs(f"a transfer {body.id} of team {team_id}", _differing_transfer(done, body))
    made = next((each for each in await ledger.wallet.transfers(team_id) if each.id == body.id), None)
    if made is None:
        raise AdminProblem("changed_meanwhile", f"Transfer {body.id} of team {team_id} is not there; send it again.")
    return Created(_transfer_document(made), new=done.status is WalletStatus.GRANTED)


def _differing_transfer(done: Transferred, body: TransferBody) -> dict[str, tuple[Any, Any]]:
    found: dict[str, tuple[Any, Any]] = {}
    if done.to != body.to:
        found["to"] = done.to, body.to
    if done.amount != body.credits:
        found["credits"] = credits_number(done.amount), credits_number(body.credits)
    return found


def _transfer_document(transfer: Transfer) -> TransferDocument:
    return TransferDocument(
        id=transfer.id,
        to=transfer.to,
        credits=transfer.amount,
        at=transfer.at_ms,
        seq=transfer.seq,
        pending=transfer.pending,
    )
