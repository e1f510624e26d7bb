"""`projects` and `alerts`: how a budget is meant to be spent, and whom to tell when it is not."""

from typing import Annotated, Any

import typer

from gatekeeper.admin.bodies import AlertsBody, PageQuery, ProjectBody
from gatekeeper.admin.documents import ProjectsDocument
from gatekeeper.admin.operations import plans, single
from gatekeeper.admin.paging import PAGE_MAX
from gatekeeper.cli.operating import by, credits_of, given, moment, operate
from gatekeeper.cli.options import ConfigOption, CursorOption, JsonOption, PageOption, TeamArgument
from gatekeeper.cli.show import plain, print_json
from gatekeeper.cli.tables import print_page, print_rows
from gatekeeper.cli.who import WhyOption
from gatekeeper.ledger.ledger import Ledger

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project, as requests name it.")]


def list_projects(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the projects of a team that have a budget, and its parts."""
    _print(team, operate(config, lambda ledger: plans.get_projects(ledger, team), team=team), as_json)


def _print(team: str, found: ProjectsDocument, as_json: bool) -> None:
    if as_json:
        print_json(found.plain())
        return
    rows = [{**row, "shown": _parts(row["parts"])} for row in plain(found.plain())["projects"]]
    columns = {"Project": "id", "Credits": "credits", "Per": "per", "Parts": "shown", "High": "high_resolutions"}
    print_rows(rows, columns | {"High in final only": "high_in_final_only"}, right=("Credits",), whole=("Project",))
    if not rows:
        print(f"No project of team {team} has a budget.")


def _parts(parts: list[dict[str, Any]]) -> str:
    return "; ".join(f"{p['name']} {p['share_percent']} %: {', '.join(p['phases'] + p['resolutions'])}" for p in parts)


def set_project(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    project: ProjectArgument,
    amount: Annotated[str, typer.Argument(metavar="CREDITS", help="What it may come to, like 3000.")],
    *,
    per: Annotated[str, typer.Option("--per", metavar="PERIOD", help="hour, day, week, month or lifetime.")] = "month",
    part: Annotated[
        list[str] | None,
        typer.Option(
            "--part", metavar="NAME=PERCENT:WORDS", show_default=False,
            help="A part of it, and which phases and resolutions fall into it: drafts=70:iteration,1K",
        ),
    ] = None,
    high: Annotated[
        list[str] | None,
        typer.Option("--high", metavar="RESOLUTION", show_default=False, help="A high resolution; may be given again."),
    ] = None,
    final_only: Annotated[
        bool, typer.Option("--high-in-final-only", help="Refuse high resolutions outside the phase final.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="WHEN", show_default=False, help="Of a lifetime: from when on.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", show_default=False, help="Of a lifetime: until when.")
    ] = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Set a project's budget, or replace it. It signals and does not limit: a limit of project:NAME does."""

    async def do(ledger: Ledger) -> ProjectsDocument:
        times = [await moment(ledger, team, text) for text in (since, until)]
        body = given(
            ProjectBody, id=project, credits=credits_of(amount), per=per, parts=[part_of(text) for text in part or ()],
            high_resolutions=high or None, high_in_final_only=final_only, since=times[0], until=times[1],
        )  # fmt: skip
        return await single.set_project(ledger, team, body, by(why))

    _print(team, operate(config, do, team=team), as_json)


def part_of(text: str) -> dict[str, Any]:
    """A part as the option says it. Words are phases and resolutions; a bad one is refused where a body's is."""
    name, is_named, rest = text.partition("=")
    percent, _, words = rest.partition(":")
    if not is_named or not percent.isdecimal():
        raise typer.BadParameter(f"{text} is no part; write it like drafts=70:iteration,1K", param_hint="--part")
    named = [word for word in words.split(",") if word]
    # No phase begins with a digit and every resolution does; what is neither is told as the phase that it is not.
    phases, resolutions = [w for w in named if not w[0].isdecimal()], [w for w in named if w[0].isdecimal()]
    return {"name": name, "share_percent": int(percent), "phases": phases, "resolutions": resolutions}


def remove_project(
    team: TeamArgument,
    project: ProjectArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a project's budget away. What it spent stays in the books."""
    _print(
        team, operate(config, lambda ledger: single.remove_project(ledger, team, project, by(why)), team=team), as_json
    )


def show_alerts(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show at which percents of its limits and budgets a team is told, and whom."""
    _print_alerts(operate(config, lambda ledger: plans.get_alerts(ledger, team), team=team).plain(), as_json)


def set_alerts(
    team: TeamArgument,
    threshold: Annotated[
        list[int] | None,
        typer.Option("--threshold", metavar="PERCENT", show_default="as it is", help="May be given again."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", show_default="as it is", help="Whom to tell; '' for nobody.")
    ] = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change at which percents it is told, or whom. The log is told in any case."""
    said: dict[str, Any] = {"thresholds": threshold or None, "alert_url": url}
    done = operate(
        config, lambda ledger: plans.put_alerts(ledger, team, given(AlertsBody, **said), by(why)), team=team
    )  # fmt: skip
    _print_alerts(done.plain(), as_json)


def _print_alerts(document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    percents = ", ".join(f"{each} %" for each in document["thresholds"]) or "never"
    print(f"Told at {percents}, in the log{' and to ' + document['alert_url'] if document['alert_url'] else ''}.")


def list_deliveries(
    team: TeamArgument,
    limit: PageOption = PAGE_MAX,
    cursor: CursorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the attempts to call the team's alert address, the latest first."""
    page = PageQuery(limit=limit, cursor=cursor)
    document = operate(config, lambda ledger: plans.list_deliveries(ledger, team, page), team=team).plain()
    columns = {"At": "at", "Event": "event", "Alert": "alert", "Host": "host", "Status": "status"}
    columns |= {"Outcome": "outcome", "Reason": "reason"}
    none = f"Nobody was called about team {team} yet."
    print_page(document, "deliveries", columns, none=none, whole=("At",), as_json=as_json)
