"""`journal`: the history of every credit. Look at it, export it to files, cut off the store what is in them."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from gatekeeper.admin.bodies import JournalQuery
from gatekeeper.admin.bookdocuments import JournalDocument
from gatekeeper.admin.operations.asking import team_of
from gatekeeper.admin.operations.books import read_journal
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.operating import operate
from gatekeeper.cli.options import ConfigOption, JsonOption, TeamArgument, TeamsArgument
from gatekeeper.cli.show import cell, plain, print_json, say
from gatekeeper.cli.stores import chosen_teams, counted
from gatekeeper.cli.tables import is_wide, new_table, print_rows, print_table, progress
from gatekeeper.clock import SystemClock
from gatekeeper.ledger.errors import ExportBroken, LedgerBroken, LedgerConflict
from gatekeeper.ledger.export import Exported, Trimmed, export_team, trim_team
from gatekeeper.ledger.holdid import DAY_MS
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.settings import Settings
from gatekeeper.store import open_ledger

KEEP_DAYS = 7
"""What is kept in the store unless told otherwise: the last week is what people ask about."""

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
    """Show a team's journal: one entry for everything that ever moved its credits, and for every change by hand."""

    async def read(ledger: Ledger) -> JournalDocument:
        await team_of(ledger, team)
        begin = max(0, (await ledger.balance(team)).seq - limit) if after is None else after
        return await read_journal(ledger, team, JournalQuery(after=begin, count=limit))

    document = operate(config, read, team=team).plain()
    if as_json:
        print_json(document)
        return
    found = plain(document)
    _print_entries(found["entries"])
    if found["cut_seq"] and (after or 0) < found["cut_seq"]:
        print(f"Entries 1 to {found['cut_seq']} were exported and cut off.")


def _print_entries(entries: list[dict[str, Any]]) -> None:
    if not entries:
        print("There are no entries here.")
        return
    rows = [{**entry, **_in_few_words(entry)} for entry in entries]
    if is_wide():
        columns = {"Seq": "seq", "At": "at", "Entry": "kind", "Credits": "credits", "Charged": "charged"}
        columns |= {"For": "id", "Who": "who", "Why": "why"}
    else:
        columns = {"Seq": "seq", "Entry": "entry", "Credits": "credits", "Charged": "charged", "Who, why": "who_why"}
    print_rows(rows, columns, right=("Seq", "Credits", "Charged"), whole=("For",))


def _in_few_words(entry: dict[str, Any]) -> dict[str, str]:
    """Who it was, and the columns of a narrow window, in which related facts share one."""
    who = ", ".join(entry[name] for name in ("project", "member", "key_id", "actor") if entry[name])
    lines = f"{entry['kind']} {cell(entry['at'])}", cell(entry["id"])
    return {
        "who": who,
        "entry": "\n".join(filter(None, lines)),
        "who_why": "\n".join(filter(None, (who, entry["why"]))),
    }


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
        print_table(table)
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
    before_ms = _young_from_ms(int(SystemClock().now().timestamp() * 1000), keep_days)
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


def _young_from_ms(now_ms: int, keep_days: int) -> int:
    """Entries from this instant on are kept; none are if 0 days are, however far this machine's clock is behind."""
    return now_ms - keep_days * DAY_MS if keep_days else now_ms + DAY_MS


def _trimmed_document(each: Trimmed) -> dict[str, Any]:
    return {"team": each.team, "entries": each.entries, "cut_seq": each.seq, "exported_seq": each.exported}


def _print_trimmed(done: list[Trimmed], dry_run: bool) -> None:
    table = new_table("Team", "Entries", "Begins after", "Exported", right=("Entries", "Begins after", "Exported"))
    for each in done:
        if each.entries:
            table.add_row(each.team, str(each.entries), str(each.seq), str(each.exported))
    if table.row_count:
        print_table(table)
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
