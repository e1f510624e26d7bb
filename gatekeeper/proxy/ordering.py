"""What a request asks the ledger for: how much, for how long, on whose account, and what it is counted under."""

from functools import lru_cache
from typing import Final

import orjson

from gatekeeper.ledger.holdid import RANDOM_BITS, new_hold_id
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
    provider, facts = admission.provider, call.facts
    habit = call.trace.habit = habit_of(gate, call, admission, once)
    now_ms = int(gate.clock.now().timestamp() * 1000)
    usage, meta = _words(
        facts.model, facts.operation, facts.resolution, facts.phase, facts.provider, facts.outputs, habit.traits
    )
    return HoldOrder(
        hold_id=new_hold_id(now_ms, gate.entropy.bits(RANDOM_BITS)),
        team=call.caller.team.id,
        amount=admission.quote.credits,
        ttl_ms=int((hold_ttl_s(gate, admission) if ttl_s is None else ttl_s) * 1000),
        grace_ms=int(provider.unknown_grace_s * 1000),
        on_unknown=provider.on_unknown,
        project=facts.project or "",
        member=facts.member or "",
        key_id=facts.key_id or "",
        fingerprint=once.fingerprint,
        price_list=admission.quote.price_list.id,
        once=once.name,
        once_within_ms=once.within_ms,
        shadow=call.shadow.text if call.shadow else "",
        usage=usage,
        meta=f'{meta}{facts.request_id}"}}',
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
        amount=held.amount,
        project=order.project,
        member=order.member,
        key_id=order.key_id,
        fingerprint=order.fingerprint,
        price_list=order.price_list,
        windows=held.windows,
        usage=order.usage,
    )


def hold_ttl_s(gate: Gate, admission: Admission) -> float:
    """The provider's total time, all the time a slow client may take, and the margin; a model may want more."""
    capability = admission.model.capability(admission.valid.operation)
    stated_s = (capability.hold_ttl_s if capability else None) or 0
    return max(admission.provider.timeouts.total_s + gate.client_total_s + HOLD_MARGIN_S, stated_s)
