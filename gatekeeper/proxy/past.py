"""What is done about a step that says no: it ends the request there, or in shadow mode is noted and gone past.

A step that may be gone past stands in `with call.past:`. Nothing here decides who is in shadow.
"""

from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Final

from gatekeeper.core.rejection import Code, Rejected, Rejection, Violation
from gatekeeper.ledger.bounds import SHADOW_CHARS_MAX

NOTHING_NOTED: Final = "shadow"
"""What the ledger is told of a request that nothing has said no to yet."""

Past = AbstractContextManager[object, bool | None]

ENFORCED: Final[Past] = nullcontext()
"""Outside of shadow mode: who says no is heard."""


class Shadow:
    """The refusals that one request would have met, in their order."""

    def __init__(self) -> None:
        self.noted: list[Rejection] = []

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, Rejected):
            self.note(error.rejection)
        return isinstance(error, Rejected)

    def note(self, rejection: Rejection) -> None:
        """Adds one; the same again, of a step that is asked twice, is one."""
        if rejection not in self.noted:
            self.noted.append(rejection)

    @property
    def codes(self) -> tuple[Code, ...]:
        """All that apply, each once; the one that would have been told leads."""
        return tuple(dict.fromkeys(code for rejection in self.noted for code in rejection.codes))

    @property
    def violations(self) -> tuple[Violation, ...]:
        return tuple(violation for rejection in self.noted for violation in rejection.violations)

    @property
    def text(self) -> str:
        """Why it is let by, for the ledger: as many of the codes as there is room for."""
        told = ",".join(self.codes) or NOTHING_NOTED
        return told if len(told) <= SHADOW_CHARS_MAX else told[:SHADOW_CHARS_MAX].rpartition(",")[0]
