"""The `gatekeeper` command and the list of what it can do."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import typer

from gatekeeper import __version__
from gatekeeper.garbage import nothing_is_collected

COMMANDS = {
    "serve": "serving:serve",
    "demo": "serving:demo",
    "health": "health:health",
    "check": "checking:check",
    "quote": "pricing:quote",
    "models": "pricing:models",
    "apply": "books:apply",
    "usage": "usage:usage",
    "signals": "signals:signals",
    "verify": "books:verify",
    "replay": "replaying:replay",
    "shadow": "replaying:shadow",
    "sandbox": "sandboxing:sandbox",
}
"""For each the module of this package and the function, whose docstring is the help. Only the module of the command
that is asked for is imported: all of them together take longer than most commands."""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands about one thing: `gatekeeper holds list`."""

    name: str
    about: str
    commands: dict[str, str]


GROUPS = (
    Group(
        "teams",
        "Who may spend, and the switch that stops it.",
        {
            "list": "teams:list_teams",
            "show": "teams:show_team",
            "create": "teams:create_team",
            "set": "teams:set_team",
            "freeze": "teams:freeze",
            "unfreeze": "teams:unfreeze",
            "remove": "teams:remove_team",
            "export": "exporting:export_teams",
        },
    ),
    Group(
        "keys",
        "Who may call.",
        {
            "list": "apikeys:list_keys",
            "create": "apikeys:create_key",
            "rotate": "apikeys:rotate_key",
            "revoke": "apikeys:revoke_key",
            "remove": "apikeys:remove_key",
        },
    ),
    Group(
        "grants",
        "Credits that are given, given back, handed on, or given anew each month.",
        {
            "list": "grants:list_grants",
            "give": "grants:give",
            "refund": "grants:refund",
            "refunds": "grants:list_refunds",
            "transfer": "grants:transfer",
            "transfers": "grants:list_transfers",
            "allowances": "grants:list_allowances",
            "allow": "grants:allow",
            "disallow": "grants:disallow",
        },
    ),
    Group(
        "limits",
        "How much may be spent, and how far each is used.",
        {
            "list": "limits:list_limits",
            "set": "limits:set_limit",
            "raise": "limits:raise_limit",
            "lower": "limits:lower_limit",
            "remove": "limits:remove_limit",
        },
    ),
    Group(
        "projects",
        "How a budget is meant to be spent.",
        {"list": "projects:list_projects", "set": "projects:set_project", "remove": "projects:remove_project"},
    ),
    Group(
        "alerts",
        "Whom to tell how far limits and budgets are used.",
        {"show": "projects:show_alerts", "set": "projects:set_alerts", "log": "projects:list_deliveries"},
    ),
    Group(
        "holds",
        "What keeps credits aside now.",
        {"list": "holds:list_holds", "settle": "holds:settle", "release": "holds:release"},
    ),
    Group(
        "journal",
        "The history of every credit.",
        {"show": "journal:show", "export": "journal:export", "trim": "journal:trim"},
    ),
)


def make_app(words: Sequence[str] = ()) -> typer.Typer:
    """The whole command line, or as much of it as these words ask for: those that follow `gatekeeper`."""
    app = typer.Typer(
        name="gatekeeper",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,  # a traceback with local variables could show a secret
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    with nothing_is_collected():
        _add(app, _asked_for(words))
    return app


def _asked_for(words: Sequence[str]) -> tuple[dict[str, str], Sequence[Group]]:
    """The commands and the groups that these words may be about. Everything, where a list of it may be wanted."""
    first = words[0] if words else ""
    if first == "--version":
        return {}, ()
    if first in COMMANDS:
        return {first: COMMANDS[first]}, ()
    return ({}, named) if (named := [group for group in GROUPS if group.name == first]) else (COMMANDS, GROUPS)


def _add(app: typer.Typer, asked_for: tuple[dict[str, str], Sequence[Group]]) -> None:
    commands, groups = asked_for
    for name, place in commands.items():
        app.command(name)(_command(place))
    for group in groups:
        inside = typer.Typer(no_args_is_help=True, help=group.about, rich_markup_mode="markdown")
        for name, place in group.commands.items():
            inside.command(name)(_command(place))
        app.add_typer(inside, name=group.name)


def _command(place: str) -> Callable[..., None]:
    """The command at this place of COMMANDS or of a group."""
    from gatekeeper.cli.failures import told_plainly  # noqa: PLC0415 - takes longer than --version, which needs none

    module, _, name = place.partition(":")
    return told_plainly(getattr(import_module(f"gatekeeper.cli.{module}"), name))


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
    make_app(_typed())(prog_name="gatekeeper")


def _typed() -> list[str]:
    """What stands behind `gatekeeper`: when Tab is pressed the shell says it in a variable, as far as it is typed."""
    completing = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS")
    return completing.split()[1:] if completing and "_GATEKEEPER_COMPLETE" in os.environ else sys.argv[1:]
