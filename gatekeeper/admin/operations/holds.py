"""Holds: what keeps credits aside now, and the way to end by hand what neither its result nor time will end."""

from gatekeeper.admin.bodies import PageQuery, ReleaseBody, SettleBody
from gatekeeper.admin.bookdocuments import HoldDocument, HoldEnded, HoldList
from gatekeeper.admin.operations.asking import Who, chosen, page_of, team_of
from gatekeeper.admin.problems import AdminProblem, invalid
from gatekeeper.core.credits import credits_text
from gatekeeper.core.rejection import quoted
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.looking import HOLDS_MAX
from gatekeeper.ledger.records import HoldState, Settlement, SettleStatus
from gatekeeper.ledger.reports import OpenHold
from gatekeeper.web.answers import iso_time


async def list_holds(ledger: Ledger, team_id: str, page: PageQuery) -> HoldList:
    """The team's open holds, the oldest first (an id begins with its time)."""
    await team_of(ledger, team_id)
    holds, cursor = page_of(await ledger.holds(team_id, HOLDS_MAX), page, lambda hold: hold.hold_id)
    return HoldList(holds=[hold_document(hold) for hold in holds], next_cursor=cursor)


async def get_hold(ledger: Ledger, team_id: str, hold_id: str) -> HoldDocument:
    """One hold, if it is open."""
    await team_of(ledger, team_id)
    _check_hold_id(team_id, hold_id)
    hold = await ledger.open_hold(hold_id, team_id)
    if hold is None:
        raise _no_hold(team_id, hold_id)
    return hold_document(hold)


async def settle_hold(ledger: Ledger, team_id: str, hold_id: str, body: SettleBody, who: Who) -> HoldEnded:
    """End a hold and charge what it came to; the same again changes nothing."""
    return await _end(ledger, team_id, hold_id, body.credits, who.because(body.why), running=body.running)


async def release_hold(ledger: Ledger, team_id: str, hold_id: str, body: ReleaseBody, who: Who) -> HoldEnded:
    """End a hold and charge nothing; the same again changes nothing."""
    return await _end(ledger, team_id, hold_id, 0, who.because(body.why), running=body.running)


async def _end(ledger: Ledger, team_id: str, hold_id: str, amount: int, who: Who, *, running: bool) -> HoldEnded:
    await team_of(ledger, team_id)
    _check_hold_id(team_id, hold_id)
    if not who.why.strip():
        raise invalid("why", "is missing", "Say why, for whoever reads the journal.")
    hold = await ledger.open_hold(hold_id, team_id)
    met = await ledger.terms.ended(hold_id, team_id) if hold is None else hold
    if hold is not None and hold.state is HoldState.HELD and not running:
        raise AdminProblem(
            "hold_running",
            f"Hold {hold_id} is held: its generation runs, and its own result or its deadline "
            f"({iso_time(hold.deadline_ms or 0)}) ends it. With `running` it is ended now and the result not booked.",
        )
    if met is not None and amount > met.amount:
        raise invalid("credits", f"the hold is of {credits_text(met.amount)} credits: nobody agreed to more")
    outcome = f"by hand ({who.actor}): {who.why}"[: bounds.REASON_CHARS_MAX]
    return _ended(team_id, hold_id, await ledger.settle(hold_id, team_id, amount, outcome=outcome))


def _ended(team_id: str, hold_id: str, done: Settlement) -> HoldEnded:
    if done.status is SettleStatus.GONE:
        raise _no_hold(team_id, hold_id)
    if done.status is SettleStatus.MISMATCH:
        raise AdminProblem(
            "hold_ended",
            f"Hold {hold_id} is {done.was or 'gone'} already, with {credits_text(done.charged)} credits charged; "
            "nothing was changed.",
        )
    return HoldEnded(
        id=hold_id,
        status=done.status,
        was=done.was,
        credits_charged=done.charged,
        credits_freed=done.freed,
        credits_available=done.available,
    )


def _check_hold_id(team_id: str, hold_id: str) -> None:
    try:
        bounds.check_hold_id(hold_id)
    except LedgerInvalid:
        raise _no_hold(team_id, hold_id) from None


def _no_hold(team_id: str, hold_id: str) -> AdminProblem:
    detail = f"Team {team_id} has no hold {quoted(hold_id)}: there never was one, or it has ended."
    return AdminProblem("hold_not_found", detail)


def hold_document(hold: OpenHold) -> HoldDocument:
    """A hold as an answer has it."""
    return HoldDocument(
        id=hold.hold_id,
        state=hold.state,
        credits=hold.amount,
        held_at=hold.held_at_ms,
        deadline=hold.deadline_ms,
        grace_s=hold.grace_ms / 1000,
        on_unknown=hold.on_unknown,
        follows_job=hold.follows_job,
        project=chosen(hold.project),
        member=chosen(hold.member),
        key_id=chosen(hold.key_id),
        price_list=chosen(hold.price_list),
        seq=hold.seq,
    )
