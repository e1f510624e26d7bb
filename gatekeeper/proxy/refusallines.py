"""The log line of a refusal. One that is told again has all but the id of its request, and the time, ready.

What stands in such a line follows from the rejection, from what was asked, and from whose request it is: lines that
agree in those are alike.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gatekeeper.core.rejection import Code, Rejection
from gatekeeper.events import GenerationFacts, GenerationRejected
from gatekeeper.logs import emit, emit_alike, one_word

LOGGED: Final = "log line"
"""Where a rejection keeps what the log line says of it."""

DIFFERS: Final = (("request_id",),)
"""The gateway's own id, of plain characters."""


def tell_rejection(
    rejection: Rejection, facts: GenerationFacts, asked: dict[str, Any] | None
) -> Callable[[], GenerationRejected]:
    """Writes the line, and gives back what makes its event for whoever wants to see that."""
    make = partial(_event, rejection, facts, asked)
    if LOGGED in rejection.told:
        # The id of the request is the first of the facts.
        key = id(rejection), id(asked), tuple(vars(facts).values())[1:]
        emit_alike(make, key, (rejection, asked), DIFFERS, (f'"request_id":"{facts.request_id}"',))
    else:
        emit(make())
    return make


def _event(rejection: Rejection, facts: GenerationFacts, asked: dict[str, Any] | None) -> GenerationRejected:
    money = rejection.credits
    codes, violations = rejection.told.get(LOGGED) or _words(rejection)
    return GenerationRejected(
        facts=facts,
        code=rejection.code,
        codes=codes,
        violations=violations,
        credits_required=money.required if money else None,
        credits_available=money.available if money else None,
        status=rejection.status,
        asked=asked,
    )


def _words(rejection: Rejection) -> tuple[tuple[Code, ...], tuple[dict[str, Any], ...]]:
    """All codes and violations as the log line has them, written once for a rejection that is told again."""
    violations = tuple(
        {"code": v.code, "field": v.field, "requested": one_word(v.requested)} for v in rejection.violations
    )
    words = rejection.told[LOGGED] = rejection.codes, violations
    return words
