"""Spans around what a request waits for: the calls of the ledger that move its credits, and those of its provider.

A call that no traced request and no traced booking waits for has no span. Needs OpenTelemetry.
"""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Tracer, get_current_span, set_span_in_context
from opentelemetry.util.types import AttributeValue

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.errors import LedgerError
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Answer, Attached, Ending, Held, HoldOrder, HoldResult, Marked, Refused, Settlement
from gatekeeper.tracing.words import PROPAGATOR, credits_told, fail, method_of
from gatekeeper.upstream.failure import UpstreamError
from gatekeeper.upstream.messages import Delivery, RawHeaders, Sender, UpstreamAnswer, UpstreamRequest

FAILED_FROM: Final = 400
"""To whoever asked, an answer with this status or one above it is an error (the conventions for HTTP clients)."""

_OF_TRACES: Final = ("traceparent", "tracestate")
_LINES_OF_TRACES: Final = tuple(f"{name}:".encode() for name in _OF_TRACES)
_LINE_BEGINS_BYTES: Final = max(map(len, _LINES_OF_TRACES))

_LEFT: Final = "gatekeeper.client_left"


class TracedLedger(Ledger):
    """A ledger with a span around each call that holds credits, ends a hold or says that its end is unknown.

    What was held and charged stands at the span of the request too.
    """

    def __init__(self, client: StoreClient, tracer: Tracer) -> None:
        super().__init__(client)
        self._tracer = tracer

    async def hold(self, order: HoldOrder) -> HoldResult:
        with self._span("hold") as span:
            result = await super().hold(order)
            if isinstance(result, Held):
                _say(span, {"gatekeeper.hold_id": result.hold_id} | credits_told("held", result.amount))
            span.set_attribute("gatekeeper.ledger", _hold_word(result))
        return result

    async def end(self, team_id: str, ending: Ending) -> Settlement:
        with self._span(_end_word(ending), ending.hold_id) as span:
            settlement = await super().end(team_id, ending)
            _say(span, credits_told("charged", settlement.charged))
            span.set_attribute("gatekeeper.ledger", str(settlement.status))
        return settlement

    async def mark_unknown(self, hold_id: str, team_id: str, *, reason: str = "") -> Marked:
        with self._span("unknown", hold_id) as span:
            marked = await super().mark_unknown(hold_id, team_id, reason=reason)
            span.set_attribute("gatekeeper.ledger", str(marked.status))
        return marked

    async def attach_job(
        self, hold_id: str, team_id: str, job: str, *,
        ttl_ms: int, names: Sequence[str] = (), keep_ms: int = 0, answer: Answer | None = None,
    ) -> Attached:  # fmt: skip
        with self._span("attach", hold_id) as span:
            attached = await super().attach_job(
                hold_id, team_id, job, ttl_ms=ttl_ms, names=names, keep_ms=keep_ms, answer=answer
            )
            span.set_attribute("gatekeeper.ledger", str(attached.status))
        return attached

    @contextmanager
    def _span(self, name: str, hold_id: str = "") -> Iterator[Span]:
        if get_current_span() is INVALID_SPAN:
            yield INVALID_SPAN
            return
        span = _begin(self._tracer, name, {"gatekeeper.hold_id": hold_id} if hold_id else {})
        try:
            yield span
        except LedgerError as error:
            fail(span, type(error).__name__)
            raise
        except CancelledError:
            span.set_attribute(_LEFT, value=True)
            raise
        finally:
            span.end()


class TracedSender:
    """Sends by another, with a span around each exchange, which ends when the answer is here or given up.

    `is_named`: the provider hears of that span, in place of the one that the caller named.
    """

    def __init__(self, sender: Sender, tracer: Tracer, provider: str, *, is_named: bool) -> None:
        self._sender = sender
        self._tracer = tracer
        self._provider = provider
        self._is_named = is_named

    async def send(self, request: UpstreamRequest, delivery: Delivery | None = None) -> UpstreamAnswer:
        """As the other does."""
        if get_current_span() is INVALID_SPAN:
            return await self._sender.send(request, delivery)
        span = _begin(self._tracer, "upstream", _asked(request, self._provider), SpanKind.CLIENT)
        if self._is_named:
            _name_span(request, span)
        try:
            answer = await self._sender.send(request, delivery)
        except UpstreamError as error:
            _end(span, error)
            raise
        except BaseException:
            span.set_attribute(_LEFT, value=True)
            span.end()
            raise
        span.set_attribute("http.response.status_code", answer.status)
        if answer.status >= FAILED_FROM:
            fail(span, str(answer.status))
        return TracedAnswer(answer, span)


class TracedAnswer:
    """An answer whose span ends with its last byte, or when nobody wants more of it."""

    def __init__(self, answer: UpstreamAnswer, span: Span) -> None:
        self._answer = answer
        self._span: Span | None = span

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def raw_headers(self) -> RawHeaders:
        return self._answer.raw_headers

    @property
    def content_length(self) -> int | None:
        return self._answer.content_length

    def whole(self) -> bytes | None:
        here = self._answer.whole()
        if here is not None:
            self._ended()
        return here

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.chunks():
                yield piece
        except UpstreamError as error:
            self._ended(error)
            raise
        self._ended()

    def abort(self) -> None:
        self._ended()
        self._answer.abort()

    async def aclose(self) -> None:
        self._ended()
        await self._answer.aclose()

    async def __aenter__(self) -> "TracedAnswer":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _ended(self, error: UpstreamError | None = None) -> None:
        span, self._span = self._span, None
        if span is not None:
            _end(span, error)


def _begin(
    tracer: Tracer, name: str, attributes: dict[str, AttributeValue], kind: SpanKind = SpanKind.INTERNAL
) -> Span:
    return tracer.start_span(
        name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
    )


def _end(span: Span, error: UpstreamError | None = None) -> None:
    if error is not None:
        fail(span, error.reason.value)
        span.set_attribute("gatekeeper.sent", error.sent)
    span.end()


def _say(span: Span, told: dict[str, AttributeValue]) -> None:
    """At the span, and at that of the request or booking that waits for it."""
    span.set_attributes(told)
    get_current_span().set_attributes(told)


def _asked(request: UpstreamRequest, provider: str) -> dict[str, AttributeValue]:
    """Where it goes. Its path and query are left out: a credential may be in them, or somebody's own words."""
    address = urlsplit(request.url)
    told: dict[str, Any] = {
        "http.request.method": method_of(request.method),
        "url.scheme": address.scheme,
        "server.address": address.hostname,
        "server.port": address.port or (443 if address.scheme == "https" else 80),
        "gatekeeper.provider": provider,
    }
    return told


def _name_span(request: UpstreamRequest, span: Span) -> None:
    """Names it to whoever gets the request, where the caller's own may stand."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier, set_span_in_context(span))
    kept = tuple((name, value) for name, value in request.headers if name.lower() not in _OF_TRACES)
    request.headers = (*kept, *carrier.items())
    request.lines = [
        line for line in request.lines if not line[:_LINE_BEGINS_BYTES].lower().startswith(_LINES_OF_TRACES)
    ]


def _hold_word(result: HoldResult) -> str:
    return "held" if isinstance(result, Held) else "refused" if isinstance(result, Refused) else "repeated"


def _end_word(ending: Ending) -> str:
    """What is charged or was made is settled; where there is nothing of either the hold is released."""
    if ending.undo:
        return "undo"
    return "settle" if ending.amount or ending.outputs else "release"
