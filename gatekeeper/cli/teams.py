"""`teams`: who may spend, what bounds it, and the switch that stops it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gatekeeper.admin.bodies import PageQuery, TeamBody, TeamPatch
from gatekeeper.admin.operations import single, teams
from gatekeeper.admin.operations.asking import Who
from gatekeeper.admin.paging import PAGE_MAX
from gatekeeper.admin.pieces import CapsBody
from gatekeeper.cli.operating import by, given, maybe_credits_of, operate
from gatekeeper.cli.options import ConfigOption, CursorOption, JsonOption, PageOption, TeamArgument, YesOption
from gatekeeper.cli.show import plain, print_json, tell_more
from gatekeeper.cli.tables import print_rows
from gatekeeper.cli.who import WhyOption
from gatekeeper.ledger.ledger import Ledger

TimezoneOption = Annotated[
    str | None,
    typer.Option(
        "--timezone", metavar="NAME", show_default=False, help="Where its days and months begin; UTC if never said."
    ),
]
OrganisationOption = Annotated[
    str | None,
    typer.Option(
        "--organisation", metavar="NAME", show_default=False, help="Teams of one may hand credits on; '' for none."
    ),
]
ShadowOption = Annotated[
    bool | None, typer.Option("--shadow/--no-shadow", show_default=False, help="Refuse nothing, log what would be.")
]
RetryGuardOption = Annotated[
    bool | None,
    typer.Option(
        "--retry-guard/--no-retry-guard",
        show_default=False,
        help="An SDK's own retry is not paid twice; on if never said.",
    ),
]
AllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        metavar="PATTERN",
        show_default=False,
        help="Models it may use, all if never said; may be given again.",
    ),
]
DenyOption = Annotated[
    list[str] | None,
    typer.Option("--deny", metavar="PATTERN", show_default=False, help="Models it may not use; wins over --allow."),
]
PerRequestOption = Annotated[
    str | None,
    typer.Option("--per-request", metavar="CREDITS", show_default=False, help="The most one request may cost."),
]
OpenHoldsOption = Annotated[
    int | None, typer.Option("--open-holds", metavar="N", show_default=False, help="The most generations at once.")
]
HeldCreditsOption = Annotated[
    str | None, typer.Option("--held-credits", metavar="CREDITS", show_default=False, help="The most credits held.")
]
PerMinuteOption = Annotated[
    int | None,
    typer.Option("--requests-per-minute", metavar="N", show_default=False, help="The most requests in a minute."),
]


NO_CAPS = dict.fromkeys(CapsBody.model_fields)
"""All of them, off."""


def list_teams(
    limit: PageOption = PAGE_MAX, cursor: CursorOption = "", config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the teams, each with its credits."""
    document = operate(config, lambda ledger: teams.list_teams(ledger, PageQuery(limit=limit, cursor=cursor))).plain()
    if as_json:
        print_json(document)
        return
    found = plain(document)
    rows = [{**team, **team["balance"], "state": _state(team)} for team in found["teams"]]
    columns = {"Team": "id", "Available": "available", "Held": "held", "Charged": "charged", "Zone": "timezone"}
    print_rows(rows, columns | {"State": "state"}, right=("Available", "Held", "Charged"), whole=("Team",))
    if not rows:
        print("There are no teams here. `gatekeeper teams create NAME` makes one.")
    tell_more(found["next_cursor"])


def _state(team: dict[str, Any]) -> str:
    return "frozen" if team["frozen"] else "shadow" if team["shadow"] else "open"


def show_team(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a team: its settings and its credits."""
    print_team(operate(config, lambda ledger: teams.get_team(ledger, team), team=team).plain(), as_json)


def print_team(document: dict[str, Any], as_json: bool) -> None:
    """A team, for people or for scripts."""
    if as_json:
        print_json(document)
        return
    team = plain(document)
    caps = [f"{name} {value}" for name, value in team["caps"].items() if value is not None]
    facts = {
        "Team": team["id"],
        "State": _state(team),
        "Time zone": team["timezone"],
        "Organisation": team["organisation"] or "none",
        "Models": ", ".join(team["models"]["allow"]) or "none",
        "Denied models": ", ".join(team["models"]["deny"]) or "none",
        "Caps": ", ".join(caps) or "none",
        "Retry guard": "on" if team["retry_guard"] else "off",
        **{name.capitalize(): str(amount) for name, amount in team["balance"].items() if name != "open_holds"},
        "Open holds": str(team["balance"]["open_holds"]),
    }
    print_rows([{"fact": name, "value": value} for name, value in facts.items()], {"Fact": "fact", "Value": "value"})


def create_team(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    *,
    timezone: TimezoneOption = None,
    organisation: OrganisationOption = None,
    shadow: ShadowOption = None,
    retry_guard: RetryGuardOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    per_request: PerRequestOption = None,
    open_holds: OpenHoldsOption = None,
    held_credits: HeldCreditsOption = None,
    requests_per_minute: PerMinuteOption = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a team. It has no credits yet (`grants give`) and no key (`keys create`).

    The same again changes nothing; a team of this name that is otherwise stays as it is, and exit code 1 says so.
    """
    settings = _settings(
        timezone=timezone, organisation=organisation, shadow=shadow, retry_guard=retry_guard,
        caps=_caps(per_request, open_holds, held_credits, requests_per_minute), models=_models(allow, deny),
    )  # fmt: skip
    made = operate(config, lambda ledger: teams.create_team(ledger, given(TeamBody, id=team, **settings), by(why)))
    print_team(made.document.plain(), as_json)
    if not as_json:
        print(f"Team {team} is made." if made.new else f"Team {team} is there already; nothing was changed.")


def set_team(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    *,
    timezone: TimezoneOption = None,
    organisation: OrganisationOption = None,
    shadow: ShadowOption = None,
    retry_guard: RetryGuardOption = None,
    allow: AllowOption = None,
    deny: DenyOption = None,
    per_request: PerRequestOption = None,
    open_holds: OpenHoldsOption = None,
    held_credits: HeldCreditsOption = None,
    requests_per_minute: PerMinuteOption = None,
    no_caps: Annotated[bool, typer.Option("--no-caps", help="Take all caps away.")] = False,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a team. What is not named stays as it is. Patterns of --allow replace those before, and so do --deny's."""
    settings = _settings(
        timezone=timezone, organisation=organisation, shadow=shadow, retry_guard=retry_guard,
        caps=NO_CAPS if no_caps else _caps(per_request, open_holds, held_credits, requests_per_minute),
        models=_models(allow, deny),
    )  # fmt: skip
    if not settings:
        raise typer.BadParameter("name what is to be changed; --help lists it")
    _change(
        config, team, lambda ledger, who: single.set_team(ledger, team, given(TeamPatch, **settings), who), why, as_json
    )


def freeze(team: TeamArgument, why: WhyOption = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Stop a team: within a second nothing of it is forwarded any more. What runs is charged as ever."""
    _change(config, team, lambda ledger, who: teams.freeze(ledger, team, who), why, as_json)


def unfreeze(team: TeamArgument, why: WhyOption = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Let a team go on."""
    _change(config, team, lambda ledger, who: teams.unfreeze(ledger, team, who), why, as_json)


def _change(
    config: Path | None, team: str, change: Callable[[Ledger, Who], Any], why: str, as_json: bool
) -> None:  # fmt: skip
    document = operate(config, lambda ledger: change(ledger, by(why)), team=team)
    print_team(document.plain(), as_json)


def remove_team(
    team: TeamArgument,
    yes: YesOption = False,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze a team and remove all of its keys. Its books stay, and so does its name."""
    if not yes:
        typer.confirm(f"Freeze team {team} and remove all of its keys?", abort=True, err=True)
    document = operate(config, lambda ledger: teams.remove_team(ledger, team, by(why)), team=team).plain()
    if as_json:
        print_json(document)
    else:
        print(f"Team {team} is frozen, and {document['keys_removed']} of its keys are removed; its books stay.")


def _settings(**said: Any) -> dict[str, Any]:
    """What was said; nothing for what was not."""
    return {name: value for name, value in said.items() if value is not None}


def _caps(
    per_request: str | None, open_holds: int | None, held_credits: str | None, requests_per_minute: int | None
) -> dict[str, Any] | None:
    found = _settings(
        per_request=maybe_credits_of(per_request), open_holds=open_holds,
        held_credits=maybe_credits_of(held_credits), requests_per_minute=requests_per_minute,
    )  # fmt: skip
    return found or None


def _models(allow: list[str] | None, deny: list[str] | None) -> dict[str, Any] | None:
    return _settings(allow=allow or None, deny=deny or None) or None
