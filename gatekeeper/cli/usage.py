"""`usage`: what a team's credits went into, as a table, as JSON or as a file for spreadsheets."""

import sys
from typing import Annotated

import typer

from gatekeeper.admin.bodies import UsageQuery
from gatekeeper.admin.operations import books
from gatekeeper.cli.operating import given, operate
from gatekeeper.cli.options import ConfigOption, JsonOption, TeamArgument
from gatekeeper.cli.show import plain, print_json
from gatekeeper.cli.stores import counted
from gatekeeper.cli.tables import print_rows
from gatekeeper.web.usagereport import DEFAULT_BY, DIMENSIONS, OTHER, UsageReport, usage_csv, usage_document


def usage(
    team: TeamArgument,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="DAY", show_default="the first of the month", help="From this day on."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", show_default="today", help="Up to this day, and with it.")
    ] = None,
    by: Annotated[
        str,
        typer.Option("--by", metavar="WORDS", help=f"Added up by some of {', '.join(DIMENSIONS)}, with commas."),
    ] = ",".join(DEFAULT_BY),
    as_csv: Annotated[bool, typer.Option("--csv", help="A table for spreadsheets on stdout.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a team's credits went into: this month so far, unless told otherwise.

    Days are those of the team's time zone, and a generation counts in the day in which it was begun.
    """
    query = given(UsageQuery, **{"from": first, "to": last, "by": by})
    found = operate(config, lambda ledger: books.read_usage(ledger, team, query), team=team)
    if as_json:
        print_json(usage_document(found))
    elif as_csv:
        sys.stdout.write(usage_csv(found))
    else:
        _print(found)


def _print(report: UsageReport) -> None:
    document = plain(usage_document(report))
    columns = {word.capitalize(): word for word in document["by"]}
    rows = [
        {**row, **{word: row[word] or (OTHER if row["other"] else "none") for word in document["by"]}}
        for row in document["rows"]
    ]
    counts = {"Credits": "credits", "Generations": "generations", "Released": "released", "Outputs": "outputs"}
    print_rows(rows, columns | counts, right=tuple(counts))
    total = document["total"]
    days = f"{document['from']} to {document['to']} ({document['timezone']})"
    made = f"{counted(total['generations'], 'generation')}, {counted(total['outputs'], 'output')}"
    print(f"{days}: {total['credits']} credits for {made}.")
