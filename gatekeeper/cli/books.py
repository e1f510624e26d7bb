"""`apply` and `verify`: the commands that work on a store. Both work beside a running gateway."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gatekeeper.admin.plane import verify_document
from gatekeeper.admin.teams_file import apply_teams_file, plan
from gatekeeper.admin.teams_plan import Plan
from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.app import open_ledger
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption
from gatekeeper.cli.show import new_table, print_json, terminal
from gatekeeper.ledger.errors import LedgerNoTeam
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import VerifyReport
from gatekeeper.settings import Settings

ACTOR = "apply"
"""Who did it, as the journal has it."""

TEAMS_NAMED_MAX = 10
"""How many teams are named to somebody who named one that is not there."""


def apply(
    file: Annotated[Path, typer.Argument(help="The teams file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change; write nothing.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make teams, grants, limits and keys as the file says.

    Doing it twice changes nothing. Teams, grants and keys are never deleted, and what was spent is never touched;
    limits, caps and models are each replaced as a whole where the file has them. Secrets are never shown.
    """
    done = asyncio.run(_apply(find_settings(config), file, dry_run))
    if as_json:
        print_json(_plan_document(done, dry_run))
        return
    for change in done.changes:
        print(change)
    count = f"{len(done.changes)} change{'s' if len(done.changes) != 1 else ''}"
    if not done.changes:
        print("Nothing to do: the store is as the file says.")
    else:
        print(f"{count} to make; nothing was written." if dry_run else f"{count} made.")


async def _apply(settings: Settings, file: Path, dry_run: bool) -> Plan:
    teams = load_teams(file)  # before the store is opened: a wrong file needs no server
    async with open_ledger(settings) as store:
        if dry_run:
            return await plan(store.ledger, teams)
        return await apply_teams_file(store.ledger, file, actor=ACTOR)


def _plan_document(done: Plan, dry_run: bool) -> dict[str, Any]:
    changes = [{"team": change.team, "kind": change.kind, "what": change.what} for change in done.changes]
    return {"dry_run": dry_run, "changes": changes}


def verify(
    team: Annotated[str | None, typer.Argument(help="One team; all of them by default.", show_default=False)] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Derive every balance again from the journal, and say where the store differs.

    Exit code 1 if any figure is off.
    """
    reports = asyncio.run(_verify(find_settings(config), team))
    clean = all(report.clean for report in reports)
    if as_json:
        print_json({"clean": clean, "teams": [verify_document(report) for report in reports]})
    else:
        _print_reports(reports)
    if not clean:
        raise typer.Exit(1)


async def _verify(settings: Settings, team: str | None) -> list[VerifyReport]:
    async with open_ledger(settings) as store:
        known = sorted({team_id async for team_id in store.ledger.teams()})
        return [await store.ledger.verify(team_id) for team_id in await _chosen(store.ledger, known, team)]


async def _chosen(ledger: Ledger, known: list[str], team: str | None) -> list[str]:
    if team is None:
        return known
    if await ledger.team(team) is None:
        more = f" and {len(known) - TEAMS_NAMED_MAX} more" if len(known) > TEAMS_NAMED_MAX else ""
        there = f"There are: {', '.join(known[:TEAMS_NAMED_MAX])}{more}." if known else "There are none yet."
        raise LedgerNoTeam(f"No team {team!r} in this store. {there}")
    return [team]


def _print_reports(reports: list[VerifyReport]) -> None:
    if not reports:
        print("There are no teams in this store.")
        return
    table = new_table("Team", "Journal entries", "Verdict", right=("Journal entries",))
    for report in reports:
        count = len(report.differences)
        verdict = "ok" if report.clean else f"{count} figure{'s' if count != 1 else ''} off"
        table.add_row(report.team, str(report.entries), verdict)
    out = terminal()
    out.print(table)
    if any(report.differences for report in reports):
        out.print("What the store says and what the journal comes to (amounts in micro-credits):", style="bold")
        out.print(_differences_table(reports))


def _differences_table(reports: list[VerifyReport]) -> Table:
    table = new_table("Team", "Figure", "Stored", "From the journal")
    for report in reports:
        for difference in report.differences:
            table.add_row(report.team, difference.what, difference.stored, difference.derived)
    return table
