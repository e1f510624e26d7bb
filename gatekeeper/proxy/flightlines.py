"""The log lines of nearly every generation: that it was let in, and what was booked. They are few, but for whose it is,
its hold and how long it took: what such lines have in common is written once.
"""

from functools import lru_cache
from typing import Any, Final

import orjson

from gatekeeper.core.credits import credits_text
from gatekeeper.events import GenerationAdmitted, GenerationFacts, GenerationSettled
from gatekeeper.logs import emit, emit_alike
from gatekeeper.proxy.owing import Ended

ACCOUNTS_REMEMBERED: Final = 4096
"""Those of the teams at work, a hundred bytes each."""

_WHOSE: Final = ("request_id", "team", "project", "member", "key_id", "phase")
_ADMITTED: Final = (_WHOSE, ("hold_id", "credits_available"))
_SETTLED: Final = (_WHOSE, ("hold_id",), ("upstream_ms", "overhead_ms"))


class FlightLines:
    """Tells of one generation, of which nothing more is found out once it has its hold."""

    __slots__ = ("_facts", "_what", "_whose")

    def __init__(self, facts: GenerationFacts) -> None:
        account = _account(facts.team, facts.project, facts.member, facts.key_id, facts.phase)
        self._facts = facts
        self._whose = f'"request_id":"{facts.request_id}",{account}'
        # All that the facts say beside those, and the hold.
        self._what = (
            facts.provider, facts.dialect, facts.model, facts.operation, facts.resolution, facts.aspect_ratio,
            facts.size, facts.outputs, facts.duration_s, facts.audio, facts.credits, facts.price_list,
        )  # fmt: skip

    def admitted(self, available: int, asked: dict[str, Any] | None) -> None:
        """Its credits are held."""
        facts = self._facts
        emit_alike(
            lambda: GenerationAdmitted(facts=facts, credits_available=available, asked=asked),
            (self._what, id(asked)),
            asked,
            _ADMITTED,
            (self._whose, f'"hold_id":"{facts.hold_id}","credits_available":{credits_text(available)}'),
        )

    def settled(
        self,
        held: int,
        charged: int,
        over: int,
        end: Ended,
        status: int | None,
        upstream_ms: int | None,
        overhead_ms: float,
    ) -> None:
        """What it came to is booked."""
        facts, cost = self._facts, end.cost

        def make() -> GenerationSettled:
            return GenerationSettled(
                facts=facts,
                credits_held=held,
                credits_charged=charged,
                credits_over=over,
                outcome=end.settled_as,
                note=end.due.note,
                outputs_made=end.outputs_made,
                quality_made=end.quality_made,
                made=end.words,
                cost_reported=None if cost is None else float(cost.amount),
                cost_unit=None if cost is None else cost.unit,
                upstream_status=status,
                upstream_ms=upstream_ms,
                overhead_ms=overhead_ms,
            )

        if not end.is_usual or upstream_ms is None:
            emit(make())
            return
        key = self._what, held, charged, over, id(end), status
        took = f'"upstream_ms":{upstream_ms},"overhead_ms":{overhead_ms}'
        emit_alike(make, key, end, _SETTLED, (self._whose, f'"hold_id":"{facts.hold_id}"', took))


@lru_cache(ACCOUNTS_REMEMBERED)
def _account(team: str | None, project: str | None, member: str | None, key_id: str | None, phase: str | None) -> str:
    told = {"team": team, "project": project, "member": member, "key_id": key_id, "phase": phase}
    return orjson.dumps(told)[1:-1].decode()
