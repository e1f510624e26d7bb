"""The options that several commands share, so that they are called and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

from gatekeeper.admin.paging import PAGE_MAX
from gatekeeper.sections import WORKERS_MAX


def team_ids(incomplete: str) -> list[str]:
    """The teams that begin so, for whoever presses Tab."""
    from gatekeeper.cli.completing import team_ids as found  # noqa: PLC0415 - a command that runs needs none of it

    return found(incomplete)


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        show_default="$GATEKEEPER_CONFIG, config/gatekeeper.yaml, gatekeeper.yaml, or built-in defaults",
        help="The configuration file.",
    ),
]

TeamArgument = Annotated[
    str, typer.Argument(metavar="TEAM", help="The team.", show_default=False, autocompletion=team_ids)
]

TeamsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="TEAM", help="These teams; all by default.", show_default=False, autocompletion=team_ids),
]

CreditsArgument = Annotated[str, typer.Argument(metavar="CREDITS", help="How many, like 1000 or 73.5.")]

WhenOption = Annotated[
    str | None,
    typer.Option(
        "--expires", metavar="WHEN", show_default=False, help="A day, an ISO time, or a stretch from now like 30d."
    ),
]

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

PageOption = Annotated[
    int, typer.Option("--limit", metavar="N", min=1, max=PAGE_MAX, help="How many are listed at most.")
]

CursorOption = Annotated[
    str, typer.Option("--cursor", metavar="TEXT", show_default=False, help="Go on behind this one, as a list says.")
]

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for scripts.")]

PortOption = Annotated[
    int | None,
    typer.Option("--port", metavar="N", min=0, max=65535, help="Port of the data plane, over the config's; 0 is free."),
]

AdminPortOption = Annotated[
    int | None,
    typer.Option("--admin-port", metavar="N", min=0, max=65535, help="Port of the admin plane; 0 picks a free one."),
]

WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, max=WORKERS_MAX, help="Processes that serve, over the config's."),
]
