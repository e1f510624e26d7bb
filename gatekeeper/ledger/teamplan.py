"""The part of a team's record that no script reads, as one text of the store: allowances, projects, alerts."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import orjson

from gatekeeper.ledger.errors import LedgerBroken
from gatekeeper.ledger.teamrecord import Allowance, BudgetPart, Per, Project, TeamRecord

PARTS: Final = ("shadow", "organisation", "allowances", "projects", "thresholds", "alert_url")
"""The fields of a `TeamRecord` that are kept here."""


def plan_text(record: TeamRecord) -> str:
    """The text that is stored; the same record gives the same text."""
    known = asdict(record)
    return orjson.dumps({name: known[name] for name in PARTS}).decode()


def read_plan(text: str) -> dict[str, Any]:
    """The fields of a `TeamRecord` from that text. Raises LedgerBroken."""
    try:
        stored = orjson.loads(text)
        return {
            "shadow": bool(stored["shadow"]),
            "organisation": str(stored["organisation"]),
            "allowances": tuple(_allowance(each) for each in stored["allowances"]),
            "projects": tuple(_project(each) for each in stored["projects"]),
            "thresholds": tuple(int(each) for each in stored["thresholds"]),
            "alert_url": str(stored["alert_url"]),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise LedgerBroken(f"the plan of a team cannot be read: {error!r}") from error


def _allowance(stored: Mapping[str, Any]) -> Allowance:
    return Allowance(**{**stored, "per": Per(stored["per"])})


def _project(stored: Mapping[str, Any]) -> Project:
    return Project(
        **{
            **stored,
            "per": Per(stored["per"]),
            "parts": tuple(_part(each) for each in stored["parts"]),
            "high_resolutions": tuple(stored["high_resolutions"]),
        }
    )


def _part(stored: Mapping[str, Any]) -> BudgetPart:
    named = {name: tuple(stored[name]) for name in ("phases", "resolutions")}
    return BudgetPart(**{**stored, **named})
