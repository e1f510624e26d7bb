"""Collects what is malformed in a body, so that one answer tells the caller everything there is to mend.

Used by every reader of bodies. Violations found here are about form; whether a model takes a well-formed setting is
validated elsewhere.
"""

from collections.abc import Sequence

from gatekeeper.core.rejection import Code, Rejected, Rejection, Violation, refuse

VIOLATIONS_MAX = 20
"""Enough to mend a request by; a body of ten thousand mistakes does not get ten thousand answers."""

SHOWN_LENGTH_MAX = 40
"""So much of a wrong value or a field's name is quoted back."""


def malformed(detail: str) -> Rejected:
    """The body as a whole cannot be read; the caller raises it."""
    return refuse(Code.MALFORMED_REQUEST, detail)


def no_job() -> Rejected:
    """A request about a job that names none; the caller raises it."""
    return malformed("The request names no job.")


def shown(text: str) -> str:
    """A caller's own word, fit to be quoted: short, and without anything a terminal or a JSON writer trips over."""
    kept = text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 3] + "..."
    return "".join(character if character.isprintable() else "?" for character in kept)


class Complaints:
    """The violations of one body, in the order in which its fields were read."""

    __slots__ = ("_violations",)

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def wrong(self, field: str, given: str, wanted: str) -> None:
        """`field` is not of the form it must have."""
        self._add(Violation(Code.MALFORMED_REQUEST, shown(field), given, (wanted,)))

    def missing(self, field: str, wanted: str) -> None:
        """Without `field` this operation makes no sense."""
        self._add(Violation(Code.MISSING_PARAMETER, field, "nothing", (wanted,)))

    def unknown(self, field: str, known: Sequence[str], nearest: str | None) -> None:
        """The format has no such field, and it is our own format, so a typing mistake must not pass in silence."""
        self._add(Violation(Code.MALFORMED_REQUEST, shown(field), "an unknown field", tuple(known), nearest))

    def misspelled(self, field: str, known: str) -> None:
        """A field that some parsers take for `known`, and some do not."""
        self._add(Violation(Code.MALFORMED_REQUEST, shown(field), "another spelling", (known,), known))

    def unknown_operation(self, text: str, known: Sequence[str], nearest: str | None) -> None:
        self._add(Violation(Code.OPERATION_NOT_SUPPORTED, "operation", shown(text), tuple(known), nearest))

    def raise_any(self) -> None:
        """Raises `Rejected` with all of them, malformed ones leading, if there is one."""
        if not self._violations:
            return
        malformed_ones = [v for v in self._violations if v.code is Code.MALFORMED_REQUEST]
        leading = (malformed_ones or self._violations)[0].code
        detail = " ".join(_sentence(violation) for violation in self._violations)
        raise Rejected(Rejection(leading, detail, tuple(self._violations)))

    def _add(self, violation: Violation) -> None:
        """One complaint a field: the second is a consequence of the first."""
        known = any(violation.field == other.field for other in self._violations)
        if not known and len(self._violations) < VIOLATIONS_MAX:
            self._violations.append(violation)


def _sentence(violation: Violation) -> str:
    allowed = ", ".join(violation.supported)
    if violation.code is Code.MISSING_PARAMETER:
        return f"{violation.field} is missing: {allowed} is needed."
    if violation.code is Code.OPERATION_NOT_SUPPORTED or violation.requested == "an unknown field":
        meant = f" Nearest: {violation.nearest}." if violation.nearest else ""
        return f"{violation.field}: {violation.requested}; known are {allowed}.{meant}"
    if violation.requested == "another spelling":
        return f"{violation.field} may be taken for {allowed}; spell it so or leave it out."
    return f"{violation.field} must be {allowed}, not {violation.requested}."
