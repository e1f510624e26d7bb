"""What the wallet says: refunds, transfers, recurring grants. Frozen values, no behaviour.

Money and instants are those of `records`: int micro-credits, int milliseconds since 1970 UTC by the store's clock.
"""

from dataclasses import dataclass
from enum import StrEnum


class WalletStatus(StrEnum):
    """What a refund or a transfer met: new, the same again, or the same id with another content."""

    GRANTED = "granted"
    DUPLICATE = "duplicate"
    MISMATCH = "mismatch"


@dataclass(frozen=True, slots=True)
class Refunded:
    """What a refund did. For `duplicate` and `mismatch`, `amount` is what was given back before under this id.

    `refunded` is all that was given back of the charge, `charged` what is left of it, `available` the team's (below
    zero: debt), `seq` the journal entry, 0 where nothing was written.
    """

    status: WalletStatus
    amount: int
    refunded: int
    charged: int
    available: int
    seq: int


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund that was given: of which hold, by which journal entry that had charged it."""

    id: str
    hold_id: str
    charge_seq: int
    amount: int
    at_ms: int
    seq: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """What a transfer did. For `mismatch`, `to` and `amount` are those of the transfer that has this id."""

    status: WalletStatus
    to: str
    amount: int
    available: int
    seq: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Credits that were handed on to another team. `pending`: that team has not got them yet, and will."""

    id: str
    to: str
    amount: int
    at_ms: int
    seq: int
    pending: bool


@dataclass(frozen=True, slots=True)
class Given:
    """A recurring grant that was given now."""

    grant_id: str
    amount: int
    expires_at_ms: int | None
