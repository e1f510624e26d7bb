"""Credits that move otherwise than by a hold: back to a team as a refund, and on to another team of its organisation.

Each act is idempotent by the id it carries. A refund is one step of its team. A transfer is two, for two teams are two
places of the store: the giver's comes first and is noted as pending, so credits may be on their way for a moment and
are never in two places; whoever comes next finishes what a crash left there.
"""

import asyncio
from typing import Final

from gatekeeper.core.credits import credits_text
from gatekeeper.ledger import bounds, looking, scripts, walletscripts
from gatekeeper.ledger.charges import entry_at, find_charge, last_end
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.codec import pairs
from gatekeeper.ledger.errors import LedgerConflict, LedgerError, LedgerInvalid, LedgerNoTeam
from gatekeeper.ledger.keys import TRANSFERS, TeamKeys
from gatekeeper.ledger.records import CREDITS_MAX, GrantStatus
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.ledger.walletrecords import Refund, Refunded, Transfer, Transferred, WalletStatus
from gatekeeper.ledger.walletscripts import (
    NoRefund,
    Other,
    RefundOrder,
    Stage,
    TransferOrder,
    parse_refund,
    parse_transfer,
)

PENDING_MAX: Final = 10_000
"""Transfers looked at in one go, the oldest first. What crashes left is a handful; but what was refused is announced
too, for an hour, and whoever tries hundreds of those must not keep the others from being finished."""
NEVER_MADE_MS: Final = 3_600_000
"""A transfer that was announced and not made for so long never will be: a call is over within seconds."""

_OF: Final = "of:"


class Wallet:
    """The refunds and transfers of all teams of a store."""

    def __init__(self, client: StoreClient) -> None:
        self._client = client

    # Refunds

    async def refund(  # what a journal entry has, each by its name
        self,
        team_id: str,
        refund_id: str,
        amount: int | None = None,
        *,
        hold_id: str = "",
        seq: int | None = None,
        why: str = "",
        actor: str = "",
    ) -> Refunded:
        """Give back `amount` of what a hold was charged, all that is left of it without one; once per refund id.

        The charge is the hold's (`hold_id`), or that of journal entry `seq`. What comes back never expires. Raises
        LedgerNoTeam, and LedgerInvalid: nothing was charged, less is left than asked, or the entries that tell are no
        longer in the journal.
        """
        bounds.check_team_id(team_id)
        bounds.check_act_id("refund id", refund_id)
        if amount is not None:
            bounds.check_amount(amount, least=1)
        bounds.check_text("why", why, bounds.REASON_CHARS_MAX)
        bounds.check_name("actor", actor)
        if bool(hold_id) is (seq is not None):
            raise LedgerInvalid("a refund names the hold or the journal entry that charged it: one of the two")
        order, sure = await self._order(team_id, refund_id, hold_id, seq)
        order = RefundOrder(refund_id, order.seq, amount, order.hold_id, why, actor)
        result = await walletscripts.refund(self._client, team_id, order)
        if result is NoRefund.UNSURE:
            result = await self._refund_surely(team_id, order, sure)
        if isinstance(result, NoRefund):
            raise LedgerInvalid(_WHY_NOT[result].format(seq=order.seq, team=team_id))
        return result

    async def _order(self, team_id: str, refund_id: str, hold_id: str, seq: int | None) -> tuple[RefundOrder, bool]:
        """Which charge it is, and whether it is surely the hold's last. A refund that was given knows it by itself."""
        if hold_id:
            bounds.check_hold_id(hold_id)
        text = await self._client.command("HGET", TeamKeys(team_id).refunds, refund_id)
        known = parse_refund(refund_id, text) if text is not None else None
        if known is not None:
            same = hold_id == known.hold_id or seq == known.charge_seq
            return RefundOrder(refund_id, known.charge_seq if same else seq or 0, None, known.hold_id), True
        if await self._client.command("EXISTS", TeamKeys(team_id).team) == 0:
            raise LedgerNoTeam(f"the ledger knows no team {team_id}")
        if hold_id:
            entry, sure = await find_charge(self._client, team_id, hold_id)
            return RefundOrder(refund_id, entry.seq, None, hold_id), sure
        named = await entry_at(self._client, team_id, bounds.checked_seq(seq))
        if named is None:
            raise LedgerInvalid(_WHY_NOT[NoRefund.GONE].format(seq=seq, team=team_id))
        try:
            bounds.check_hold_id(named.hold_id)
        except LedgerInvalid:
            raise LedgerInvalid(f"entry {seq} of team {team_id} is a {named.kind}: it charged no hold") from None
        return RefundOrder(refund_id, named.seq, None, named.hold_id), False

    async def _refund_surely(self, team_id: str, order: RefundOrder, sure: bool) -> Refunded | NoRefund:
        """A charge by policy whose end is forgotten: no late result can come any more, but one may have come."""
        if not sure:
            later, sure = await last_end(self._client, team_id, order.hold_id, order.seq)
            if later is not None:
                return NoRefund.SUPERSEDED
        if not sure:
            return NoRefund.UNSURE
        order = RefundOrder(
            order.refund_id, order.seq, order.amount, order.hold_id, order.why, order.actor, sure=True
        )  # fmt: skip
        return await walletscripts.refund(self._client, team_id, order)

    async def refunds(self, team_id: str) -> tuple[Refund, ...]:
        """What was refunded to the team, oldest first."""
        bounds.check_team_id(team_id)
        stored = pairs(await self._client.command("HGETALL", TeamKeys(team_id).refunds, bulk=True))
        found = (parse_refund(name, text) for name, text in stored.items() if not name.startswith(_OF))
        return tuple(sorted(found, key=lambda each: each.seq))

    # Transfers

    async def transfer(
        self, team_id: str, transfer_id: str, to: str, amount: int, *, why: str = "", actor: str = ""
    ) -> Transferred:
        """Hand credits on to another team of the same organisation, once per transfer id of the giver.

        Only credits that are available and never expire. Raises LedgerNoTeam, and LedgerInvalid with what could be
        handed on. After LedgerUnavailable the same again does what is left to do; in a while so does the background.
        """
        bounds.check_team_id(team_id)
        bounds.check_team_id(to)
        bounds.check_act_id("transfer id", transfer_id)
        bounds.check_amount(amount, least=1)
        bounds.check_text("why", why, bounds.REASON_CHARS_MAX)
        bounds.check_name("actor", actor)
        order = TransferOrder(transfer_id, to, amount, why, actor)
        known = await self._client.command("HEXISTS", TeamKeys(team_id).transfers, transfer_id)
        if not known:
            await self._check_between(team_id, to, amount)
            await self._announce(team_id, transfer_id)
        staged = await walletscripts.transfer(self._client, team_id, order)
        if isinstance(staged, Other):
            return Transferred(WalletStatus.MISMATCH, staged.to, staged.amount, 0, 0)
        await self._give(team_id, order)  # also if it was: a store may have lost that half alone
        status = WalletStatus.GRANTED if staged.stage is Stage.TAKEN else WalletStatus.DUPLICATE
        return Transferred(status, to, amount, staged.available, staged.seq)

    async def transfers(self, team_id: str) -> tuple[Transfer, ...]:
        """What the team handed on, oldest first."""
        bounds.check_team_id(team_id)
        stored = pairs(await self._client.command("HGETALL", TeamKeys(team_id).transfers, bulk=True))
        return tuple(sorted((parse_transfer(*each) for each in stored.items()), key=lambda each: each.seq))

    async def finish_pending(self) -> int:
        """Give what was taken and, because of a crash, not given yet; how many were finished.

        Raises the first error after all were tried.
        """
        rows = pairs(await self._client.command("ZRANGE", TRANSFERS, 0, PENDING_MAX - 1, "WITHSCORES", bulk=True))
        problems: list[LedgerError] = []
        finished = 0
        for member, since in rows.items():
            giver, _, transfer_id = member.partition(":")
            try:
                finished += await self._finish(giver, transfer_id, int(float(since)))
            except LedgerError as error:
                problems.append(error)
        if problems:
            raise problems[0]
        return finished

    async def _finish(self, giver: str, transfer_id: str, since_ms: int) -> bool:
        text = await self._client.command("HGET", TeamKeys(giver).transfers, transfer_id)
        if text is None:
            if await looking.now_ms(self._client, giver) - since_ms > NEVER_MADE_MS:
                await self._client.command("ZREM", TRANSFERS, f"{giver}:{transfer_id}")
            return False
        left = parse_transfer(transfer_id, text)
        if not left.pending:
            await self._client.command("ZREM", TRANSFERS, f"{giver}:{transfer_id}")
            return False
        taken = await entry_at(self._client, giver, left.seq)
        why, actor = (taken.fields["why"], taken.fields["actor"]) if taken is not None else ("", "")
        await self._give(giver, TransferOrder(transfer_id, left.to, left.amount, why, actor))
        return True

    async def _give(self, giver: str, order: TransferOrder) -> None:
        """The second half: the receiver's grant, the note that it has it, and the end of the announcement."""
        grant_id = transfer_grant(giver, order.transfer_id)
        try:
            met = await scripts.grant(self._client, order.to, grant_id, order.amount, order.why, order.actor)
        except LedgerInvalid as error:
            raise LedgerConflict(
                f"transfer {order.transfer_id} of team {giver} waits for team {order.to} to be able to take it: {error}"
            ) from error
        if met is GrantStatus.MISMATCH:
            raise LedgerConflict(f"team {order.to} has another grant {grant_id} already; gatekeeper verify tells more")
        await walletscripts.transfer(self._client, giver, order, given=True)
        await self._client.command("ZREM", TRANSFERS, f"{giver}:{order.transfer_id}")

    async def _announce(self, giver: str, transfer_id: str) -> None:
        """Before anything is taken: from now on the background finds it."""
        await self._client.command(
            "ZADD", TRANSFERS, await looking.now_ms(self._client, giver), f"{giver}:{transfer_id}"
        )

    async def _check_between(self, team_id: str, to: str, amount: int) -> None:
        if team_id == to:
            raise LedgerInvalid(f"team {team_id} has its credits already: name another team")
        giver, receiver = await asyncio.gather(self._team(team_id), self._team(to))
        if not giver.organisation or giver.organisation != receiver.organisation:
            raise LedgerInvalid(
                f"teams {team_id} and {to} are not of one organisation; credits go on between teams whose records name "
                "the same one"
            )
        figures = await scripts.balance(self._client, to, ["team"])
        if figures.granted + amount > CREDITS_MAX:
            raise LedgerInvalid(
                f"team {to} would have been granted more than {credits_text(CREDITS_MAX)} credits in all"
            )

    async def _team(self, team_id: str) -> TeamRecord:
        record = await looking.team(self._client, team_id)
        if record is None:
            raise LedgerNoTeam(f"the ledger knows no team {team_id}")
        return record


def transfer_grant(giver: str, transfer_id: str) -> str:
    """The id of the grant by which the receiver gets a transfer."""
    return f"transfer:{giver}:{transfer_id}"


_WHY_NOT: Final = {
    NoRefund.GONE: "entry {seq} of team {team}, or its hold's, is not in the journal (any more): give a grant with a "
    "note instead",
    NoRefund.SUPERSEDED: "a late result came in place of the charge in entry {seq} of team {team}: refund that, or "
    "name the hold",
    NoRefund.UNSURE: "the charge in entry {seq} of team {team} is so long ago that nobody can tell quickly whether a "
    "late result replaced it: give a grant with a note instead",
}
