"""What a request asks the ledger for: how much, for how long, on whose account, and what it is counted under."""

from functools import lru_cache
from typing import Final

import orjson

from gatekeeper.ledger.holdid import RANDOM_DIGITS, hold_id_of
from gatekeeper.ledger.records import Held, HoldContext, HoldOrder
from gatekeeper.ledger.usagebook import usage_text
from gatekeeper.proxy.admission import Admission
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.habits import habit_of
from gatekeeper.proxy.once import Once

HOLD_MARGIN_S = 60
"""A hold outlives all that its request may take by this much, so that time never resolves one that still runs."""


WORDS_REMEMBERED: Final = 4096
"""Settings that are told of holds, some hundred bytes each: all of them are of the catalog or of closed lists."""


def order_of(gate: Gate, call: Call, admission: Admission, once: Once, ttl_s: float | None) -> HoldOrder:
    """What the ledger is asked to keep aside for this request. `ttl_s` None: as long as its provider may need."""
    provider, quote, facts = admission.provider, admission.quote, call.trace.facts
    habit = call.trace.habit = habit_of(gate, call, admission, once)
    usage, meta = _words(
        facts.model, facts.operation, facts.resolution, facts.phase, facts.provider, facts.outputs, habit.traits
    )
    # In the order of its fields: sixteen names to look up would cost as much as all the rest of it.
    return HoldOrder(
        hold_id_of(gate.clock.now_ms(), gate.entropy.digits(RANDOM_DIGITS)),
        call.caller.team.id,
        quote.credits,
        int((hold_ttl_s(gate, admission) if ttl_s is None else ttl_s) * 1000),
        int(provider.unknown_grace_s * 1000),
        provider.on_unknown,
        facts.project or "",
        facts.member or "",
        facts.key_id or "",
        once.fingerprint,
        quote.price_list.id,
        f'{meta}{facts.request_id}"}}',
        once.name,
        once.within_ms,
        usage,
        call.shadow.text if call.shadow else "",
    )


@lru_cache(WORDS_REMEMBERED)
def _words(
    model: str | None, operation: str | None, resolution: str | None, phase: str | None, provider: str | None,
    outputs: int | None, traits: tuple[str, ...],
) -> tuple[str, str]:  # fmt: skip
    """What a hold is counted under, and what its journal entry tells of it, up to the id of its request: that is the
    gateway's own, hexadecimal digits."""
    told = {"model": model, "operation": operation, "resolution": resolution, "phase": phase, "provider": provider,
            "outputs": outputs, "request_id": ""}  # fmt: skip
    meta = orjson.dumps({name: value for name, value in told.items() if value is not None}).decode()
    return usage_text(model, operation, resolution, phase, provider, traits), meta.removesuffix('"}')


def context_of(order: HoldOrder, held: Held) -> HoldContext:
    """All that it takes to book the outcome in a store that has lost the hold."""
    return HoldContext(
        held.amount, order.project, order.member, order.key_id, order.fingerprint, order.price_list, held.windows,
        order.usage,
    )  # fmt: skip


def hold_ttl_s(gate: Gate, admission: Admission) -> float:
    """The provider's total time, all the time a slow client may take, and the margin; a model may want more."""
    return max(admission.provider.timeouts.total_s + gate.client_total_s + HOLD_MARGIN_S, admission.ttl_s)
