"""Both halves of transfers held against each other: what a team handed on its receiver has, what it got was handed on.

Read one by one from the other teams' places, after the team's own snapshot: a giver's half is written before the
receiver's and noted as given after it, so what is on its way is no difference.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.keys import TeamKeys
from gatekeeper.ledger.reports import Difference
from gatekeeper.ledger.scripts import Snapshot
from gatekeeper.ledger.wallet import transfer_grant
from gatekeeper.ledger.walletscripts import parse_transfer

AT_ONCE: Final = 100
"""Halves read in one pipeline."""

Half = tuple[str, str, str, str]
"""The key and field of the other half, what this half is called, and how the other one must begin or read."""


async def unbalanced(client: StoreClient, team_id: str, snapshot: Snapshot) -> tuple[Difference, ...]:
    """Every transfer of or to the team whose other half is not what it should be."""
    found: list[Difference] = []
    halves = [*_given(team_id, snapshot), *_got(team_id, snapshot)]
    for some in (halves[at : at + AT_ONCE] for at in range(0, len(halves), AT_ONCE)):
        others = await asyncio.gather(*(client.command("HGET", key, field, bulk=True) for key, field, _, _ in some))
        found += (
            Difference(what, str(other), wanted)
            for other, (_, _, what, wanted) in zip(others, some, strict=True)
            if _essence(other) != wanted
        )
    return tuple(found)


def _given(team_id: str, snapshot: Snapshot) -> Iterator[Half]:
    for name, text in snapshot.transfers.items():
        try:
            transfer = parse_transfer(name, text)
        except LedgerBroken:
            continue  # a difference already
        if not transfer.pending:
            grant_id = transfer_grant(team_id, name)
            what = f"grant of transfer {name} in team {transfer.to}"
            yield TeamKeys(transfer.to).grants, grant_id, what, str(transfer.amount)


def _got(team_id: str, snapshot: Snapshot) -> Iterator[Half]:
    for grant_id, text in snapshot.grants.items():
        kind, _, rest = grant_id.partition(":")
        giver, _, name = rest.partition(":")
        if kind == "transfer":
            yield TeamKeys(giver).transfers, name, f"transfer {name} of team {giver}", f"{team_id} {text}"


def _essence(other: str | None) -> str:
    """Of a giver's half the receiver and the amount; a receiver's half is the amount."""
    parts = (other or "").split("\t")
    return f"{parts[1]} {parts[2]}" if len(parts) > 2 else parts[0]
