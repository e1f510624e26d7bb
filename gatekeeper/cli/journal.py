"""`journal`: the history of every credit. Look at it, export it to files, cut off the store what is in them."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from gatekeeper.app import open_ledger
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption, TeamArgument, TeamsArgument
from gatekeeper.cli.show import new_table, print_json, progress, say, terminal
from gatekeeper.cli.stores import chosen_teams, counted, instant
from gatekeeper.clock import SystemClock
from gatekeeper.core.credits import credits_text
from gatekeeper.ledger.errors import ExportBroken, LedgerBroken, LedgerConflict
from gatekeeper.ledger.export import Exported, Trimmed, export_team, trim_team
from gatekeeper.ledger.exportfile import entry_document
from gatekeeper.ledger.records import Entry
from gatekeeper.settings import Settings

KEEP_DAYS = 7
"""What is kept in the store unless told otherwise: the last week is what people ask about."""

DAY_MS = 86_400_000

SHOWN = 50
"""Entries shown unless told otherwise: a screen or two."""

SHOWN_MAX = 1000
"""Entries shown at once; more are in the exported files."""

Problems = dict[str, str]
"""What went wrong with single teams; the others went on."""


def show(
    team: TeamArgument,
    after: Annotated[
        int | None,
        typer.Option(
            "--after", metavar="SEQ", min=0, show_default="the last ones", help="Only entries after this one."
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=SHOWN_MAX, help="How many entries at most.")
    ] = SHOWN,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a team's journal: one entry for everything that ever moved its credits.

    With --json each entry is as in the exported files: amounts are whole micro-credits, a millionth of a credit.
    """
    entries, cut = asyncio.run(_entries(find_settings(config), team, after, limit))
    if as_json:
        print_json({"team": team, "cut_seq": cut, "entries": [entry_document(team, entry) for entry in entries]})
        return
    if entries:
        _print_entries(entries)
    else:
        print("There are no entries here.")
    if cut and (after or 0) < cut:
        print(f"Entries 1 to {cut} were exported and cut off.")


async def _entries(settings: Settings, team: str, after: int | None, limit: int) -> tuple[tuple[Entry, ...], int]:
    async with open_ledger(settings) as store:
        await chosen_teams(store.ledger, [team])
        last = (await store.ledger.balance(team)).seq
        begin = max(0, last - limit) if after is None else after
        cut = (await store.ledger.checkpoint(team)).seq
        return await store.ledger.journal(team, begin, limit), cut


def _print_entries(entries: tuple[Entry, ...]) -> None:
    table = new_table(
        "Seq",
        "At",
        "Entry",
        "Credits",
        "Charged",
        "For",
        "Who",
        "Why",
        right=("Seq", "Credits", "Charged"),
        whole=("At", "For"),
    )
    for entry in entries:
        who = [entry.fields[name] for name in ("project", "member", "key", "actor") if entry.fields[name]]
        table.add_row(
            str(entry.seq), instant(entry.at_ms), entry.kind, credits_text(entry.amount), credits_text(entry.charged),
            entry.hold_id, ", ".join(who), entry.fields["why"],
        )  # fmt: skip
    terminal().print(table)


def export(
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the files are, or are to be made.")],
    teams: TeamsArgument = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export journals: a file of JSON lines for each team, one entry a line.

    Writes what is new behind what the files have, and says so in the store once it is on disk. May be stopped and run
    again at any time. Always export a team to the same directory: what is there is what may be trimmed. Exit code 1 if
    a team's file could not be continued; the others are exported all the same.
    """
    done, problems = asyncio.run(_export(find_settings(config), teams or [], to, silent=as_json))
    if as_json:
        print_json({"directory": str(to), "teams": list(map(_exported_document, done)), "problems": problems})
    else:
        _print_exported(done)
    _tell(problems)


async def _export(settings: Settings, teams: list[str], to: Path, *, silent: bool) -> tuple[list[Exported], Problems]:
    done, problems = list[Exported](), Problems()
    async with open_ledger(settings) as store:
        chosen = await chosen_teams(store.ledger, teams)
        with progress("Exporting", len(chosen), silent=silent) as step:
            for team in chosen:
                try:
                    done.append(await export_team(store.ledger, team, to, step(team)))
                except ExportBroken as error:
                    problems[team] = str(error)
    return done, problems


def _exported_document(each: Exported) -> dict[str, Any]:
    return {"team": each.team, "file": str(each.file), "entries": each.entries, "seq": each.seq}


def _print_exported(done: list[Exported]) -> None:
    table = new_table("Team", "New entries", "Last entry", "File", right=("New entries", "Last entry"))
    for each in done:
        if each.entries:
            table.add_row(each.team, str(each.entries), str(each.seq), str(each.file))
    if table.row_count:
        terminal().print(table)
    print(
        f"{counted(sum(each.entries for each in done), 'entry', 'entries')} of {counted(len(done), 'team')} exported."
    )


def trim(
    teams: TeamsArgument = None,
    keep_days: Annotated[
        int, typer.Option("--keep-days", metavar="N", min=0, help="Keep the entries of the last so many days.")
    ] = KEEP_DAYS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be cut off.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cut journals: take entries off the store that were exported.

    What they come to stays in the store as a checkpoint, so balances, open holds and `verify` are as before; `verify
    --journal DIR` derives the checkpoint from the files. Nothing is cut that was not exported, nor from a journal that
    does not add up: then the exit code is 1, and the other teams are cut all the same.
    """
    done, problems = asyncio.run(_trim(find_settings(config), teams or [], keep_days, dry_run, silent=as_json))
    if as_json:
        print_json({"dry_run": dry_run, "teams": list(map(_trimmed_document, done)), "problems": problems})
    else:
        _print_trimmed(done, dry_run)
    _tell(problems)


async def _trim(
    settings: Settings, teams: list[str], keep_days: int, dry_run: bool, *, silent: bool
) -> tuple[list[Trimmed], Problems]:
    done, problems = list[Trimmed](), Problems()
    before_ms = _young_from_ms(keep_days)
    async with open_ledger(settings) as store:
        chosen = await chosen_teams(store.ledger, teams)
        with progress("Cutting", len(chosen), silent=silent) as step:
            for team in chosen:
                try:
                    done.append(
                        await trim_team(
                            store.ledger, team, before_ms=before_ms, dry_run=dry_run, on_progress=step(team)
                        )
                    )
                except (LedgerBroken, LedgerConflict) as error:
                    problems[team] = str(error)
    return done, problems


def _young_from_ms(keep_days: int) -> int:
    """Entries from this instant on are kept; none are if 0 days are, whatever this machine's clock says."""
    now_ms = int(SystemClock().now().timestamp() * 1000)
    return now_ms - keep_days * DAY_MS if keep_days else now_ms + DAY_MS


def _trimmed_document(each: Trimmed) -> dict[str, Any]:
    return {"team": each.team, "entries": each.entries, "cut_seq": each.seq, "exported_seq": each.exported}


def _print_trimmed(done: list[Trimmed], dry_run: bool) -> None:
    table = new_table("Team", "Entries", "Begins after", "Exported", right=("Entries", "Begins after", "Exported"))
    for each in done:
        if each.entries:
            table.add_row(each.team, str(each.entries), str(each.seq), str(each.exported))
    if table.row_count:
        terminal().print(table)
    total = f"{counted(sum(each.entries for each in done), 'entry', 'entries')} of {counted(len(done), 'team')}"
    print(f"{total} to cut off; nothing was written." if dry_run else f"{total} cut off.")
    missing = [each.team for each in done if not each.exported]
    if missing:
        print(f"Not exported yet: {counted(len(missing), 'team')}. `gatekeeper journal export --to DIR` does it.")


def _tell(problems: Problems) -> None:
    for problem in problems.values():
        say(problem)
    if problems:
        raise typer.Exit(1)
