"""What the commands that work on a store share: which teams are meant, and how times and amounts are written."""

from datetime import UTC, datetime

from gatekeeper.ledger.errors import LedgerNoTeam
from gatekeeper.ledger.ledger import Ledger

NAMED_MAX = 10
"""How many names are told to somebody who named one that is not there."""


async def chosen_teams(ledger: Ledger, named: list[str]) -> list[str]:
    """The teams that were named, else all of them by name. Raises LedgerNoTeam with those there are."""
    if not named:
        return sorted({team_id async for team_id in ledger.teams()})
    for team_id in named:
        if await ledger.team(team_id) is None:
            known = sorted({each async for each in ledger.teams()})
            raise LedgerNoTeam(f"There is no team {team_id}. {those_there_are(known)}")
    return list(dict.fromkeys(named))


def those_there_are(known: list[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(known) - NAMED_MAX} more" if len(known) > NAMED_MAX else ""
    return f"There are: {', '.join(known[:NAMED_MAX])}{more}." if known else "There are none yet."


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number of things: 1 entry, 2 entries."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def instant(at_ms: int) -> str:
    """An instant for people and for scripts, in UTC to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def span(seconds: float) -> str:
    """A stretch of time in its two largest units: 3 d 4 h."""
    left, parts = int(seconds), list[str]()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
