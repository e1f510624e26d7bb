"""The `gatekeeper` command and the list of what it can do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from gatekeeper import __version__
from gatekeeper.cli import apikeys, grants, limits, projects, teams
from gatekeeper.cli.books import apply, verify
from gatekeeper.cli.checking import check
from gatekeeper.cli.exporting import export_teams
from gatekeeper.cli.failures import told_plainly
from gatekeeper.cli.health import health
from gatekeeper.cli.holds import list_holds, release, settle
from gatekeeper.cli.journal import export, show, trim
from gatekeeper.cli.pricing import models, quote
from gatekeeper.cli.replaying import replay, shadow
from gatekeeper.cli.sandboxing import sandbox
from gatekeeper.cli.serving import demo, serve
from gatekeeper.cli.signals import signals
from gatekeeper.cli.usage import usage

COMMANDS = (serve, demo, health, check, quote, models, apply, usage, signals, verify, replay, shadow, sandbox)
"""Each is a function in a module of its group; its name is the command's, its docstring the help."""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands about one thing: `gatekeeper holds list`."""

    name: str
    about: str
    commands: dict[str, Callable[..., Any]]


GROUPS = (
    Group(
        "teams",
        "Who may spend, and the switch that stops it.",
        {
            "list": teams.list_teams,
            "show": teams.show_team,
            "create": teams.create_team,
            "set": teams.set_team,
            "freeze": teams.freeze,
            "unfreeze": teams.unfreeze,
            "remove": teams.remove_team,
            "export": export_teams,
        },
    ),
    Group(
        "keys",
        "Who may call.",
        {
            "list": apikeys.list_keys,
            "create": apikeys.create_key,
            "rotate": apikeys.rotate_key,
            "revoke": apikeys.revoke_key,
            "remove": apikeys.remove_key,
        },
    ),
    Group(
        "grants",
        "Credits that are given, given back, handed on, or given anew each month.",
        {
            "list": grants.list_grants,
            "give": grants.give,
            "refund": grants.refund,
            "refunds": grants.list_refunds,
            "transfer": grants.transfer,
            "transfers": grants.list_transfers,
            "allowances": grants.list_allowances,
            "allow": grants.allow,
            "disallow": grants.disallow,
        },
    ),
    Group(
        "limits",
        "Caps on spend, and how far each is used.",
        {
            "list": limits.list_limits,
            "set": limits.set_limit,
            "raise": limits.raise_limit,
            "lower": limits.lower_limit,
            "remove": limits.remove_limit,
        },
    ),
    Group(
        "projects",
        "How a budget is meant to be spent.",
        {"list": projects.list_projects, "set": projects.set_project, "remove": projects.remove_project},
    ),
    Group(
        "alerts",
        "Whom to tell how far limits and budgets are used.",
        {"show": projects.show_alerts, "set": projects.set_alerts, "log": projects.list_deliveries},
    ),
    Group("holds", "What keeps credits aside now.", {"list": list_holds, "settle": settle, "release": release}),
    Group("journal", "The history of every credit.", {"show": show, "export": export, "trim": trim}),
)


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
    for group in GROUPS:
        inside = typer.Typer(no_args_is_help=True, help=group.about, rich_markup_mode="markdown")
        for name, command in group.commands.items():
            inside.command(name)(told_plainly(command))
        app.add_typer(inside, name=group.name)
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
