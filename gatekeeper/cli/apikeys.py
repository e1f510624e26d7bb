"""`keys`: who may call, with a secret that is shown once."""

from typing import Annotated, Any

import typer

from gatekeeper.admin.bodies import OVERLAP_S_MAX, KeyBody, PageQuery, RotateBody
from gatekeeper.admin.documents import KeyCreated
from gatekeeper.admin.operations import keys
from gatekeeper.admin.operations.asking import Created
from gatekeeper.admin.paging import PAGE_MAX
from gatekeeper.admin.problems import invalid
from gatekeeper.cli.operating import by, given, moment, operate, stretch_of
from gatekeeper.cli.options import (
    ConfigOption,
    CursorOption,
    JsonOption,
    PageOption,
    TeamArgument,
    WhenOption,
    YesOption,
)
from gatekeeper.cli.show import cell, plain, print_json, tell_more
from gatekeeper.cli.stores import span
from gatekeeper.cli.tables import print_rows
from gatekeeper.cli.who import WhyOption
from gatekeeper.ledger.ledger import Ledger

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's id.", show_default=False)]


def list_keys(
    team: TeamArgument,
    limit: PageOption = PAGE_MAX,
    cursor: CursorOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List a team's keys. Their secrets are not kept anywhere."""
    page = PageQuery(limit=limit, cursor=cursor)
    document = operate(config, lambda ledger: keys.list_keys(ledger, team, page), team=team).plain()
    if as_json:
        print_json(document)
        return
    found = plain(document)
    rows = [{**key, "scopes": key["scopes"] or "all"} for key in found["keys"]]
    columns = {"Key": "id", "Project": "project", "Member": "member", "Scopes": "scopes", "Expires": "expires_at"}
    print_rows(rows, columns | {"Old secret until": "older_until", "Revoked": "revoked"}, whole=("Key",))
    if not rows:
        print(f"Team {team} has no keys. `gatekeeper keys create {team} NAME` makes one.")
    tell_more(found["next_cursor"])


def create_key(  # noqa: PLR0913 - each argument is an option of the command
    team: TeamArgument,
    key: KeyArgument,
    *,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", show_default=False, help="Bind it to a project.")
    ] = None,
    member: Annotated[
        str | None, typer.Option("--member", metavar="NAME", show_default=False, help="Bind it to a member.")
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="WORD", show_default="all", help="generate, quote or read; more than once."),
    ] = None,
    expires: WhenOption = None,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its secret is shown this once.

    The same again changes nothing and shows no secret; for a new one there is `keys rotate`.
    """

    async def create(ledger: Ledger) -> Created[KeyCreated]:
        at = await moment(ledger, team, expires)
        body = given(KeyBody, id=key, project=project, member=member, scopes=scope or None, expires_at=at)
        return await keys.create_key(ledger, team, body, by(why))

    made = operate(config, create, team=team, name=key)
    _print_secret(team, made.document.plain(), as_json)
    if not made.new and not as_json:
        print(f"Key {key} is there already; nothing was changed. Its secret is not kept: `keys rotate` makes another.")


def rotate_key(
    team: TeamArgument,
    key: KeyArgument,
    overlap: Annotated[
        str, typer.Option("--overlap", metavar="TIME", help="How long the secret before works: 24h, 90min, 7d.")
    ] = "0s",
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a key a new secret, which is shown this once. Without --overlap the one before ends now."""
    seconds = int(stretch_of(overlap).total_seconds())
    if seconds > OVERLAP_S_MAX:
        raise invalid("overlap_s", f"{overlap} is too long", f"Both secrets work for {span(OVERLAP_S_MAX)} at most.")
    document = operate(
        config,
        lambda ledger: keys.rotate_key(ledger, team, key, given(RotateBody, overlap_s=seconds), by(why)),
        team=team,
        name=key,
    ).plain()
    _print_secret(team, document, as_json)
    if not as_json and document["older_until"] is None:
        print("The secret before ends within a second.")


def _print_secret(team: str, document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    key = plain(document)
    if key["secret"] is not None:
        print(f"Key {key['id']} of team {team}: {key['secret']}")
        print("This is shown once and not kept. Give it to whoever calls, and to nobody else.")
    if key["older_until"] is not None:
        print(f"The secret before works until {cell(key['older_until'])}.")


def revoke_key(
    team: TeamArgument, key: KeyArgument, why: WhyOption = "", config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """End a key within a second; its record stays."""
    document = operate(config, lambda ledger: keys.revoke_key(ledger, team, key, by(why)), team=team, name=key).plain()
    if as_json:
        print_json(document)
    else:
        print(f"Key {key} of team {team} is revoked.")


def remove_key(
    team: TeamArgument,
    key: KeyArgument,
    yes: YesOption = False,
    why: WhyOption = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a key, which stops working within a second. What it spent stays in the books."""
    if not yes:
        typer.confirm(f"Remove key {key} of team {team}?", abort=True, err=True)
    document = operate(config, lambda ledger: keys.remove_key(ledger, team, key, by(why)), team=team, name=key).plain()
    if as_json:
        print_json(document)
    elif document["removed"]:
        print(f"Key {key} of team {team} is removed.")
    else:
        print(f"Team {team} has no key {key}; nothing was changed.")
