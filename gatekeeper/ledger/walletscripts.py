"""One typed coroutine for each script of the wallet: names to KEYS and ARGV, the reply to a value. Decides nothing."""

from dataclasses import dataclass
from enum import StrEnum

from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerBroken, LedgerInvalid
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.lua import script
from gatekeeper.ledger.scripts import unusual
from gatekeeper.ledger.walletrecords import Refund, Refunded, Transfer, WalletStatus


class NoRefund(StrEnum):
    """Why a charge cannot be refunded by the entry that was named."""

    GONE = "gone"  # its entries were cut off the journal, or never were in it
    SUPERSEDED = "superseded"  # a late result came in its place
    UNSURE = "unsure"  # whether one came is no longer remembered


class Stage(StrEnum):
    """Where a transfer stands."""

    TAKEN = "taken"  # taken from the giver by this call
    PENDING = "pending"  # taken before, and not noted as given
    GIVEN = "given"  # noted as given


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """What refund.lua is asked: `amount` None is all that is left, `sure` that no late result followed the charge."""

    refund_id: str
    seq: int
    amount: int | None
    hold_id: str
    why: str = ""
    actor: str = ""
    sure: bool = False


@dataclass(frozen=True, slots=True)
class TransferOrder:
    """What transfer.lua is asked."""

    transfer_id: str
    to: str
    amount: int
    why: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Other:
    """The transfer that has this id already."""

    to: str
    amount: int


@dataclass(frozen=True, slots=True)
class Staged:
    """Where a transfer stands after transfer.lua; `available` is the giver's, `seq` 0 if nothing was written."""

    stage: Stage
    available: int
    seq: int
    at_ms: int


async def refund(client: StoreClient, team: str, order: RefundOrder) -> Refunded | NoRefund:
    """Run refund.lua. Raises LedgerInvalid for an entry that charged nothing and for more than is left of a charge."""
    keys = TeamKeys(team)
    names = [keys.bal, keys.refunds, keys.journal, keys.done_of(order.hold_id), keys.usage_of(order.hold_id)]
    args: list[str | int] = [
        order.refund_id, order.seq, "" if order.amount is None else order.amount, order.why, order.actor,
        order.hold_id, int(order.sure),
    ]  # fmt: skip
    reply = await client.run(script("refund"), names, args)
    match reply:
        case ["REFUNDED" | "DUPLICATE" | "MISMATCH" as status, amount, refunded, charged, available, seq]:
            said = WalletStatus.GRANTED if status == "REFUNDED" else WalletStatus(status.lower())
            return Refunded(said, int(amount), int(refunded), int(charged), int(available), int(seq))
        case ["CAPPED", left, refunded]:
            raise LedgerInvalid(
                f"entry {order.seq} of team {team} has {credits_text(int(left))} credits left to refund, after "
                f"{credits_text(int(refunded))} refunded: "
                "ask for that at most"
            )
        case ["NO_CHARGE", kind]:
            raise LedgerInvalid(f"entry {order.seq} of team {team} is a {kind} and charged nothing: nothing to refund")
        case ["GONE" | "SUPERSEDED" | "UNSURE" as why]:
            return NoRefund(why.lower())
    raise unusual("refund", team, reply)


async def transfer(client: StoreClient, team: str, order: TransferOrder, *, given: bool = False) -> Staged | Other:
    """Run transfer.lua on the giver. Raises LedgerInvalid if it has not so much to hand on."""
    keys = TeamKeys(team)
    args: list[str | int] = [order.transfer_id, order.to, order.amount, order.why, order.actor, int(given)]
    reply = await client.run(script("transfer"), [keys.bal, keys.transfers, keys.journal], args)
    match reply:
        case ["TAKEN" | "PENDING" | "GIVEN" as stage, available, seq, at]:
            return Staged(Stage(stage.lower()), int(available), int(seq), int(at))
        case ["MISMATCH", to, amount]:
            return Other(to, int(amount))
        case ["SHORT", pot, available]:
            has, all_of_it = credits_text(int(pot)), credits_text(int(available))
            others = "" if has == all_of_it else f": of its {all_of_it} available ones only those that never expire"
            raise LedgerInvalid(f"team {team} can hand on {has} credits, not {credits_text(order.amount)}{others}")
        case ["NONE"]:
            raise LedgerBroken(f"team {team} has no transfer {order.transfer_id}: the store has lost it")
    raise unusual("transfer", team, reply)


def parse_refund(refund_id: str, text: str) -> Refund:
    """A refund as it is stored."""
    try:
        charge_seq, amount, hold_id, at, seq = text.split("\t")
        return Refund(refund_id, hold_id, int(charge_seq), int(amount), int(at), int(seq))
    except ValueError as error:
        raise LedgerBroken(f"refund {refund_id} cannot be read: {error}") from error


def parse_transfer(transfer_id: str, text: str) -> Transfer:
    """A transfer as it is stored with the giver."""
    try:
        state, to, amount, at, seq = text.split("\t")
        return Transfer(transfer_id, to, int(amount), int(at), int(seq), pending=state == "p")
    except ValueError as error:
        raise LedgerBroken(f"transfer {transfer_id} cannot be read: {error}") from error
