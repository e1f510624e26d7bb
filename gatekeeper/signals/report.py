"""What a team's budgets and limits look like now, as one document: the answer to `GET .../signals`.

The same functions as the watcher's, so an event and this document say the same; but it tells also what has no signal,
and marks nothing as told.
"""

from typing import Any

from gatekeeper.catalog import Catalog
from gatekeeper.dialects.facts import credits_number
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.reports import LimitUsage
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.signals.diagnoses import Signal, percent
from gatekeeper.signals.findings import ProjectUse, budget_limit, budget_use, cause_claim, named, project_uses
from gatekeeper.signals.shape import holds_high, part_of, parts_of
from gatekeeper.signals.span import instant
from gatekeeper.signals.thresholds import reached

Document = dict[str, Any]


async def report(ledger: Ledger, catalog: Catalog, team_id: str) -> Document | None:
    """Each project with its window, its parts and its signals, and each limit with what is used of it: of the team, of
    projects, and of those that limits name. None where there is no such team. Amounts are numbers of credits."""
    record = await ledger.team(team_id)
    if record is None:
        return None
    budgets = [budget_limit(each) for each in record.projects]
    standing = await ledger.alerts.standing(record.id, named(record), budgets)
    uses = await project_uses(ledger, catalog, record, standing.at_ms)
    told = await ledger.alerts.told_since(record.id)
    projects = [
        _project(record, use, await budget_use(ledger, record, use.project, usage, standing.at_ms), told)
        for use, usage in zip(uses, standing.budgets, strict=True)
    ]
    return {
        "team": record.id,
        "at": instant(standing.at_ms),
        "thresholds": list(record.thresholds),
        "projects": projects,
        "limits": [_limit(record, each) for each in standing.limits],
    }


def _project(record: TeamRecord, use: ProjectUse, budget: LimitUsage, told: dict[str, int]) -> Document:
    project, span = use.project, use.span
    return {
        "project": project.id,
        "per": project.per,
        "window_start": instant(span.start_ms),
        "window_end": None if span.end_ms is None else instant(span.end_ms),
        "credits_budget": credits_number(project.credits),
        "credits_charged": credits_number(budget.used),
        "credits_held": credits_number(budget.held),
        "used_percent": percent(budget.used, project.credits),
        "elapsed_percent": None if span.length_ms is None else percent(span.passed_ms, span.length_ms),
        "thresholds_reached": reached(budget.used, project.credits, record.thresholds),
        "high_in_final_only": project.high_in_final_only,
        "parts": _parts(use),
        "signals": [_signal(use, each, told) for each in use.signals],
    }


def _parts(use: ProjectUse) -> list[Document]:
    """Planned beside charged; what belongs to no part stands last, without a share."""
    project, holding = use.project, holds_high(use.project)
    charged, generations = dict[str, int](), dict[str, int]()
    for row in use.rows:
        name = part_of(project, row.phase, row.resolution, row.operation)
        charged[name] = charged.get(name, 0) + row.credits
        generations[name] = generations.get(name, 0) + row.generations
    whole = sum(charged.values())
    shares: dict[str, int | None] = {part.name: part.share_percent for part in parts_of(project)}
    if "" in charged:
        shares[""] = None
    return [
        {
            "part": name or None,
            "share_percent": share,
            "credits_planned": None if share is None else credits_number(project.credits * share // 100),
            "credits_charged": credits_number(charged.get(name, 0)),
            "charged_percent": percent(charged.get(name, 0), whole),
            "generations": generations.get(name, 0),
            "holds_high_resolutions": name in holding,
        }
        for name, share in shares.items()
    ]


def _signal(use: ProjectUse, signal: Signal, told: dict[str, int]) -> Document:
    """`told_at` null: it has not been told yet in this window."""
    told_ms = told.get(cause_claim(use, signal))
    numbers = {
        name: credits_number(value) if name.startswith("credits_") else value for name, value in signal.facts.items()
    }
    return {
        "diagnosis": signal.diagnosis,
        "detail": signal.detail,
        "credits_saved": credits_number(signal.credits_saved),
        "facts": numbers,
        "told_at": None if told_ms is None else instant(told_ms),
    }


def _limit(record: TeamRecord, usage: LimitUsage) -> Document:
    return {
        "scope": usage.scope,
        "per": usage.per,
        "credits_limit": credits_number(usage.limit),
        "credits_used": credits_number(usage.used),
        "credits_held": credits_number(usage.held),
        "used_percent": percent(usage.used, usage.limit),
        "thresholds_reached": reached(usage.used, usage.limit, record.thresholds),
        "resets_at": None if usage.resets_at_ms is None else instant(usage.resets_at_ms),
    }
