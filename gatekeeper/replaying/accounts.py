"""The teams of a replay and the credits they begin with: as the teams file gives them, or as the log shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatekeeper.admin.teams_schema import TeamEntry, TeamsFile
from gatekeeper.admin.teams_wanted import wanted_team
from gatekeeper.ledger.allowances import due, next_due_ms
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.replaying.bank import Bank
from gatekeeper.replaying.lines import LogLine, read_credits

OPENING: Final = "opening balance"
"""The grant in whose name a team has what the log shows."""

UNKNOWN_MAX: Final = 1000
"""So many teams without rules are named; a file for another company names none of the log's."""


def rules_of(teams: TeamsFile) -> dict[str, TeamEntry]:
    """Every team of the file by its id."""
    return {entry.id: entry for entry in teams.teams}


@dataclass(slots=True)
class Accounts:
    """Whose rules are known, and their credits. `opening_from_log`: a team begins with what its first line with an
    amount says that it had, in place of its grants."""

    rules: Mapping[str, TeamEntry]
    opening_from_log: bool = False
    unknown: set[str] = field(default_factory=set)
    _banks: dict[str, Bank] = field(default_factory=dict)
    _given: dict[str, set[str]] = field(default_factory=dict)
    _next_due_ms: dict[str, int | None] = field(default_factory=dict)

    def record(self, team: str) -> TeamRecord:
        """The team's rules; for one that the file does not have none but the catalog's."""
        bank = self._banks.get(team)
        return TeamRecord(team) if bank is None else bank.record

    def bank(self, line: LogLine) -> Bank | None:
        """The credits of the line's team, opened if this is its first; None for a team that the file does not have."""
        team = str(line.fields.get("team") or "")
        entry = self.rules.get(team)
        if entry is None:
            if len(self.unknown) < UNKNOWN_MAX:
                self.unknown.add(team)
            return None
        if team not in self._banks:
            bank = self._banks[team] = Bank(wanted_team(entry, TeamRecord(team), now_ms=line.at_ms))
            bank.pass_time(line.at_ms)
            self._open(bank, entry, line.fields)
        return self._banks[team]

    def give_due(self, bank: Bank) -> None:
        """Gives the allowances that have come due by the bank's time."""
        next_ms = self._next_due_ms.get(bank.record.id, 0)
        if next_ms is None or bank.now_ms < next_ms:
            return
        given = self._given.setdefault(bank.record.id, set())
        for grant_id, amount, expires_at_ms in due(bank.record, bank.now_ms):
            if grant_id not in given:
                given.add(grant_id)
                bank.grant(grant_id, amount, expires_at_ms)
        self._next_due_ms[bank.record.id] = next_due_ms(bank.record, bank.now_ms)

    def _open(self, bank: Bank, entry: TeamEntry, fields: Mapping[str, Any]) -> None:
        if self.opening_from_log:
            bank.grant(OPENING, _balance_before(fields))
            self._given[bank.record.id] = {grant_id for grant_id, *_ in due(bank.record, bank.now_ms)}
            return
        for grant in entry.grants:
            bank.grant(grant.id, grant.credits, grant.expires_at)


def _balance_before(fields: Mapping[str, Any]) -> int:
    """What the team had before this line's hold."""
    left, held = fields.get("credits_available"), fields.get("credits") if fields.get("hold_id") else 0
    return sum(read_credits(value) or 0 for value in (left, held))
