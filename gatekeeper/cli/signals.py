"""`signals`: how far budgets and limits are used, and what is spent otherwise than it was meant to be."""

from typing import Any

from gatekeeper.admin.operations.asking import team_of
from gatekeeper.catalog import load_catalog
from gatekeeper.cli.locate import find_settings
from gatekeeper.cli.operating import operate
from gatekeeper.cli.options import ConfigOption, JsonOption, TeamArgument
from gatekeeper.cli.show import plain, print_json, print_rows
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.signals.report import report


def signals(team: TeamArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show how a team's budgets and limits stand, each cause of a budget that runs ahead of its plan, and the saving.

    Looks only: nothing is marked as told.
    """
    catalog = load_catalog(find_settings(config).catalog_files())

    async def look(ledger: Ledger) -> dict[str, Any]:
        await team_of(ledger, team)
        return await report(ledger, catalog, team) or {}

    document = operate(config, look, team=team)
    if as_json:
        print_json(document)
        return
    found = plain(document)
    budget = {"Project": "project", "Per": "per", "Budget": "credits_budget", "Charged": "credits_charged"}
    budget |= {"Used %": "used_percent", "Of its time %": "elapsed_percent"}
    print_rows(found["projects"], budget, right=("Budget", "Charged", "Used %", "Of its time %"))
    limit = {"Limit": "scope", "Per": "per", "Credits": "credits_limit", "Used": "credits_used", "Held": "credits_held"}
    print_rows(found["limits"], limit | {"Used %": "used_percent"}, right=("Credits", "Used", "Held", "Used %"))
    told = [(project["project"], signal) for project in found["projects"] for signal in project["signals"]]
    for project, signal in told:
        print(f"{project}: {signal['diagnosis']}. {signal['detail']}")
    if not told:
        print(f"Nothing of team {team} is spent otherwise than it was planned.")
