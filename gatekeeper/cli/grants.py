"""`grants`: credits that are given, given back, handed on, and given anew each month."""

from typing import Annotated, Any

import typer

from gatekeeper.admin.bodies import AllowanceBody, GrantBody, PageQuery, RefundBody, TransferBody
from gatekeeper.admin.documents import AllowancesDocument, GrantDocument
from gatekeeper.admin.operations import grants, plans, single, wallet
from gatekeeper.admin.operations.asking import Created
from gatekeeper.admin.paging import PAGE_MAX
from gatekeeper.cli.operating import by, credits_of, given, maybe_credits_of, moment, operate
from gatekeeper.cli.options import (
    ConfigOption,
    CreditsArgument,
    CursorOption,
    JsonOption,
    PageOption,
    TeamArgument,
    WhenOption,
)
from gatekeeper.cli.show import cell, plain, print_json
from gatekeeper.cli.tables import print_page, print_rows
from gatekeeper.cli.who import WhyOption
from gatekeeper.ledger.ledger import Ledger

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="What makes it one: the same id again is the same.")]


def list_grants(
    team: TeamArgument,
    limit: PageOption = PAGE_MAX,
    cursor: CursorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a team was given. Of credits that never expire no rest is kept by grant: they are one pot."""
    page = PageQuery(limit=limit, cursor=cursor)
    document = operate(config, lambda ledger: grants.list_grants(ledger, team, page), team=team).plain()
    columns = {"Grant": "id", "Credits": "credits", "Expires": "expires_at", "Left": "remaining"}
    none = f"Team {team} was given nothing yet. `gatekeeper grants give {team} ID CREDITS` does."
    shown = {**document, "grants": [{**each, "remaining": _left(each["remaining"])} for each in document["grants"]]}
    print_page(
        document if as_json else shown, "grants", columns,
        none=none, right=("Credits", "Left"), whole=("Grant",), as_json=as_json,
    )  # fmt: skip


def _left(remaining: Any) -> Any:
    return "one pot" if remaining is None else remaining


def give(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    grant: IdArgument,
    amount: CreditsArgument,
    *,
    expires: WhenOption = None,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What it is for, for the journal.")] = "",
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a team credits, once per id. What expires soonest is spent first; what is left of it then is lost."""

    async def do(ledger: Ledger) -> Created[GrantDocument]:
        at = await moment(ledger, team, expires)
        body = given(GrantBody, id=grant, credits=credits_of(amount), expires_at=at, note=note)
        return await grants.give_grant(ledger, team, body, by(why))

    made = operate(config, do, team=team, name=grant)
    if as_json:
        print_json(made.document.plain())
        return
    facts = plain(made.document.plain())
    until = f", until {cell(facts['expires_at'])}" if facts["expires_at"] else ""
    done = "is given" if made.new else "was given before; nothing was changed"
    print(f"Grant {grant} of {facts['credits']} credits{until} {done}.")


def refund(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    refund_id: IdArgument,
    *,
    hold: Annotated[
        str | None, typer.Option("--hold", metavar="ID", show_default=False, help="The hold that was charged.")
    ] = None,
    entry: Annotated[
        int | None, typer.Option("--entry", metavar="SEQ", min=1, show_default=False, help="Or its journal entry.")
    ] = None,
    amount: Annotated[
        str | None,
        typer.Option("--credits", metavar="CREDITS", show_default="all that is left of it", help="How many."),
    ] = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give back what a hold was charged, or a part of it; never more than that in all."""
    body_of: dict[str, Any] = {"id": refund_id, "hold_id": hold, "seq": entry, "credits": maybe_credits_of(amount)}
    made = operate(
        config, lambda ledger: wallet.give_refund(ledger, team, given(RefundBody, **body_of), by(why)), team=team,
        name=hold or "",
    )  # fmt: skip
    if as_json:
        print_json(made.document.plain())
        return
    facts = plain(made.document.plain())
    done = "are given back" if made.new else "were given back before; nothing was changed"
    print(f"{facts['credits']} credits {done}. Of this charge {facts['charged']} are left charged.")
    print(f"Available: {facts['credits_available']} credits.")


def list_refunds(
    team: TeamArgument,
    limit: PageOption = PAGE_MAX,
    cursor: CursorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a team was given back."""
    page = PageQuery(limit=limit, cursor=cursor)
    document = operate(config, lambda ledger: wallet.list_refunds(ledger, team, page), team=team).plain()
    columns = {"Refund": "id", "Credits": "credits", "At": "at", "Hold": "hold_id", "Charge": "charge_seq"}
    none = f"Team {team} was given nothing back."
    print_page(
        document, "refunds", columns, none=none, right=("Credits", "Charge"), whole=("Refund", "Hold"), as_json=as_json
    )


def transfer(
    team: TeamArgument,
    transfer_id: IdArgument,
    to: Annotated[str, typer.Argument(metavar="TO", help="The team that gets them.")],
    amount: CreditsArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand credits on to another team of the same organisation: only such as never expire."""
    body_of = {"id": transfer_id, "to": to, "credits": credits_of(amount)}
    made = operate(
        config, lambda ledger: wallet.make_transfer(ledger, team, given(TransferBody, **body_of), by(why)), team=team,
        name=to,
    )  # fmt: skip
    if as_json:
        print_json(made.document.plain())
        return
    facts = plain(made.document.plain())
    done = f"{facts['credits']} credits of team {team} {{}} handed on to team {facts['to']}{{}}."
    print(done.format("are", "") if made.new else done.format("were", " before; nothing was changed"))


def list_transfers(
    team: TeamArgument,
    limit: PageOption = PAGE_MAX,
    cursor: CursorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what a team handed on."""
    page = PageQuery(limit=limit, cursor=cursor)
    document = operate(config, lambda ledger: wallet.list_transfers(ledger, team, page), team=team).plain()
    columns = {"Transfer": "id", "To": "to", "Credits": "credits", "At": "at", "Pending": "pending"}
    none = f"Team {team} handed nothing on."
    print_page(document, "transfers", columns, none=none, right=("Credits",), whole=("Transfer",), as_json=as_json)


def list_allowances(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what a team is given anew each day, week or month."""
    _print_allowances(team, operate(config, lambda ledger: plans.get_allowances(ledger, team), team=team), as_json)


def _print_allowances(team: str, found: AllowancesDocument, as_json: bool) -> None:
    if as_json:
        print_json(found.plain())
        return
    columns = {
        "Allowance": "id",
        "Credits": "credits",
        "Per": "per",
        "Since": "since",
        "Lasts periods": "lasts_periods",
    }
    rows = plain(found.plain())["allowances"]
    print_rows(rows, columns, right=("Credits", "Lasts periods"), whole=("Allowance",))
    if not rows:
        print(f"Team {team} has no allowances.")


def allow(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    allowance: IdArgument,
    amount: CreditsArgument,
    *,
    per: Annotated[str, typer.Option("--per", metavar="PERIOD", help="day, week or month.")] = "month",
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            show_default="now",
            help="From this day or time on; the period that it falls into counts.",
        ),
    ] = None,
    lasts: Annotated[
        int, typer.Option("--lasts", metavar="N", min=0, help="After so many periods the rest is lost; 0: never.")
    ] = 1,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a team credits anew in every period of its time zone, or change an allowance from the next period on."""

    async def do(ledger: Ledger) -> AllowancesDocument:
        at = await moment(ledger, team, since)
        body = given(AllowanceBody, id=allowance, credits=credits_of(amount), per=per, since=at, lasts_periods=lasts)
        return await single.set_allowance(ledger, team, body, by(why))

    _print_allowances(team, operate(config, do, team=team), as_json)
    if since is None and not as_json:
        print(
            f"{amount} credits come as each {per} begins, and for the {per} that runs at once unless they came before."
        )


def disallow(
    team: TeamArgument,
    allowance: IdArgument,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give no more of an allowance; what was given stays given."""
    done = operate(config, lambda ledger: single.remove_allowance(ledger, team, allowance, by(why)), team=team)
    _print_allowances(team, done, as_json)
