"""The spans of requests and of bookings, and the gate that has them around all it does. Needs OpenTelemetry."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from typing import Final

from aiohttp import web
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, get_current_span, use_span

from gatekeeper import __version__
from gatekeeper.core.rejection import FACTS, Fault
from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.proxy.gate import Gate, Handle, Noted, Trace
from gatekeeper.proxy.jobs.record import JobRecord
from gatekeeper.settings import Settings
from gatekeeper.tracing.calls import TracedLedger, TracedSender
from gatekeeper.tracing.sending import LAST_SPANS_S_MAX, close_provider, open_provider
from gatekeeper.tracing.words import (
    caller_context,
    facts_told,
    fail,
    method_of,
    read_traceparent,
    traceparent_of,
)

NOT_THE_CALLERS: Final = frozenset({Fault.PROVIDER, Fault.GATEWAY})
"""Whose refusals are failures; that somebody asks for what is not to be had is the gate at work."""

TROUBLE: Final = frozenset({"unknown", "not_booked"})
"""Ends of a generation that are failures whatever its caller got."""

FAILED_FROM: Final = 500
"""An answer with this status or one above it is a failure of whoever gave it (the conventions for HTTP servers)."""


def open_spans(settings: Settings, stack: AsyncExitStack, count: Callable[[int], None]) -> "AllSpans":
    """Spans until the stack is closed, and a moment longer for the last of them to leave; `count` hears of those that
    are lost. Raises ValueError."""
    provider = open_provider(count)
    last_s = min(settings.server.shutdown_grace_s, LAST_SPANS_S_MAX)
    stack.push_async_callback(close_provider, provider, last_s)
    return AllSpans(provider, to_providers=settings.tracing.to_providers)


class AllSpans:
    """All spans of one process. `to_providers`: they hear of those that wait for them."""

    def __init__(self, provider: TracerProvider, *, to_providers: bool = True) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer("gatekeeper", __version__)
        self._to_providers = to_providers

    def ledger_of(self, client: StoreClient) -> Ledger:
        """A ledger with spans around its calls."""
        return TracedLedger(client, self._tracer)

    def of_gate(self, gate: Gate) -> Gate:
        """The same gate with spans around its requests, and around the calls of its providers."""
        providers = {
            name: replace(each, upstream=TracedSender(each.upstream, self._tracer, name, is_named=self._to_providers))
            for name, each in gate.providers.items()
        }
        return replace(gate, providers=providers, spans=self)

    def around(self, gate: Gate, handle: Handle) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        """The handler with a span around each request, which goes on with the trace that its caller names."""

        async def traced(request: web.BaseRequest) -> web.StreamResponse:
            span, trace, status = self._begin(request), Trace.begin(gate), None
            trace.noted = Noted(traceparent_of(span))
            try:
                with use_span(span, record_exception=False, set_status_on_exception=False):
                    answer = await handle(request, trace)
                    status = answer.status
                return answer
            finally:
                if span.is_recording():
                    _describe(span, request, trace, status)
                span.end()

        return traced

    def _begin(self, request: web.BaseRequest) -> Span:
        return self._tracer.start_span(
            method_of(request.method), caller_context(request), SpanKind.SERVER,
            record_exception=False, set_status_on_exception=False,
        )  # fmt: skip

    @contextmanager
    def booking(self, record: JobRecord, via: str, outcome: str) -> Iterator[None]:
        """A span around the booking of a job's end. Where no request waits for it, it begins a trace of its own, unless
        the submission's was not kept."""
        submission, alone = read_traceparent(record.traceparent), get_current_span() is INVALID_SPAN
        if alone and (submission is None or not submission.trace_flags.sampled):
            yield
            return
        told = facts_told(record.facts) | {"gatekeeper.job.via": via, "gatekeeper.job.outcome": outcome}
        links = [] if submission is None else [Link(submission)]
        span = self._tracer.start_span(f"booking {record.provider}", attributes=told, links=links)
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            yield


def _describe(span: Span, request: web.BaseRequest, trace: Trace, status: int | None) -> None:
    """What became of a request, told when it is over. `status` None: whoever asked is gone."""
    facts, method = trace.facts, method_of(request.method)
    whose = facts.provider or facts.dialect
    span.update_name(f"{facts.operation or method} {whose}" if whose else method)
    span.set_attributes(facts_told(facts))
    span.set_attributes({"http.request.method": method, "url.scheme": request.scheme})
    end = "client_left" if status is None else trace.ended
    if end is not None:
        span.set_attribute("gatekeeper.outcome", end)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    code = None if trace.noted is None else trace.noted.code
    if code is not None:
        span.set_attribute("gatekeeper.code", code.value)
    if trace.shadowed is not None:
        span.set_attribute("gatekeeper.shadowed", trace.shadowed.value)
    if code is not None and FACTS[code].fault in NOT_THE_CALLERS:
        fail(span, code.value)
    elif code is None and status is not None and status >= FAILED_FROM:
        fail(span, str(status))
    elif trace.ended in TROUBLE:
        fail(span, trace.ended or "")
