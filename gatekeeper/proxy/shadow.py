"""Shadow mode: everything is checked, priced, held and logged, and nothing is refused.

A request goes the way of every other: what says no on that way is noted (`past.py`), and the hold is made all the same.
What no price can be found for goes by without a hold. Here is who is in shadow, what is special about such a hold, the
way of those without one, and how all of it is told. A frozen team is not let by, nor is anybody without a valid key.
"""

from collections.abc import Coroutine, Sequence

from aiohttp import web

from gatekeeper.core.outcome import Outcome
from gatekeeper.core.rejection import FACTS, Code, Rejected, Rejection, refuse
from gatekeeper.dialects.base import RouteKind
from gatekeeper.events import GenerationShadowed
from gatekeeper.ledger.records import Answer, Held, Repeated
from gatekeeper.ledger.teamrecord import TeamRecord
from gatekeeper.logs import emit, one_word
from gatekeeper.proxy import flight
from gatekeeper.proxy.admission import Admission
from gatekeeper.proxy.answering import carry, deliver_free, passage_of, refused_credential
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.once import UNNAMED, Once
from gatekeeper.proxy.past import Shadow
from gatekeeper.proxy.refusals import HTTP_UNAUTHORIZED, came_before, codes_of
from gatekeeper.proxy.sending import send_unheld, upstream_request
from gatekeeper.upstream.messages import UpstreamAnswer


def shadow_for(team: TeamRecord, candidates: tuple[Provider, ...], *, dry_run: bool) -> Shadow | None:
    """A shadow for a request that may not be refused: its team is in shadow, or whoever may serve it. A dry run
    forwards nothing, and says what would be."""
    if not team.shadow and not (candidates and candidates[0].shadow):
        return None
    is_in_shadow = team.shadow or (bool(candidates) and all(provider.shadow for provider in candidates))
    return Shadow() if is_in_shadow and not dry_run else None


def take_off(
    gate: Gate, call: Call, admission: Admission, once: Once
) -> Coroutine[None, None, flight.Flight | Repeated]:
    """As the flight's own. In shadow a request that comes again is sent again where its answer was not kept, and a name
    that another request has is no name; what would have refused the hold is told."""
    if call.shadow is None:
        return flight.take_off(gate, call, admission, once)
    return _take_off_in(call.shadow, gate, call, admission, once)


async def _take_off_in(
    shadow: Shadow, gate: Gate, call: Call, admission: Admission, once: Once
) -> flight.Flight | Repeated:
    try:
        taken = await flight.take_off(gate, call, admission, once)
        if isinstance(taken, Repeated) and await gate.ledger.answer(call.caller.team.id, taken.hold_id) is None:
            raise came_before(taken, gate.clock.now())
    except Rejected as refused:
        if refused.rejection.earlier is None:
            raise
        shadow.note(refused.rejection)
        taken = await flight.take_off(gate, call, admission, UNNAMED)
    if isinstance(taken, flight.Flight):
        tell_shadow(gate, call, taken.held)
    return taken


def may_go_unheld(call: Call) -> bool:
    """Whether a refusal may be gone past even where nothing can be held: whoever met it raises it otherwise."""
    return call.shadow is not None and bool(call.candidates)


async def pass_unheld(gate: Gate, call: Call, body: Sequence[bytes], rejection: Rejection) -> web.StreamResponse:
    """Lets by what has no price, or is about a job that nobody here knows: nothing is held, nothing is booked. Only for
    what `may_go_unheld`. Raises `Rejected` for a team that is frozen."""
    if call.caller.team.frozen:
        raise refuse(Code.TEAM_FROZEN, "This team is frozen; nothing is forwarded until its lead lifts that.")
    if call.shadow is not None:
        call.shadow.note(rejection)
    provider = call.candidates[0]
    call.trace.learn(provider=provider.name)
    sent = upstream_request(call, provider, body)
    tell_shadow(gate, call, None)
    with await provider.places.take():
        async with await send_unheld(gate, provider, sent) as answer:
            return await _pass_on(gate, call, provider, answer)


def tell_shadow(gate: Gate, call: Call, held: Held | None) -> None:
    """One log line and one metric for what would have been refused; nothing for what would not."""
    shadow, money = call.shadow, held.shadowed if held else ()
    if shadow is None:
        return
    codes = tuple(dict.fromkeys((*shadow.codes, *codes_of(money))))
    if not codes:
        return
    call.trace.shadowed = codes[0]
    gate.metrics.shadowed(codes[0])
    told = GenerationShadowed(
        facts=call.facts,
        code=codes[0],
        codes=codes,
        violations=tuple(
            {"code": v.code, "field": v.field, "requested": one_word(v.requested)} for v in shadow.violations
        ),
        credits_required=held.amount if held and money else None,
        credits_available=money[0].available if money else None,
        credits_held=held.amount if held else None,
        status=FACTS[codes[0]].status,
        asked=call.trace.asked,
    )
    emit(told)
    gate.recent.refused(lambda: told, Rejection(codes[0], "", tuple(shadow.violations)))


async def _pass_on(gate: Gate, call: Call, provider: Provider, answer: UpstreamAnswer) -> web.StreamResponse:
    """The answer as it is, but for links, which lead through the gateway as always."""
    if answer.status == HTTP_UNAUTHORIZED:
        raise refused_credential(call, provider)
    if call.route.kind is RouteKind.DOWNLOAD:
        return await deliver_free(gate, call, answer, provider.credential.hidden)

    async def land(_outcome: Outcome, _kept: Answer | None) -> None:
        """Nothing was held: there is nothing to book."""

    return await carry(passage_of(gate, call, provider, answer, land, tuple))
