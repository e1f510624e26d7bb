"""What all operations share: who does it and why, what was new, pages of a list, and the team it is about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gatekeeper.admin.bodies import PageQuery
from gatekeeper.admin.problems import AdminProblem, no_team
from gatekeeper.ledger import bounds
from gatekeeper.ledger.errors import LedgerConflict, LedgerInvalid
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.teamrecord import TeamRecord

Answer = TypeVar("Answer")
Item = TypeVar("Item")

TRIES_MAX = 20
"""Whoever changes the same team at the same moment is let go first so many times."""


@dataclass(frozen=True, slots=True)
class Who:
    """Who does it and why, for the journal."""

    actor: str = "admin"
    why: str = ""

    def because(self, why: str) -> "Who":
        """With the reason that a body gives, if it gives one."""
        return Who(self.actor, why) if why else self


@dataclass(frozen=True, slots=True)
class Created(Generic[Answer]):
    """What a create came to; `new` is False if the same was there already."""

    document: Answer
    new: bool


async def team_of(ledger: Ledger, team_id: str) -> TeamRecord:
    """The team. Raises AdminProblem if there is none."""
    try:
        bounds.check_team_id(team_id)
    except LedgerInvalid:
        raise no_team(team_id) from None
    record = await ledger.team(team_id)
    if record is None:
        raise no_team(team_id)
    return record


async def change_team(
    ledger: Ledger, team_id: str, change: Callable[[TeamRecord], TeamRecord], who: Who
) -> TeamRecord:  # fmt: skip
    """Change a team's record from what it is now; whoever changed it in between is not overwritten."""
    for _ in range(TRIES_MAX):
        before = await team_of(ledger, team_id)
        try:
            return await ledger.put_team(
                change(before), actor=who.actor, why=who.why, expected_revision=before.revision
            )  # fmt: skip
        except LedgerConflict:
            continue
    raise AdminProblem("changed_meanwhile", f"Team {team_id} is being changed by somebody else. Nothing was changed.")


def page_of(items: Iterable[Item], page: PageQuery, name: Callable[[Item], str]) -> tuple[list[Item], str | None]:
    """The items behind the cursor in the order of their names, and the cursor of the next page."""
    behind = sorted((item for item in items if name(item) > page.cursor), key=name)
    shown = behind[: page.limit]
    return shown, name(shown[-1]) if len(behind) > len(shown) else None


def chosen(value: str) -> str | None:
    """Text that may be empty, as an answer has it."""
    return value or None


def noted(note: str, why: str) -> str:
    """A grant's note and why it is given, as the journal has both in one place."""
    return ": ".join(filter(None, (note, why)))[: bounds.REASON_CHARS_MAX]
