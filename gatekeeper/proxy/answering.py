"""Carries the provider's answer to the client, and books what it says was made before the last byte leaves.

A small answer is read whole, so that its charge can stand in the headers. A large one streams: it is in memory one
piece at a time, its last piece waits for the settlement, and a client that goes away changes nothing about what is
booked. An answer that breaks off upstream breaks off for the client too: a cut body must not look complete.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from functools import lru_cache, partial
from typing import Final, Never

from aiohttp import web

from gatekeeper.core.credits import credits_text
from gatekeeper.core.outcome import Outcome
from gatekeeper.core.rejection import Rejected
from gatekeeper.core.spec import Status
from gatekeeper.dialects.base import OutcomeReader
from gatekeeper.dialects.contenttype import is_event_stream
from gatekeeper.events import CredentialRefused
from gatekeeper.ledger.records import Answer
from gatekeeper.logs import emit
from gatekeeper.proxy.again import AnswerCopy
from gatekeeper.proxy.client_side import ClientSide, client_side, send_whole
from gatekeeper.proxy.flight import Flight
from gatekeeper.proxy.gate import Call, Gate, Provider
from gatekeeper.proxy.jobs.rewriting import may_have, rewrite
from gatekeeper.proxy.keeping import Corner
from gatekeeper.proxy.mounts import mount_of
from gatekeeper.proxy.once import UNNAMED, Once
from gatekeeper.proxy.refusals import HTTP_UNAUTHORIZED, credential_refused, from_upstream
from gatekeeper.proxy.unpacking import is_packed, reading, unpacked
from gatekeeper.proxy.webhooks.swap import own_webhook_shown
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.headers import NamedHeaders, content_of, forwardable_response_lines
from gatekeeper.upstream.messages import UpstreamAnswer
from gatekeeper.web.answers import CREDITS_AVAILABLE, CREDITS_CHARGED, CREDITS_HELD, HOLD_ID, REQUEST_ID, SHADOW

WHOLE_ANSWER_BYTES_MAX = 64 * 1024
"""Up to here an answer is read whole before it goes out. Answers with URLs are this small, pictures are not."""

LINKED_ANSWER_BYTES_MAX = 8 * 1024**2
"""An answer in which links may stand is read whole up to here: above it are films and pictures in text, and no links
that anybody follows."""

COPIES = 3
"""Of an answer whose links are being changed: its pieces, the whole, and the whole with others."""

REWRITTEN_AT_ONCE_BYTES = 64 * 1024
"""About 10 ms of looking for links at worst; a larger answer is looked through in a thread."""

BEGINNING_BYTES: Final = len(b"content-encoding:")
"""Of a line, as much as is looked at to know it by its name."""

EVENT_END = b"\n\n"
"""What ends a server-sent event."""

SUNSETS_MAX: Final = 1024
"""Days on which offers end; a catalog has some dozens."""


_NO_COPY: Final = AnswerCopy(UNNAMED, 0, "")
"""Of answers that nobody can ask for again."""

_DEPRECATED: Final = b"Deprecation: true"


def _nobody_asks(_at_s: float, _client_waits_s: float) -> None:
    """When the provider had done its part: of interest where something is held."""


@dataclass(slots=True)
class Passage:
    """An answer on its way from the provider to the caller.

    `land` is told the outcome, and the answer if it can be kept, before the last byte leaves; `ended` before that, when
    the provider had done its part and how long the client kept it waiting. `headers` are lines: what is known about the
    credits when the head goes out. Not frozen, like all that is made for every request: freezing takes its time.
    """

    gate: Gate
    call: Call
    provider: Provider
    answer: UpstreamAnswer
    content_type: str
    has_links: bool
    reader: OutcomeReader
    copy: AnswerCopy
    land: Callable[[Outcome, Answer | None], Awaitable[None]]
    ended: Callable[[float, float], None]
    headers: Callable[[], Sequence[bytes]]


def passage_of(  # noqa: PLR0913  # what is known of an answer, and what is to be done with it
    gate: Gate,
    call: Call,
    provider: Provider,
    answer: UpstreamAnswer,
    land: Callable[[Outcome, Answer | None], Awaitable[None]],
    headers: Callable[[], Sequence[bytes]],
    *,
    once: Once = UNNAMED,
    ended: Callable[[float, float], None] = _nobody_asks,
) -> Passage:
    """The passage of an answer, with the dialect's reader for it. Without `once` nothing of it is kept."""
    content_type, is_encoded = content_of(answer.raw_headers)
    reader = call.dialect.outcome_reader(call.route, answer.status, content_type, NamedHeaders(answer.raw_headers))
    if is_encoded:
        reader = reading(answer, reader)
    copy = AnswerCopy(once, answer.status, content_type) if once.answer_ttl_ms else _NO_COPY
    links = _may_have_links(call, content_type)
    return Passage(gate, call, provider, answer, content_type, links, reader, copy, land, ended, headers)


def deliver(flight: Flight, answer: UpstreamAnswer) -> Coroutine[None, None, web.StreamResponse]:
    """Passes the answer on and resolves the flight from it."""
    flight.upstream_status = answer.status
    if answer.status == HTTP_UNAUTHORIZED:
        return _refuse_credential(flight)

    def ended(at_s: float, client_waits_s: float) -> None:
        flight.upstream_ended_s, flight.client_waits_s = at_s, client_waits_s

    provider, headers = flight.admission.provider, partial(_flight_lines, flight)
    return carry(
        passage_of(flight.gate, flight.call, provider, answer, flight.land, headers, once=flight.once, ended=ended)
    )


async def _refuse_credential(flight: Flight) -> Never:
    await flight.release("401: credential refused")
    raise refused_credential(flight.call, flight.admission.provider)


def carry(passage: Passage) -> Coroutine[None, None, web.StreamResponse]:
    """Carries it: whole if it is small, or if it may have links in it and is not far too large; else piece by piece."""
    answer = passage.answer
    bytes_max = LINKED_ANSWER_BYTES_MAX if passage.has_links else WHOLE_ANSWER_BYTES_MAX
    length = answer.content_length
    if not passage.has_links and (length is None or length > bytes_max):
        return _deliver_large(passage)
    here = answer.whole()
    if here is None or len(here) > bytes_max:
        return _deliver_read_ahead(passage, bytes_max)
    passage.reader.feed(here)
    return _deliver_whole(passage, here, complete=True)


async def _deliver_large(passage: Passage) -> web.StreamResponse:
    with passage.gate.crowd.elsewhere:
        return await _deliver_streaming(passage, passage.answer.chunks(), [])


def refused_credential(call: Call, provider: Provider) -> Rejected:
    """Tells that the provider refused our credential, and gives what the caller hears of it."""
    emit(CredentialRefused(request_id=call.request_id, provider=provider.name, upstream_status=HTTP_UNAUTHORIZED))
    return credential_refused(provider.name)


async def deliver_free(
    gate: Gate, call: Call, answer: UpstreamAnswer, hidden: Sequence[str], own: Sequence[bytes] = ()
) -> web.StreamResponse:
    """Passes on an answer unread, with our `own` lines in its head. Nothing is held and nothing is booked."""
    lines = with_own(forwardable_response_lines(answer.raw_headers, hidden), call, own)
    length, here = answer.content_length, answer.whole()
    is_small = length is not None and length <= WHOLE_ANSWER_BYTES_MAX
    sent = send_whole(call, answer.status, lines, here) if is_small and here is not None else None
    if sent is not None:
        return sent
    client = client_side(gate, call, answer.status, lines, length)
    if is_small:
        return await _pass_whole(client, answer)
    with gate.crowd.elsewhere:
        await client.begin()
        try:
            async for piece in answer.chunks():
                await client.write(piece)
        except UpstreamError:
            await client.break_off(b"")
        await client.end(b"")
    return client.response


async def _pass_whole(client: ClientSide, answer: UpstreamAnswer) -> web.StreamResponse:
    """A small answer in one write."""
    body, complete = await _read_whole(answer)
    if complete:
        await client.send(body)
    else:
        await client.begin()
        await client.break_off(body)
    return client.response


async def _read_whole(answer: UpstreamAnswer) -> tuple[bytes, bool]:
    """What came of the body, and whether that is all of it."""
    pieces = list[bytes]()
    try:
        async for piece in answer.chunks():
            pieces.append(piece)
    except UpstreamError:
        return b"".join(pieces), False
    return b"".join(pieces), True


async def _deliver_read_ahead(passage: Passage, bytes_max: int) -> web.StreamResponse:
    """Reads the whole answer before anything of it goes out; one that turns out larger than this, or than
    there is memory for, goes on in pieces."""
    chunks, pieces, size, complete, fits = passage.answer.chunks(), list[bytes](), 0, True, True
    with Corner(passage.gate.room) as corner:
        try:
            async for piece in chunks:
                passage.reader.feed(piece)
                pieces.append(piece)
                size += len(piece)
                fits = size <= bytes_max and _may_be_kept(passage, corner, size, len(piece))
                if not fits:
                    break
        except UpstreamError:
            complete = False
        if fits:
            whole = b"".join(pieces)
            pieces.clear()
            return await _deliver_whole(passage, whole, complete=complete)
    return await _deliver_streaming(passage, chunks, pieces)


def _may_be_kept(passage: Passage, corner: Corner, size: int, more: int) -> bool:
    """Whether there is memory for more of an answer that is not small. One that may repeat the address we gave for a
    webhook is kept in any case: nobody else is to see that."""
    return size <= WHOLE_ANSWER_BYTES_MAX or corner.takes(COPIES * more) or passage.call.trace.hook is not None


async def _deliver_whole(passage: Passage, whole: bytes, *, complete: bool) -> web.StreamResponse:
    """Books what was read, and sends what is known of it with the answer."""
    passage.ended(passage.gate.clock.monotonic_s(), 0)
    plain, body = None, whole
    if passage.has_links:
        plain = await _unpacked(passage, whole)
        body = await _rewritten(passage, whole if plain is None else plain)
    passage.copy.feed(body)
    await passage.land(passage.reader.finish(complete=complete), passage.copy.finish(complete=complete))
    length = len(body) if complete else passage.answer.content_length
    lines = _lines(passage)
    if plain is not None:
        lines = [line for line in lines if not line[:BEGINNING_BYTES].lower().startswith(b"content-encoding:")]
    call, status = passage.call, passage.answer.status
    sent = send_whole(call, status, lines, body) if complete and len(body) <= WHOLE_ANSWER_BYTES_MAX else None
    if sent is not None:
        return sent
    client = client_side(passage.gate, call, status, lines, length)
    if complete:
        await client.send(body)
    else:
        await client.begin()
        await client.break_off(body)
    return client.response


async def _deliver_streaming(passage: Passage, chunks: AsyncIterator[bytes], begun: list[bytes]) -> web.StreamResponse:
    """Server-sent events leave at once, for their receiver waits for each; other answers keep back one piece.

    `begun` has been read already.
    """
    answer, reader, copy = passage.answer, passage.reader, passage.copy
    client = client_side(passage.gate, passage.call, answer.status, _lines(passage), answer.content_length)
    at_once = is_event_stream(passage.content_type)
    kept, between_events, failure = b"".join(begun), False, None
    copy.feed(kept)
    await client.begin()
    try:
        async for piece in chunks:
            reader.feed(piece)
            copy.feed(piece)
            await client.write(piece if at_once else kept)
            kept, between_events = b"" if at_once else piece, at_once and piece.endswith(EVENT_END)
    except UpstreamError as error:
        failure = error
    passage.ended(passage.gate.clock.monotonic_s(), client.waited_s)
    await passage.land(reader.finish(complete=failure is None), copy.finish(complete=failure is None))
    if failure is None:
        await client.end(kept)
    else:
        await _end_broken(passage, client, failure, kept, between_events=between_events)
    return client.response


async def _end_broken(
    passage: Passage, client: ClientSide, failure: UpstreamError, kept: bytes, *, between_events: bool
) -> None:
    """Between two events of a stream one can say in words that it broke; in mid-document one can only stop."""
    call = passage.call
    rejection = from_upstream(failure, passage.provider.name).rejection
    words = call.dialect.render_stream_error(rejection, call.request_id) if between_events else None
    if words is None:
        await client.break_off(kept)
    else:
        await client.end(words)


def _may_have_links(call: Call, content_type: str) -> bool:
    """Whether an address may stand in it that is not for the caller: a link of the provider's, or the gateway's own
    where the job has a webhook. Lenient: whatever an SDK may take for JSON."""
    if not (call.dialect.TRAITS.links or call.trace.hook):
        return False
    return not content_type or "json" in content_type.lower()


async def _unpacked(passage: Passage, body: bytes) -> bytes | None:
    """What is in a packed answer that may have links; None where there is nothing to unpack, or it cannot be."""
    if not is_packed(passage.answer):
        return None
    return await asyncio.to_thread(unpacked, body, LINKED_ANSWER_BYTES_MAX)


async def _rewritten(passage: Passage, body: bytes) -> bytes:
    """The body with links that lead through the gateway, and with the caller's own webhook."""
    if passage.call.trace.hook is None and not may_have(body, passage.call.dialect.TRAITS.links):
        return body
    if len(body) <= REWRITTEN_AT_ONCE_BYTES:
        return _shown(passage, body)
    return await asyncio.to_thread(_shown, passage, body)


def _shown(passage: Passage, body: bytes) -> bytes:
    call, links = passage.call, passage.call.dialect.TRAITS.links
    if may_have(body, links):
        body = rewrite(body, links, mount_of(passage.gate, call.request, passage.provider).through)
    return own_webhook_shown(call, body)


def _lines(passage: Passage) -> list[bytes]:
    """The provider's headers and our own, as lines."""
    own, hidden = passage.headers(), passage.provider.credential.hidden
    # What the provider may say of its offer's end we say better.
    ends = own[:1] == [_DEPRECATED]
    lines = forwardable_response_lines(passage.answer.raw_headers, hidden, changed=passage.has_links, ends=ends)
    return with_own(lines, passage.call, own)


def with_own(lines: list[bytes], call: Call, own: Sequence[bytes]) -> list[bytes]:
    """None of the provider's is called as ours are."""
    trace = call.trace
    lines.append(f"{REQUEST_ID}: {trace.facts.request_id}".encode())
    lines += own
    if trace.shadowed is not None:
        lines.append(f"{SHADOW}: {trace.shadowed}".encode())
    return lines


def shadow_headers(call: Call) -> dict[str, str]:
    """What would have become of it, for whoever develops its client."""
    return {} if call.trace.shadowed is None else {SHADOW: call.trace.shadowed}


def _flight_lines(flight: Flight) -> list[bytes]:
    """What is known about the credits as the head goes out. What says of the offer's end is the first, if it ends."""
    amount, charged = flight.held.amount, flight.charged
    held, lifecycle = credits_text(amount), flight.admission.offer.lifecycle
    lines = [f"{HOLD_ID}: {flight.held.hold_id}".encode(), f"{CREDITS_HELD}: {held}".encode()]
    if charged is not None:
        lines.append(f"{CREDITS_CHARGED}: {held if charged == amount else credits_text(charged)}".encode())
    lines.append(f"{CREDITS_AVAILABLE}: {credits_text(flight.available)}".encode())
    return [*_deprecated(lifecycle.sunset), *lines] if lifecycle.status is Status.DEPRECATED else lines


@lru_cache(maxsize=SUNSETS_MAX)
def _deprecated(sunset: date | None) -> tuple[bytes, ...]:
    """`Deprecation` and `Sunset` (RFC 8594) of a deprecated offer.

    RFC 9745 gives `Deprecation` the day it began, which no catalog states; "true" is its earlier, still common form.
    """
    if sunset is None:
        return (_DEPRECATED,)
    day = format_datetime(datetime.combine(sunset, time(), UTC), usegmt=True)
    return _DEPRECATED, f"Sunset: {day}".encode()
