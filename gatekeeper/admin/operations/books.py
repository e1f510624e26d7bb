"""The books: the journal page by page, what credits went into, and whether every figure can be derived again."""

from gatekeeper.admin.bodies import JournalQuery, UsageQuery
from gatekeeper.admin.bookdocuments import (
    DifferenceDocument,
    EntryDocument,
    JournalDocument,
    VerdictDocument,
    VerifyDocument,
)
from gatekeeper.admin.operations.asking import team_of
from gatekeeper.admin.problems import AdminProblem
from gatekeeper.core.rejection import Rejected
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Entry
from gatekeeper.ledger.reports import VerifyReport
from gatekeeper.web.usagereport import UsageReport, usage_report


async def read_journal(ledger: Ledger, team_id: str, query: JournalQuery) -> JournalDocument:
    """So many entries behind that one."""
    await team_of(ledger, team_id)
    entries = await ledger.journal(team_id, query.after, query.count)
    is_full = len(entries) == query.count
    return JournalDocument(
        entries=[entry_document(entry) for entry in entries],
        next_after=entries[-1].seq if is_full else None,
        cut_seq=(await ledger.checkpoint(team_id)).seq,
    )


async def read_usage(ledger: Ledger, team_id: str, query: UsageQuery) -> UsageReport:
    """What the team's credits went into; `web.usagereport` has it as JSON and as CSV."""
    team = await team_of(ledger, team_id)
    asked = {name: value for name, value in query.model_dump(by_alias=True).items() if value}
    try:
        return await usage_report(ledger, team, asked)
    except Rejected as refused:
        raise AdminProblem("invalid", refused.rejection.detail) from None


async def verify(ledger: Ledger, team_id: str | None) -> VerifyDocument:
    """Derive every figure again: of one team, or of all by id."""
    if team_id:
        await team_of(ledger, team_id)
        teams = [team_id]
    else:
        teams = sorted({each async for each in ledger.teams()})
    verdicts = [verdict_document(await ledger.verify(each)) for each in teams]
    return VerifyDocument(clean=all(verdict.clean for verdict in verdicts), teams=verdicts)


def verdict_document(report: VerifyReport) -> VerdictDocument:
    """One team's verdict; a difference names the figure, what is stored and what the journal says."""
    return VerdictDocument(
        team=report.team,
        clean=report.clean,
        seq=report.seq,
        entries=report.entries,
        trusted_seq=report.trusted_seq,
        differences=[DifferenceDocument(what=d.what, stored=d.stored, derived=d.derived) for d in report.differences],
    )


def entry_document(entry: Entry) -> EntryDocument:
    """A journal entry as an answer has it; empty fields are null."""
    said = {name: value or None for name, value in entry.fields.items()}
    return EntryDocument(
        seq=entry.seq,
        at=entry.at_ms,
        kind=entry.kind,
        id=entry.hold_id,
        credits=entry.amount,
        charged=entry.charged,
        hold_seq=int(entry.fields.get("hold_seq") or 0) or None,
        project=said.get("project"),
        member=said.get("member"),
        key_id=said.get("key"),
        price_list=said.get("price_list"),
        usage=said.get("usage"),
        why=said.get("why"),
        actor=said.get("actor"),
        meta=said.get("meta"),
    )
