"""`apply` and `verify`: the commands that work on a store. Both work beside a running gateway."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gatekeeper.admin.operations.books import verdict_document
from gatekeeper.admin.teams_file import apply_teams_file, plan
from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.admin.teams_steps import Change, Plan
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption, team_ids
from gatekeeper.cli.show import print_json
from gatekeeper.cli.stores import chosen_teams, counted
from gatekeeper.cli.tables import new_table, progress, terminal
from gatekeeper.cli.who import WhyOption, who
from gatekeeper.ledger.reports import VerifyReport
from gatekeeper.settings import Settings
from gatekeeper.store import open_ledger


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The teams file.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change; write nothing.")] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Take away what the file does not name, and freeze teams it does not name.")
    ] = False,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make teams, grants, limits, projects and keys as the file says.

    Doing it twice changes nothing, and what was given or spent is never touched. Nothing is deleted without --prune:
    with it the file's teams lose the keys, limits, caps, allowances and projects that it does not name, and every
    team that it does not name is frozen and loses its keys. Secrets are never shown.
    """
    done = asyncio.run(_apply(find_settings(config), file, dry_run, prune, why or f"apply {file.name}"))
    if as_json:
        print_json(_plan_document(done, dry_run))
        return
    for change in done.changes:
        print(change)
    count = counted(len(done.changes), "change")
    if not done.changes:
        print("Nothing to do: the store is as the file says.")
    else:
        print(f"{count} to make; nothing was written." if dry_run else f"{count} made.")
    if done.kept:
        print("The store has more than the file; --prune would do this:")
    for change in done.kept:
        print(f"  {change}")


async def _apply(settings: Settings, file: Path, dry_run: bool, prune: bool, why: str) -> Plan:
    teams = load_teams(file)  # before the store is opened: a wrong file needs no server
    async with open_ledger(settings) as store:
        if dry_run:
            return await plan(store.ledger, teams, prune=prune)
        return await apply_teams_file(store.ledger, file, actor=who(), why=why, prune=prune)


def _plan_document(done: Plan, dry_run: bool) -> dict[str, Any]:
    return {"dry_run": dry_run, "changes": _documents(done.changes), "kept": _documents(done.kept)}


def _documents(changes: Iterable[Change]) -> list[dict[str, Any]]:
    return [{"team": change.team, "kind": change.kind, "what": change.what} for change in changes]


def verify(
    team: Annotated[
        str | None,
        typer.Argument(
            metavar="TEAM", help="One team; all of them by default.", show_default=False, autocompletion=team_ids
        ),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", metavar="DIR", exists=True, file_okay=False, help="Where journals were exported to."),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Derive every balance again from the journal, and say where the store differs.

    Where a journal was trimmed, from its checkpoint on; with --journal from the exported files, so that the checkpoint
    is derived too and the files are compared with the store. Exit code 1 if any figure is off.
    """
    reports = asyncio.run(_verify(find_settings(config), team, journal, silent=as_json))
    clean = all(report.clean for report in reports)
    if as_json:
        print_json({"clean": clean, "teams": [verdict_document(report).plain() for report in reports]})
    else:
        _print_reports(reports)
    if not clean:
        raise typer.Exit(1)


async def _verify(settings: Settings, team: str | None, journal: Path | None, *, silent: bool) -> list[VerifyReport]:
    reports: list[VerifyReport] = []
    async with open_ledger(settings) as store:
        chosen = await chosen_teams(store.ledger, [team] if team else [])
        with progress("Verifying", len(chosen), silent=silent) as step:
            for team_id in chosen:
                step(team_id)
                reports.append(await store.ledger.verify(team_id, journal))
    return reports


def _print_reports(reports: list[VerifyReport]) -> None:
    if not reports:
        print("There are no teams in this store.")
        return
    table = new_table("Team", "Journal entries", "Verdict", right=("Journal entries",))
    for report in reports:
        count = len(report.differences)
        verdict = "ok" if report.clean else f"{count} figure{'s' if count != 1 else ''} off"
        if report.trusted_seq:
            verdict += f", on the checkpoint of entry {report.trusted_seq}"
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
