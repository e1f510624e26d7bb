"""`teams export`: what the store has of teams, as a teams file."""

import sys

from gatekeeper.admin.teams_text import teams_text
from gatekeeper.cli.operating import operate
from gatekeeper.cli.options import ConfigOption, TeamsArgument
from gatekeeper.cli.stores import chosen_teams
from gatekeeper.ledger.ledger import Ledger


def export_teams(teams: TeamsArgument = None, config: ConfigOption = None) -> None:
    """Write teams as a teams file on stdout: all that `apply` takes, so that applied again it changes nothing.

    Keys stand in comments, for their secrets are not kept anywhere.
    """

    async def read(ledger: Ledger) -> str:
        found = []
        for team in await chosen_teams(ledger, teams or []):
            record = await ledger.team(team)
            if record is not None:
                found.append((record, await ledger.grants(team), await ledger.keyring.of_team(team)))
        return teams_text(found)

    sys.stdout.write(operate(config, read))
