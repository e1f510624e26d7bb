"""`limits`: caps on spend, how far each is used, and a raise that ends by itself."""

from typing import Annotated

import typer

from gatekeeper.admin.bodies import LimitName
from gatekeeper.admin.documents import LimitsDocument
from gatekeeper.admin.operations import limits, single
from gatekeeper.admin.pieces import LimitBody
from gatekeeper.admin.problems import invalid
from gatekeeper.cli.operating import by, credits_of, given, moment, operate
from gatekeeper.cli.options import ConfigOption, CreditsArgument, JsonOption, TeamArgument
from gatekeeper.cli.show import cell, plain, print_json
from gatekeeper.cli.tables import print_rows
from gatekeeper.cli.who import WhyOption
from gatekeeper.ledger.ledger import Ledger

ScopeArgument = Annotated[
    str, typer.Argument(metavar="SCOPE", help="team, project, member, key (each by itself), or one: member:amy.")
]
PerArgument = Annotated[str, typer.Argument(metavar="PER", help="lifetime, hour, day, week or month.")]


def list_limits(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List a team's limits, each with how far it is used. One for every member has no use of its own to show."""
    _print(team, operate(config, lambda ledger: limits.get_limits(ledger, team), team=team), as_json)


def _print(team: str, found: LimitsDocument, as_json: bool) -> None:
    if as_json:
        print_json(found.plain())
        return
    rows = plain(found.plain())["limits"]
    shown = [{**row, "raised": _raise(row["raised_to"], row["raised_until"])} for row in rows]
    columns = {
        "Scope": "scope", "Per": "per", "Limit": "credits", "Raised": "raised", "Used": "used", "Held": "held",
        "Resets": "resets_at", "Exhausted": "exhausted",
    }  # fmt: skip
    print_rows(shown, columns, right=("Limit", "Used", "Held"))
    for row in rows:
        if row["exhausted"]:
            spent = f"{row['used'] + row['held']} of {row['in_force']} credits are used or held"
            then = f"until {cell(row['resets_at'])}" if row["resets_at"] else "as long as it stands"
            print(f"{row['scope']} per {row['per']}: {spent}, so nothing more is admitted {then}.")
    if not rows:
        print(f"Team {team} has no limits.")


def _raise(to: object, until: str | None) -> str:
    return "" if until is None else f"{to} until {cell(until)}"


def set_limit(
    team: TeamArgument,
    scope: ScopeArgument,
    per: PerArgument,
    amount: CreditsArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a limit, or change it. Below what is used already it stops what is to come, and says so."""
    body_of = {"scope": scope, "per": per, "credits": credits_of(amount)}
    done = operate(
        config, lambda ledger: single.set_limit(ledger, team, given(LimitBody, **body_of), by(why)), team=team
    )
    _print(team, done, as_json)


def raise_limit(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    scope: ScopeArgument,
    per: PerArgument,
    amount: CreditsArgument,
    *,
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="WHEN", show_default=False, help="A day, an ISO time, or a stretch from now like 7d."
        ),
    ],
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a limit be another one for a while. Then it is by itself what it was."""

    async def do(ledger: Ledger) -> LimitsDocument:
        at = await moment(ledger, team, until)
        body = given(LimitBody, scope=scope, per=per, credits=0, raised_to=credits_of(amount), raised_until=at)
        if body.raised_to is None or body.raised_until is None:
            raise invalid("until", "is missing", "Write when the raise ends.")
        name = LimitName(scope=body.scope, per=body.per)
        return await single.raise_limit(ledger, team, name, body.raised_to, body.raised_until, by(why))

    _print(team, operate(config, do, team=team, name=f"{scope} per {per}"), as_json)


def lower_limit(
    team: TeamArgument,
    scope: ScopeArgument,
    per: PerArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a raise of a limit now."""
    done = operate(
        config,
        lambda ledger: single.lower_limit(ledger, team, given(LimitName, scope=scope, per=per), by(why)),
        team=team,
        name=f"{scope} per {per}",
    )
    _print(team, done, as_json)


def remove_limit(
    team: TeamArgument,
    scope: ScopeArgument,
    per: PerArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a limit away. What was spent under it stays in the books."""
    done = operate(
        config,
        lambda ledger: single.remove_limit(ledger, team, given(LimitName, scope=scope, per=per), by(why)),
        team=team,
        name=f"{scope} per {per}",
    )
    _print(team, done, as_json)
