"""The teams of a replay and the credits they begin with: as the teams file gives them, or as the log shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatekeeper.admin.teams_plan import team_steps
from gatekeeper.admin.teams_schema import GrantEntry, TeamEntry, TeamsFile
from gatekeeper.core.credits import parse_credits
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.replaying.bank import Bank
from gatekeeper.replaying.lines import LogLine

OPENING: Final = "opening balance"
"""The grant in whose name a team has what the log shows."""


@dataclass(frozen=True, slots=True)
class TeamRules:
    """A team as the file has it."""

    record: TeamRecord
    grants: tuple[GrantEntry, ...]


def rules_of(teams: TeamsFile) -> dict[str, TeamRules]:
    """Every team of the file by its id."""
    return {entry.id: TeamRules(_record(entry), tuple(entry.grants)) for entry in teams.teams}


def _record(entry: TeamEntry) -> TeamRecord:
    return next(iter(team_steps(entry, None))).record


@dataclass(slots=True)
class Accounts:
    """Whose rules are known, and their credits. `opening_from_log`: a team begins with what its first line with an
    amount says that it had, in place of its grants."""

    rules: Mapping[str, TeamRules]
    opening_from_log: bool = False
    unknown: set[str] = field(default_factory=set)
    _banks: dict[str, Bank] = field(default_factory=dict)

    def record(self, team: str) -> TeamRecord:
        """The team's rules; for one that the file does not have none but the catalog's."""
        rules = self.rules.get(team)
        return TeamRecord(team) if rules is None else rules.record

    def bank(self, line: LogLine) -> Bank | None:
        """The credits of the line's team, opened if this is its first; None for a team that the file does not have."""
        team = str(line.fields.get("team") or "")
        rules = self.rules.get(team)
        if rules is None:
            self.unknown.add(team)
            return None
        if team not in self._banks:
            bank = self._banks[team] = Bank(rules.record)
            bank.pass_time(line.at_ms)
            self._open(bank, rules, line.fields)
        return self._banks[team]

    def give_due(self, bank: Bank) -> None:
        """Gives what recurs and has come due."""

    def _open(self, bank: Bank, rules: TeamRules, fields: Mapping[str, Any]) -> None:
        if self.opening_from_log:
            bank.grant(OPENING, _balance_before(fields))
            return
        for grant in rules.grants:
            bank.grant(grant.id, grant.credits, grant.expires_at_ms)


def _balance_before(fields: Mapping[str, Any]) -> int:
    """What the team had before this line's hold."""
    left, held = fields.get("credits_available"), fields.get("credits") if fields.get("hold_id") else 0
    return sum(parse_credits(f"{value:.6f}") for value in (left, held) if isinstance(value, int | float))
