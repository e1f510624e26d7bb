"""The options that several commands share, so that they are called and explained alike."""

from pathlib import Path
from typing import Annotated

import typer

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

TeamArgument = Annotated[str, typer.Argument(help="The team.", show_default=False)]

TeamsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="TEAM...", help="These teams; all by default.", show_default=False)
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
    int | None, typer.Option("--workers", metavar="N", min=1, help="Processes that serve. This version runs one.")
]
