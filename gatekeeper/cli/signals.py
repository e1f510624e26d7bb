"""`signals`: how far budgets and limits are used, and what is spent otherwise than it was meant to be."""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gatekeeper.admin.operations.asking import team_of
from gatekeeper.catalog import load_catalog
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.operating import operate
from gatekeeper.cli.options import ConfigOption, JsonOption, TeamArgument
from gatekeeper.cli.show import plain, print_json
from gatekeeper.cli.tables import print_rows
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.signals.report import report

NO_PART = "(no part)"
"""What belongs to none of a budget's parts."""


def signals(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how a team's budgets and limits stand, each part of a budget as planned and as spent, each cause of a budget
    that runs ahead of its plan, and the saving.

    Windows are told in the team's time zone. Looks only: nothing is marked as told.
    """
    catalog = load_catalog(find_settings(config).catalog_files())

    async def look(ledger: Ledger) -> tuple[str, dict[str, Any]]:
        record = await team_of(ledger, team)
        return record.timezone, await report(ledger, catalog, team) or {}

    timezone, document = operate(config, look, team=team)
    if as_json:
        print_json(document)
        return
    found = plain(document)
    if found["projects"]:
        _print_projects(found["projects"], ZoneInfo(timezone))
        print()
    limit = {"Limit": "scope", "Per": "per", "Credits": "credits_limit", "Used": "credits_used", "Held": "credits_held"}
    print_rows(found["limits"], limit | {"Used %": "used_percent"}, right=("Credits", "Used", "Held", "Used %"))
    told = [(project["project"], signal) for project in found["projects"] for signal in project["signals"]]
    for project, signal in told:
        print(f"{project}: {signal['diagnosis']}. {signal['detail']}")
    if not told:
        print(f"Nothing of team {team} is spent otherwise than it was planned.")


def _print_projects(projects: list[dict[str, Any]], zone: ZoneInfo) -> None:
    """Each project in its window, then what was planned for each part beside what was spent on it."""
    budget = {"Project": "project", "Per": "per", "Budget": "credits_budget", "Charged": "credits_charged"}
    budget |= {"Held": "credits_held", "Used %": "used_percent", "Window": "window", "Passed %": "elapsed_percent"}
    rows = [project | {"window": _window(project, zone)} for project in projects]
    print_rows(rows, budget, right=("Budget", "Charged", "Held", "Used %", "Passed %"))
    print()
    parts = {"Project": "project", "Part": "part", "Planned": "credits_planned", "Charged": "credits_charged"}
    parts |= {"Planned %": "share_percent", "Charged %": "charged_percent", "Generations": "generations"}
    rows = [each | {"project": p["project"], "part": each["part"] or NO_PART} for p in projects for each in p["parts"]]
    print_rows(rows, parts, right=("Planned", "Charged", "Planned %", "Charged %", "Generations"))


def _window(project: dict[str, Any], zone: ZoneInfo) -> str:
    """Its days, the last one included; the hours of one that does not begin and end at midnight."""
    start = datetime.fromisoformat(project["window_start"]).astimezone(zone)
    end = project["window_end"] and datetime.fromisoformat(project["window_end"]).astimezone(zone)
    if end is None:
        return f"from {start:%Y-%m-%d}"
    if {start.time(), end.time()} != {time()}:
        return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
    last = end - timedelta(days=1)
    return f"{start:%Y-%m-%d}" if last.date() <= start.date() else f"{start:%Y-%m-%d} to {last:%Y-%m-%d}"
