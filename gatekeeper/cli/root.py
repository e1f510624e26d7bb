"""The `gatekeeper` command and the list of what it can do."""

from typing import Annotated

import typer

from gatekeeper import __version__
from gatekeeper.cli.books import apply, verify
from gatekeeper.cli.checking import check
from gatekeeper.cli.failures import told_plainly
from gatekeeper.cli.pricing import models, quote
from gatekeeper.cli.sandboxing import sandbox
from gatekeeper.cli.serving import demo, serve

COMMANDS = (serve, demo, check, quote, models, apply, verify, sandbox)
"""Each is a function in a module of its group; its name is the command's, its docstring the help."""


def make_app() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="gatekeeper",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,  # a traceback with local variables could show a secret
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in COMMANDS:
        app.command()(told_plainly(command))
    return app


def _print_version(asked: bool) -> None:
    if asked:
        print(f"gatekeeper {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A proxy in front of image and video generation providers: it validates, prices, holds credits and settles."""


def main() -> None:
    """The command line's entry point."""
    make_app()(prog_name="gatekeeper")
