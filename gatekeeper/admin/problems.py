"""What the admin plane answers when it says no: one kind of error, which HTTP renders as problem+json (RFC 9457) and
the command line as a line. What the ledger says no with is translated here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from gatekeeper.core.rejection import quoted
from gatekeeper.ledger.errors import (
    LedgerBroken,
    LedgerConflict,
    LedgerError,
    LedgerInvalid,
    LedgerNoTeam,
    LedgerUnavailable,
)
from gatekeeper.yamlfile import known_keys, nearest_key, words_of

DETAIL_LENGTH_MAX = 300
"""Enough to say what is wrong; what a caller wrote is not repeated at any length."""

VIOLATIONS_MAX = 20
"""More of them in one answer would help nobody."""

_SCRIPT = re.compile(r"^\w+\.lua refuses its ")
"""Which script it was that refused concerns nobody out here."""

TITLES: dict[str, tuple[int, str]] = {
    "unauthenticated": (401, "The admin token is missing or wrong"),
    "too_many_attempts": (429, "Too many wrong admin tokens"),
    "host_not_known": (421, "This is no name of the admin port"),
    "not_found": (404, "There is no such route"),
    "method_not_allowed": (405, "This route does not take this method"),
    "malformed_request": (400, "The request could not be read"),
    "payload_too_large": (413, "The request body is too large"),
    "invalid": (422, "The request asks for what cannot be"),
    "team_not_found": (404, "There is no such team"),
    "grant_not_found": (404, "This team has no such grant"),
    "key_not_found": (404, "This team has no such key"),
    "limit_not_found": (404, "This team has no such limit"),
    "hold_not_found": (404, "This team has no such hold"),
    "charge_not_found": (404, "This team has no such charge"),
    "already_exists": (409, "This id is taken by something else"),
    "changed_meanwhile": (409, "It was changed meanwhile"),
    "hold_running": (409, "The generation of this hold runs"),
    "hold_ended": (409, "This hold has ended otherwise"),
    "ledger_unavailable": (503, "The credit ledger cannot be reached"),
    "ledger_broken": (500, "The store holds something that the ledger did not write"),
    "internal_error": (500, "gatekeeper failed inside"),
}
"""The closed list of codes, each with its status and what it says."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that cannot be taken: where it is, what is wrong with it, and how to mend it."""

    field: str
    detail: str
    mend: str = ""


class AdminProblem(Exception):
    """Why nothing was done. `facts` are further members of the answer, such as what `differs`."""

    def __init__(
        self, code: str, detail: str, *, violations: tuple[Violation, ...] = (), facts: dict[str, Any] | None = None
    ) -> None:
        self.code = code
        self.detail = _cut(detail)
        self.violations = violations
        self.facts = facts or {}
        self.status, self.title = TITLES[code]
        super().__init__(self.detail)

    def line(self) -> str:
        """All of it in one line or a few, for a terminal."""
        lines = [f"{each.field}: {each.detail}. {each.mend}".rstrip() for each in self.violations]
        return "\n".join([self.detail, *lines])

    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        found: dict[str, Any] = {
            "type": f"urn:gatekeeper:admin:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.violations:
            found["violations"] = [
                {"field": each.field, "detail": each.detail, "mend": each.mend} for each in self.violations
            ]
        return found | self.facts


class ViolationDocument(BaseModel):
    """One field that cannot be taken."""

    field: str
    detail: str
    mend: str


class ProblemDocument(BaseModel):
    """Why nothing was done (RFC 9457). `differs` is there if something else has the id: each field with both values."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    violations: list[ViolationDocument] = []
    differs: dict[str, Any] = {}


def translated(error: LedgerError) -> AdminProblem:
    """What the ledger said, as the admin plane says it."""
    match error:
        case LedgerNoTeam():
            return AdminProblem("team_not_found", str(error))
        case LedgerInvalid():
            return AdminProblem("invalid", _SCRIPT.sub("", str(error)))
        case LedgerConflict():
            return AdminProblem("changed_meanwhile", f"{error}. Nothing was changed.")
        case LedgerUnavailable():
            done = "It may have been done: ask, or send it again." if error.maybe_executed else "Nothing was changed."
            return AdminProblem("ledger_unavailable", f"The store cannot be reached: {error}. {done}")
        case LedgerBroken():
            return AdminProblem("ledger_broken", str(error))
    return AdminProblem("internal_error", str(error))


def no_team(team_id: str) -> AdminProblem:
    """Nobody of this name; a name that nobody can have is one of those."""
    return AdminProblem("team_not_found", f"There is no team {quoted(team_id)}.")


def differs(what: str, found: dict[str, tuple[Any, Any]]) -> AdminProblem:
    """An id that was given to something else: for each field what is there, and what was asked."""
    told = {name: {"is": is_, "asked": asked} for name, (is_, asked) in found.items()}
    names = ", ".join(found)
    return AdminProblem(
        "already_exists", f"There is {what} already, and it differs in {names}. Nothing was changed.",
        facts={"differs": told},
    )  # fmt: skip


def invalid(field: str, detail: str, mend: str = "") -> AdminProblem:
    """One field that cannot be taken, found out after the body was read."""
    return AdminProblem("invalid", f"{field}: {detail}.", violations=(Violation(field, detail, mend),))


def unreadable(error: ValidationError, model: type[BaseModel]) -> AdminProblem:
    """What pydantic found, in plain words, each at its field."""
    found = tuple(_violations(error, model))
    first = found[0]
    more = f" And {len(found) - 1} more." if len(found) > 1 else ""
    return AdminProblem("invalid", f"{first.field}: {first.detail}.{more}", violations=found[:VIOLATIONS_MAX])


def _violations(error: ValidationError, model: type[BaseModel]) -> Iterator[Violation]:
    for details in error.errors(include_url=False):
        location = details["loc"]
        field = _cut(".".join(str(part) for part in location)) or "body"
        if details["type"] == "extra_forbidden":
            mend = nearest_key(str(location[-1]), known_keys(model, location[:-1]))
            yield Violation(field, "is not known here", _cut(mend))
            continue
        what, mend = _IN_JSON.get(details["type"]) or words_of(details)
        yield Violation(field, _cut(what), _cut(mend))


_IN_JSON = {
    **dict.fromkeys(("model_type", "dict_type"), ("is not an object", 'Write it like {"id": "studio"}.')),
    "list_type": ("is not a list", "Write it like [1, 2]."),
    "string_type": ("is not text", "Put it in quotes."),
}
"""What is called otherwise in JSON than in a file."""


def _cut(text: str) -> str:
    whole = text if len(text) <= DETAIL_LENGTH_MAX else f"{text[: DETAIL_LENGTH_MAX - 1]}…"
    return whole.encode("utf-8", "replace").decode("utf-8")
