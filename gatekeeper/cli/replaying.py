"""`replay` and `shadow`: what log files say about other prices and limits, and about what shadow mode let by.

No store is asked, and no gateway: log files are read, and nothing is written.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from gatekeeper.admin.teams_schema import load_teams
from gatekeeper.catalog import load_catalog
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.options import ConfigOption, JsonOption
from gatekeeper.cli.show import plain, print_json
from gatekeeper.cli.stores import counted
from gatekeeper.cli.tables import new_table, print_table, progress
from gatekeeper.replaying.accounts import rules_of
from gatekeeper.replaying.report import OtherWorld, sum_up_shadow
from gatekeeper.replaying.report import replay as replay_logs

ROWS_SHOWN_MAX = 50
"""More rows are nothing to look at; --json has all of them."""

LogsArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="LOG", exists=True, dir_okay=False, readable=True, show_default=False,
        help="Log files of a gateway, in any order; packed ones (.gz) too.",
    ),
]  # fmt: skip


def replay(
    logs: LogsArgument,
    catalog: Annotated[
        list[str] | None,
        typer.Option(
            "--catalog", metavar="FILE", show_default="the configured one",
            help="The catalog to judge by: a file, a directory of them, or a pattern in quotes; may be repeated.",
        ),
    ] = None,
    teams: Annotated[
        Path | None,
        typer.Option(
            "--teams", metavar="FILE", exists=True, dir_okay=False, show_default="the configured one",
            help="A teams file to judge by.",
        ),
    ] = None,
    opening_from_log: Annotated[
        bool,
        typer.Option(
            "--opening-from-log", help="Teams begin with the credits that the log shows, in place of their grants."
        ),
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Judge a log's requests by other prices or limits: who would be refused and why, and the spend before and after.

    Each request is validated and priced by the catalog, and held, at its own time, in the credits and limits of the
    teams file. Nothing is sent and no store is asked. Teams that the file does not have are only validated and priced.
    """
    settings = find_settings(config)
    file = teams or settings.teams_file()
    world = OtherWorld(
        load_catalog(_catalog_files(catalog) if catalog else settings.catalog_files()),
        settings.providers,
        rules_of(load_teams(file)) if file is not None else {},
        opening_from_log,
    )
    with progress("Replaying", 1, silent=as_json) as step:
        document = replay_logs(logs, world, step("bytes"))
    if as_json:
        print_json(document)
    else:
        _print_replay(plain(document))


def _catalog_files(named: list[str]) -> tuple[Path, ...]:
    """The files that are meant, each once."""
    found: dict[Path, None] = {}
    for each in named:
        path = Path(each)
        files = (
            sorted(path.glob("*.yaml"))
            if path.is_dir()
            else [path]
            if path.is_file()
            else sorted(path.parent.glob(path.name))
        )
        if not files:
            raise typer.BadParameter(
                f"{each!r} is no catalog file, and no directory that has any", param_hint="--catalog"
            )
        found.update(dict.fromkeys(map(Path, files)))
    return tuple(found)


def shadow(logs: LogsArgument, as_json: JsonOption = False) -> None:
    """Sum up what shadow mode let by: requests and credits at stake, by team, by code and by model."""
    with progress("Reading", 1, silent=as_json) as step:
        document = sum_up_shadow(logs, step("bytes"))
    if as_json:
        print_json(document)
    else:
        _print_shadow(plain(document))


def _print_replay(found: dict[str, Any]) -> None:
    _print_logs(found["logs"])
    if not found["requests"] and not found["not_judged"]["begun_before"]:
        print("There is no request in it that can be judged.")
    for name in ("team", "model"):
        if found[f"{name}s"]:
            _print_table(_sums(name, found))
    if found["codes"]:
        table = new_table("Refused for", "Before", "After", right=("Before", "After"))
        for row in found["codes"]:
            table.add_row(row["code"], str(row["before"]), str(row["after"]))
        _print_table(table)
    if found["refusals"]:
        _print_table(_who(found["refusals"]))
    print()
    for line in _remarks(found):
        print(line)


def _sums(name: str, found: dict[str, Any]) -> Table:
    """A row for each team or model, and one for all."""
    numbers = ("Requests", "Refused before", "Refused after", "Credits before", "Credits after")
    table = new_table(name.capitalize(), *numbers, right=numbers, whole=(name.capitalize(),))
    for row in _shown(found[f"{name}s"]):
        table.add_row(row[name] or "(none)", *_numbers(row))
    table.add_section()
    table.add_row("all", *_numbers(found), style="bold")
    return table


def _numbers(row: dict[str, Any]) -> tuple[str, ...]:
    names = ("requests", "refused_before", "refused_after", "credits_before", "credits_after")
    return tuple(str(row[name]) for name in names)


def _who(rows: list[dict[str, Any]]) -> Table:
    """Who would be refused, and why."""
    table = new_table("Team", "Who", "Model", "Would be refused for", "Requests", "new", right=("Requests", "new"))
    for row in _shown(rows):
        who = ", ".join(filter(None, (row["member"], row["project"])))
        why = f"{row['code']}: {row['about']}" if row["about"] else row["code"]
        table.add_row(row["team"], who, row["model"], why, str(row["requests"]), str(row["newly_refused"]))
    return table


def _remarks(found: dict[str, Any]) -> list[str]:
    """What the numbers do not say by themselves."""
    left = found["not_judged"]
    said = []
    if found["credits_assumed"]:
        said.append(f"{found['credits_assumed']} of the credits after are of requests that were not made then.")
    for code, number in left["refused_for_other_reasons"].items():
        said.append(f"Not judged: {counted(number, 'request')} refused then as {code}.")
    if left["untold"]:
        said.append(f"Not judged: {counted(left['untold'], 'line that does', 'lines that do')} not say what was asked.")
    if left["still_running"]:
        said.append(f"{counted(left['still_running'], 'request')} had no end in the log; nothing is charged for that.")
    if left["begun_before"]:
        said.append(f"{left['credits_begun_before']} credits, the same in both, are of requests from before the log.")
    if left["teams_without_rules"]:
        said.append(f"Not in the teams file, so only validated and priced: {', '.join(left['teams_without_rules'])}.")
    return said


def _print_shadow(found: dict[str, Any]) -> None:
    _print_logs(found["logs"])
    if not found["requests"]:
        print("Shadow mode let nothing by that would have been refused.")
        return
    numbers = ("Requests", "Without a price", "Credits at stake")
    for name, words in (("team", "Team"), ("code", "Would be refused for"), ("model", "Model")):
        table = new_table(words, *numbers, right=numbers, whole=(words,))
        for row in _shown(found[f"{name}s"]):
            table.add_row(row[name] or "(none)", *_at_stake(row))
        table.add_section()
        table.add_row("all", *_at_stake(found), style="bold")
        _print_table(table)


def _at_stake(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("requests", "unpriced", "credits_at_stake"))


def _print_logs(logs: dict[str, Any]) -> None:
    span = "" if logs["from"] is None else f", from {logs['from']} to {logs['to']}"
    print(f"{counted(logs['lines'], 'line')} read{span}.")
    if logs["unreadable"]:
        lines = "line passed by, for it is no log line", "lines passed by, for they are no log lines"
        print(f"{counted(logs['unreadable'], *lines)} of a gateway: those are JSON (log.format: json).")
    for name in logs["cut"]:
        print(f"{name} ends before its end.")


def _print_table(table: Table) -> None:
    """Apart from what stands above it."""
    print()
    print_table(table)


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:ROWS_SHOWN_MAX]
