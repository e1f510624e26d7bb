"""The span of a request, whatever its handler does."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import INVALID_SPAN, StatusCode, get_current_span

from gatekeeper.clock import SystemClock
from gatekeeper.core.rejection import Code
from gatekeeper.proxy.gate import Trace
from gatekeeper.tracing.spans import AllSpans

GATE: Any = SimpleNamespace(new_id=lambda: "r1", clock=SystemClock())


class Memory:
    """Spans that are kept in memory, and a handler that does as it is told."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self._spans = AllSpans(provider)

    async def handle(self, handler: Any) -> ReadableSpan:
        """The span of a request to this handler."""
        try:
            await self._spans.around(GATE, handler)(make_mocked_request("POST", "/"))
        finally:
            assert get_current_span() is INVALID_SPAN
        return self.span

    @property
    def span(self) -> ReadableSpan:
        (span,) = self._memory.get_finished_spans()
        return span


def answering(status: int, code: Code | None = None, ended: str | None = None) -> Any:
    """A handler that answers so, and notes how it ended."""

    async def handle(_request: web.BaseRequest, trace: Trace) -> web.Response:
        assert trace.noted is not None
        trace.noted.code, trace.ended = code, ended
        return web.Response(status=status)

    return handle


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (answering(200), None),
        (answering(200, ended="unknown"), "unknown"),
        (answering(200, ended="not_booked"), "not_booked"),
        (answering(500), "500"),
        (answering(502), "502"),
        (answering(404, Code.JOB_NOT_FOUND), None),
        (answering(402, Code.INSUFFICIENT_CREDITS), None),
        (answering(503, Code.LEDGER_UNAVAILABLE), "ledger_unavailable"),
        (answering(503, Code.OVERLOADED), "overloaded"),
        (answering(504, Code.PROVIDER_TIMEOUT, "unknown"), "provider_timeout"),
        (answering(422, Code.MALFORMED_REQUEST), None),
    ],
)
async def test_failures_are_ours_and_the_providers(handler: Any, failure: str | None) -> None:
    """A refusal that its caller or its team can mend is none."""
    span = await Memory().handle(handler)

    assert failure == (span.attributes or {}).get("error.type")
    assert (StatusCode.ERROR if failure else StatusCode.UNSET) is span.status.status_code


async def test_a_caller_that_is_gone_is_told() -> None:
    """Its span ends, has no status, and the next request on the connection is not within it."""
    memory = Memory()

    async def left(_request: web.BaseRequest, _trace: Trace) -> web.Response:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await memory.handle(left)

    assert "client_left" == (memory.span.attributes or {})["gatekeeper.outcome"]
    assert StatusCode.UNSET is memory.span.status.status_code


async def test_no_exception_is_quoted() -> None:
    """What one says may be anything, a prompt too."""
    memory = Memory()

    async def fails(_request: web.BaseRequest, _trace: Trace) -> web.Response:
        raise ValueError("a secret garden")

    with pytest.raises(ValueError, match="garden"):
        await memory.handle(fails)

    assert "garden" not in memory.span.to_json()


async def test_a_name_of_its_own_for_whoever_continues() -> None:
    """The request notes its span as others name it."""
    noted = list[str]()

    async def handle(_request: web.BaseRequest, trace: Trace) -> web.Response:
        noted.append("" if trace.noted is None else trace.noted.traceparent)
        return web.Response()

    span = await Memory().handle(handle)

    assert span.context is not None
    assert [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"] == noted[0].split("-")[1:3]
