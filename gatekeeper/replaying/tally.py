"""The sums of a replay: how many requests, how many refused, how many credits, then and now.

A table of them has a bounded number of rows; what comes after the last is summed up in one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from gatekeeper.dialects.facts import credits_number
from gatekeeper.web.answers import iso_time

ROWS_MAX: Final = 10_000
"""More rows are no report; a company has fewer teams, and few reasons for each."""

OTHERS: Final = "(others)"
"""The name of the row that has what the others have no room for."""

Row = TypeVar("Row")


@dataclass(slots=True)
class Tally:
    """Requests and credits of a team, or of a model. `assumed` is the part of `credits_after` that was made by requests
    which were refused then: nobody knows what would have come of them, so they count as asked."""

    requests: int = 0
    refused_before: int = 0
    refused_after: int = 0
    newly_refused: int = 0
    newly_admitted: int = 0
    credits_before: int = 0
    credits_after: int = 0
    assumed: int = 0

    def document(self) -> dict[str, Any]:
        """Its numbers, credits exact."""
        return {
            "requests": self.requests,
            "refused_before": self.refused_before,
            "refused_after": self.refused_after,
            "newly_refused": self.newly_refused,
            "newly_admitted": self.newly_admitted,
            "credits_before": credits_number(self.credits_before),
            "credits_after": credits_number(self.credits_after),
            "credits_assumed": credits_number(self.assumed),
        }


@dataclass(slots=True)
class CodeTally:
    """How often this code led a refusal."""

    before: int = 0
    after: int = 0


@dataclass(slots=True)
class Refusals:
    """Requests that would be refused for one and the same reason. `credits` is what they would have been held at; what
    was not priced counts nothing. `newly` were not refused then."""

    requests: int = 0
    newly: int = 0
    credits: int = 0
    first_at_ms: int = 0
    example: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Whose request was refused, and why. `about` is the limit or the setting that stood in the way."""

    team: str
    member: str
    project: str
    model: str
    code: str
    about: str


@dataclass(slots=True)
class Table(Generic[Row]):
    """Rows by name, at most `ROWS_MAX` and one for the others."""

    new: Callable[[], Row]
    rows: dict[Any, Row] = field(default_factory=dict)

    def row(self, name: Any, others: Any = OTHERS) -> Row:
        """The row of this name, or the others'."""
        found = self.rows.get(name)
        if found is None:
            key = name if len(self.rows) < ROWS_MAX else others
            found = self.rows.setdefault(key, self.new())
        return found


def refusal_document(why: Reason, found: Refusals) -> dict[str, Any]:
    """One row of who would be refused and why."""
    return {
        "team": why.team,
        "member": why.member,
        "project": why.project,
        "model": why.model,
        "code": why.code,
        "about": why.about,
        "requests": found.requests,
        "newly_refused": found.newly,
        "credits": credits_number(found.credits),
        "first_at": iso_time(found.first_at_ms),
        "example": found.example,
    }
