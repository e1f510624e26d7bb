"""Carries the provider's answer to the client, and books what it says was made before the last byte leaves.

A small answer is read whole, so that its charge can stand in the headers. A large one streams: it is in memory one
piece at a time, its last piece waits for the settlement, and a client that goes away changes nothing about what is
booked. An answer that breaks off upstream breaks off for the client too: a cut body must not look complete.
"""

from datetime import UTC, datetime, time
from email.utils import format_datetime

from aiohttp import web
from multidict import CIMultiDict

from gatekeeper.core.credits import credits_text
from gatekeeper.core.spec import Status
from gatekeeper.dialects.base import OutcomeReader
from gatekeeper.dialects.contenttype import is_event_stream
from gatekeeper.events import CredentialRefused
from gatekeeper.logs import emit
from gatekeeper.proxy.again import AnswerCopy
from gatekeeper.proxy.client_side import ClientSide
from gatekeeper.proxy.flight import Flight
from gatekeeper.proxy.gate import Call, Gate
from gatekeeper.proxy.refusals import credential_refused, from_upstream
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.headers import forwardable_response_headers
from gatekeeper.upstream.messages import UpstreamAnswer
from gatekeeper.web.answers import CREDITS_AVAILABLE, CREDITS_CHARGED, CREDITS_HELD, HOLD_ID, REQUEST_ID

WHOLE_ANSWER_BYTES_MAX = 64 * 1024
"""Up to here an answer is read whole before it goes out. Answers with URLs are this small, pictures are not."""

HTTP_UNAUTHORIZED = 401
"""Said to our credential, not to the caller's key, which never went there."""

EVENT_END = b"\n\n"
"""What ends a server-sent event."""

Headers = CIMultiDict[str]


async def deliver(flight: Flight, answer: UpstreamAnswer) -> web.StreamResponse:
    """Passes the answer on and resolves the flight from it."""
    flight.upstream_status = answer.status
    if answer.status == HTTP_UNAUTHORIZED:
        await flight.release("401: credential refused")
        provider = flight.admission.provider.name
        emit(CredentialRefused(request_id=flight.call.request_id, provider=provider, upstream_status=answer.status))
        raise credential_refused(provider)
    if answer.content_length is not None and answer.content_length <= WHOLE_ANSWER_BYTES_MAX:
        return await _deliver_whole(flight, answer)
    return await _deliver_streaming(flight, answer)


async def deliver_free(gate: Gate, call: Call, answer: UpstreamAnswer, secret: str) -> web.StreamResponse:
    """Passes on the answer of a free route. Nothing is held and nothing is booked."""
    client = _client_side(gate, call, answer, _passed_headers(answer, call.request_id, secret))
    await client.begin()
    try:
        async for piece in answer.chunks():
            await client.write(piece)
    except UpstreamError:
        await client.break_off(b"")
    await client.end(b"")
    return client.response


async def _deliver_whole(flight: Flight, answer: UpstreamAnswer) -> web.StreamResponse:
    reader, copy = _reader(flight, answer), _copy(flight, answer)
    pieces, complete = list[bytes](), True
    try:
        async for piece in answer.chunks():
            reader.feed(piece)
            copy.feed(piece)
            pieces.append(piece)
    except UpstreamError:
        complete = False
    flight.upstream_ended_s = flight.gate.clock.monotonic_s()
    await flight.land(reader.finish(complete=complete), copy.finish(complete=complete))
    client = _client_side(flight.gate, flight.call, answer, _flight_headers(flight, answer))
    await client.begin()
    await (client.end if complete else client.break_off)(b"".join(pieces))
    return client.response


async def _deliver_streaming(flight: Flight, answer: UpstreamAnswer) -> web.StreamResponse:
    """Server-sent events leave at once, for their receiver waits for each; other answers keep back one piece."""
    reader, copy = _reader(flight, answer), _copy(flight, answer)
    client = _client_side(flight.gate, flight.call, answer, _flight_headers(flight, answer))
    at_once = is_event_stream(_content_type(answer))
    kept, between_events, failure = b"", False, None
    await client.begin()
    try:
        async for piece in answer.chunks():
            reader.feed(piece)
            copy.feed(piece)
            await client.write(piece if at_once else kept)
            kept, between_events = b"" if at_once else piece, at_once and piece.endswith(EVENT_END)
    except UpstreamError as error:
        failure = error
    flight.upstream_ended_s, flight.client_waits_s = flight.gate.clock.monotonic_s(), client.waited_s
    await flight.land(reader.finish(complete=failure is None), copy.finish(complete=failure is None))
    if failure is None:
        await client.end(kept)
    else:
        await _end_broken(flight, client, failure, kept, between_events=between_events)
    return client.response


async def _end_broken(
    flight: Flight, client: ClientSide, failure: UpstreamError, kept: bytes, *, between_events: bool
) -> None:
    """Between two events of a stream one can say in words that it broke; in mid-document one can only stop."""
    rejection = from_upstream(failure, flight.admission.provider.name).rejection
    words = flight.call.dialect.render_stream_error(rejection, flight.call.request_id) if between_events else None
    if words is None:
        await client.break_off(kept)
    else:
        await client.end(words)


def _client_side(gate: Gate, call: Call, answer: UpstreamAnswer, headers: Headers) -> ClientSide:
    response = web.StreamResponse(status=answer.status, headers=headers)
    response.content_length = answer.content_length
    call.trace.answering = True
    return ClientSide(
        call.request,
        response,
        gate.clock,
        write_timeout_s=gate.client_write_timeout_s,
        total_s=gate.client_total_s,
    )


def _reader(flight: Flight, answer: UpstreamAnswer) -> OutcomeReader:
    call = flight.call
    return call.dialect.outcome_reader(call.route, answer.status, _content_type(answer))


def _copy(flight: Flight, answer: UpstreamAnswer) -> AnswerCopy:
    return AnswerCopy(flight.once, answer.status, _content_type(answer))


def _content_type(answer: UpstreamAnswer) -> str:
    found = (value for name, value in answer.raw_headers if name.lower() == b"content-type")
    return next(found, b"").decode("latin-1")


def _passed_headers(answer: UpstreamAnswer, request_id: str, secret: str) -> Headers:
    headers = CIMultiDict(forwardable_response_headers(answer.raw_headers, secret))
    # An SDK that follows a redirect would carry the team's key past the gateway.
    headers.popall("Location", None)
    headers[REQUEST_ID] = request_id
    return headers


def _flight_headers(flight: Flight, answer: UpstreamAnswer) -> Headers:
    """The provider's headers and what is known about the credits as the head goes out."""
    headers = _passed_headers(answer, flight.call.request_id, flight.admission.provider.credential.secret)
    headers[HOLD_ID] = flight.held.hold_id
    headers[CREDITS_HELD] = credits_text(flight.held.amount)
    if flight.charged is not None:
        headers[CREDITS_CHARGED] = credits_text(flight.charged)
    headers[CREDITS_AVAILABLE] = credits_text(flight.available)
    headers.update(_lifecycle_headers(flight))
    return headers


def _lifecycle_headers(flight: Flight) -> dict[str, str]:
    """`Deprecation` and `Sunset` (RFC 8594) of a deprecated offer.

    RFC 9745 gives `Deprecation` the day it began, which no catalog states; "true" is its earlier, still common form.
    """
    lifecycle = flight.admission.offer.lifecycle
    if lifecycle.status is not Status.DEPRECATED:
        return {}
    headers = {"Deprecation": "true"}
    if lifecycle.sunset is not None:
        headers["Sunset"] = format_datetime(datetime.combine(lifecycle.sunset, time(), UTC), usegmt=True)
    return headers
