"""What there is to tell about one team: its points that are reached, and the causes of its projects' spend, as events.

Reads the ledger and decides nothing: points are `thresholds`', causes `diagnoses`'. Whether something was told already
is the watcher's question.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gatekeeper.catalog import Catalog
from gatekeeper.ledger.alerts import Spender
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import LimitUsage, UsageRow
from gatekeeper.ledger.teamrecord import Limit, Per, Project, TeamRecord
from gatekeeper.signals.diagnoses import Signal, diagnose
from gatekeeper.signals.pricing import Prices
from gatekeeper.signals.span import Span, instant, rows_from_ms, span_of
from gatekeeper.signals.thresholds import BUDGET, Crossing, claim_text, crossings
from gatekeeper.teamevents import BudgetSignal, LimitThreshold


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to tell: under which claim, when its window ends (None: never), and on whose account it came up."""

    claim: str
    ends_ms: int | None
    event: LimitThreshold | BudgetSignal
    spender: Spender


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """A project's window, its rows and the causes that they tell of."""

    project: Project
    span: Span
    rows: list[UsageRow]
    signals: tuple[Signal, ...]


async def reached(
    ledger: Ledger, record: TeamRecord, spenders: Iterable[Spender], *, rows: bool = True
) -> tuple[int, list[Finding]]:
    """The store's time, and every point of limits and budgets that these spenders' accounts have reached. Without
    `rows` budgets are left out that no counter has, but usage alone."""
    spenders = list(spenders)
    projects = [each for each in record.projects if rows or not _needs_rows(each)]
    standing = await ledger.alerts.standing(record.id, spenders, [budget_limit(each) for each in projects])
    budgets = [
        await budget_use(ledger, record, project, usage, standing.at_ms)
        for project, usage in zip(projects, standing.budgets, strict=True)
    ]
    points = crossings([*standing.limits, *budgets], record.thresholds, standing.at_ms, standing.timezone)
    begins = {BUDGET + project.id: project.since_ms for project in record.projects}
    who = spenders[0] if spenders else Spender(record.id)
    return standing.at_ms, [_point(record, _since(each, begins), who) for each in points]


def _needs_rows(project: Project) -> bool:
    return project.per is Per.LIFETIME and project.since_ms is not None


def _since(crossing: Crossing, begins: dict[str, int | None]) -> Crossing:
    """A budget for life that is given a new beginning is told of anew."""
    if crossing.usage.per is not Per.LIFETIME:
        return crossing
    return replace(crossing, window_start_ms=begins.get(crossing.usage.scope))


def named(record: TeamRecord) -> list[Spender]:
    """Whom the record itself names: its projects, and what its limits are for by name."""
    found = {Spender(record.id, project=project.id) for project in record.projects}
    for limit in record.limits:
        kind, colon, name = limit.scope.partition(":")
        if colon:
            found.add(Spender(record.id, **{"key_id" if kind == "key" else kind: name}))
    return sorted(found) or [Spender(record.id)]


def budget_limit(project: Project) -> Limit:
    """A project's budget as a limit that nothing enforces."""
    return Limit(f"project:{project.id}", project.per, project.credits)


async def budget_use(ledger: Ledger, record: TeamRecord, project: Project, usage: LimitUsage, at_ms: int) -> LimitUsage:
    """A budget's use under its own name. One for life that has a beginning is summed up from the rows since then, for
    the counters know all of the project's life; before it begins and after it ends nothing of it is used."""
    used, held, ends_ms = usage.used, usage.held, usage.resets_at_ms
    if project.per is Per.LIFETIME:
        ends_ms = project.until_ms
        if at_ms < (project.since_ms or 0) or (project.until_ms is not None and at_ms >= project.until_ms):
            used = held = 0
        elif _needs_rows(project):
            span = span_of(project, at_ms, record.timezone)
            rows = await ledger.usage.rows(record.id, span.rows_from_ms, at_ms + 1)
            used = max(sum(row.credits for row in rows if row.project == project.id), 0)
    return LimitUsage(BUDGET + project.id, project.per, project.credits, used, held, ends_ms)


async def diagnosed(ledger: Ledger, catalog: Catalog, record: TeamRecord, at_ms: int) -> list[Finding]:
    """Every cause of spend ahead of plan that the team's projects show now."""
    uses = await project_uses(ledger, catalog, record, at_ms)
    return [_cause(record, use, signal) for use in uses for signal in use.signals]


async def project_uses(ledger: Ledger, catalog: Catalog, record: TeamRecord, at_ms: int) -> list[ProjectUse]:
    """Each project's rows and causes. The rows are read once, from the earliest day that any of them needs."""
    if not record.projects:
        return []
    from_ms = min(rows_from_ms(project, at_ms, record.timezone) for project in record.projects)
    every, prices = await ledger.usage.rows(record.id, from_ms, at_ms + 1), Prices(catalog)
    found = []
    for project in record.projects:
        span = span_of(project, at_ms, record.timezone, every)
        rows = [row for row in every if row.project == project.id and span.has(row)]
        found.append(ProjectUse(project, span, rows, diagnose(project, rows, span, prices)))
    return found


def _point(record: TeamRecord, crossing: Crossing, who: Spender) -> Finding:
    usage = crossing.usage
    event = LimitThreshold(
        team=record.id,
        scope=usage.scope,
        per=usage.per,
        percent=crossing.percent,
        credits_limit=usage.limit,
        credits_used=usage.used,
        credits_held=usage.held,
        window_start=None if crossing.window_start_ms is None else instant(crossing.window_start_ms),
        resets_at=None if usage.resets_at_ms is None else instant(usage.resets_at_ms),
    )
    return Finding(crossing.claim, usage.resets_at_ms, event, who)


def _cause(record: TeamRecord, use: ProjectUse, signal: Signal) -> Finding:
    project, span = use.project, use.span
    event = BudgetSignal(
        team=record.id,
        project=project.id,
        diagnosis=signal.diagnosis,
        credits_budget=project.credits,
        credits_charged=sum(row.credits for row in use.rows),
        credits_saved=signal.credits_saved,
        detail=signal.detail,
        facts=signal.facts,
    )
    return Finding(cause_claim(use, signal), span.end_ms, event, Spender(record.id, project.id))


def cause_claim(use: ProjectUse, signal: Signal) -> str:
    """What a cause is told under, once per window; for life, once per beginning that it is given."""
    project = use.project
    start_ms = project.since_ms if project.per is Per.LIFETIME else use.span.start_ms
    return claim_text(BUDGET + project.id, project.per, start_ms, signal.diagnosis)
