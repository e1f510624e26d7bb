"""The story of a generation: read, find, validate, price, hold, send, settle.

`generate` is the whole of it and holds the control flow; every step is a leaf that returns, or raises `Rejected`.
Nothing is forwarded before the credits are held, and no way out of the `async with` leaves a hold behind. A request
that came before gets the answer it got then. Whoever is in shadow mode goes the same way: its steps note what they
would have refused, and only what has no price leaves it, unheld.
"""

from typing import Any, Final

from aiohttp import web
from aiohttp.hdrs import CONTENT_TYPE

from gatekeeper.catalog import Catalog
from gatekeeper.core.decide import may_be_remembered, settings_of
from gatekeeper.core.memo import Memo
from gatekeeper.core.rejection import Rejected
from gatekeeper.core.request import GenerationRequest, Operation, Settings
from gatekeeper.ledger.records import Repeated
from gatekeeper.proxy.admission import EVERY_MODEL, Admission, admit_call
from gatekeeper.proxy.again import answer_again
from gatekeeper.proxy.answering import deliver, deliver_free
from gatekeeper.proxy.body import body_of, small_body
from gatekeeper.proxy.flight import Flight
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.jobs.sourcing import check_sources, taken_over
from gatekeeper.proxy.keeping import looked_through
from gatekeeper.proxy.once import UNNAMED, may_be_named, name_request
from gatekeeper.proxy.quoting import quote_answer
from gatekeeper.proxy.refusals import from_upstream
from gatekeeper.proxy.sending import passing_query, send_unheld, upstream_request
from gatekeeper.proxy.shadow import may_go_unheld, pass_unheld, take_off, tell_shadow
from gatekeeper.proxy.telling import asked_words
from gatekeeper.proxy.webhooks.swap import exchange, wanted_webhook
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.messages import UpstreamAnswer, UpstreamRequest

ASKED_REMEMBERED: Final = 2048
"""What was refused, about a kilobyte each: whoever asks for what a model does not do asks again."""

MODEL_CHARS_MAX: Final = 64
"""A longer name is told anew each time: it may be any text, put into the wrong field."""

_Asked = tuple[
    dict[str, Any], str | None, str | None, Operation | None, str | None, str | None, str | None, int | None,
    bool | None,
]  # fmt: skip

_asked: Final = Memo[tuple[int, int, str | None, Settings], tuple[Catalog, object, _Asked]](ASKED_REMEMBERED)
"""By the identities of the catalog and of the provider, or of all that may serve it, which are remembered with it, the
model's name and the settings."""


async def generate(gate: Gate, call: Call) -> web.StreamResponse:
    """Answers one generation request. Raises `Rejected` or the ledger's error; then nothing is held."""
    small, asked = small_body(gate, call), None
    body = await body_of(gate, call) if small is None else small
    try:
        content_type = call.request.headers.get(CONTENT_TYPE, "")
        if small is not None:
            read = call.dialect.read_request(call.route, content_type, small)
        else:
            read = await looked_through(body, call.dialect.read_request, call.route, content_type, body)
        asked = read if call.route.job is None else await taken_over(gate, call, read)
        if call.dry_run:
            learn_asked(call, asked)
            return await quote_answer(gate, call, asked)
        admission = admit_call(call, asked)
    except Rejected as refused:
        if asked is not None:
            learn_asked(call, asked)
        if not may_go_unheld(call):
            raise
        return await pass_unheld(gate, call, body, refused.rejection)
    learn(call, admission)
    if asked.sources:
        await check_sources(gate, call, admission.provider, asked)
    webhook = None
    if admission.provider.dialect.TRAITS.webhook is not None:
        webhook = await looked_through(body, wanted_webhook, gate, call, admission.provider, body)
    query = passing_query(call)
    once = await name_request(gate, call, admission.provider, body) if may_be_named(call) else UNNAMED
    with await admission.provider.places.take():
        taken = await take_off(gate, call, admission, once)
        if isinstance(taken, Repeated):
            return await answer_again(gate, call, taken)
        async with taken as flight:
            sent = upstream_request(call, admission.provider, body, query=query)
            if webhook is not None:
                hold_id = flight.held.hold_id
                sent = await looked_through(body, exchange, gate, call, admission.provider, webhook, hold_id, sent)
            small = body = ()
            answer = await _send(flight, sent)
            try:
                return await deliver(flight, answer)
            finally:
                answer.abort()


async def pass_free(gate: Gate, call: Call) -> web.StreamResponse:
    """Lets a free route by: the provider's credential goes on, nothing is held."""
    provider = call.candidates[0]
    small = small_body(gate, call)
    sent = upstream_request(call, provider, await body_of(gate, call) if small is None else small)
    if call.shadow is not None:
        tell_shadow(gate, call, None)
    with await provider.places.take():
        answer = await send_unheld(gate, provider, sent)
        try:
            return await deliver_free(gate, call, answer, provider.credential.hidden)
        finally:
            answer.abort()


async def _send(flight: Flight, request: UpstreamRequest) -> UpstreamAnswer:
    """The head of the provider's answer, or the flight resolved by what is certain about its absence."""
    provider = flight.admission.provider
    flight.upstream_began_s = flight.gate.clock.monotonic_s()
    try:
        with flight.gate.crowd.elsewhere:
            return await provider.upstream.send(request, flight.delivery)
    except UpstreamError as error:
        flight.upstream_ended_s = flight.gate.clock.monotonic_s()
        flight.gate.metrics.traffic.upstream_failed(provider.name, error.reason.value)
        await (flight.unknown(error.reason) if error.sent else flight.release(error.reason))
        raise from_upstream(error, provider.name) from None


def learn_asked(call: Call, asked: GenerationRequest) -> None:
    """What was asked, for the line of a refusal. Free text of the caller's is logged only as far as it is one word."""
    facts, told = call.trace.facts, _asked_facts(call, asked)
    (
        words, facts.provider, facts.model, facts.operation, facts.resolution, facts.aspect_ratio, facts.size,
        facts.outputs, facts.audio,
    ) = told  # fmt: skip
    call.trace.asked = None if call.dry_run else words


def _asked_facts(call: Call, asked: GenerationRequest) -> _Asked:
    """What was asked, in words and as facts: one for all who ask the same at the same place, not to be changed."""
    catalog, candidates = call.catalog, call.candidates
    where = candidates[0] if len(candidates) == 1 else candidates
    key = id(catalog), id(where), asked.model, asked.settings or settings_of(asked)
    known = _asked.get(key)
    if known is None:
        known = catalog, where, _tell_asked(call, asked)
        if may_be_remembered(asked) and len(asked.model or "") <= MODEL_CHARS_MAX:
            _asked.put(key, known)
    return known[2]


def _tell_asked(call: Call, asked: GenerationRequest) -> _Asked:
    words, provider = asked_words(asked), call.candidates[0].name if len(call.candidates) == 1 else None
    return (
        words, provider, _catalog_name(call, words.get("model")), asked.operation, words.get("resolution"),
        words.get("aspect_ratio"), words.get("size"), asked.outputs, asked.audio,
    )  # fmt: skip


def _catalog_name(call: Call, name: str | None) -> str | None:
    """What the catalog calls the model that was asked for, as every other line does; else the name that was given."""
    provider = call.candidates[0].name if call.candidates else ""
    found = None if name is None else call.catalog.find_offer(provider, name, EVERY_MODEL)
    return name if found is None else found[0].id


def learn(call: Call, admission: Admission) -> None:
    """What the request has become, for every log line from here on."""
    facts = call.trace.facts
    (
        words, facts.provider, facts.model, facts.operation, facts.resolution, facts.aspect_ratio, facts.size,
        facts.outputs, facts.duration_s, facts.audio, facts.credits, facts.price_list,
    ) = admission.told  # fmt: skip
    if not call.dry_run:
        call.trace.asked = words
