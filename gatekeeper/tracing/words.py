"""What a span says, in the names of OpenTelemetry's conventions and, for what they have no names for, in our own.

No path and no address with its query: a key may be in it. No prompt, no picture, nothing of a header but the trace's
own name. Needs OpenTelemetry.
"""

import re
from typing import Final

from aiohttp import web
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from gatekeeper.core.credits import credits_text
from gatekeeper.events import GenerationFacts

TOLD: Final = (
    "request_id", "team", "project", "phase", "provider", "dialect", "model", "operation", "resolution", "outputs",
    "price_list", "hold_id",
)  # fmt: skip
"""Of the facts that are known of a request."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""Whatever else somebody sends as a method is no name for a span."""

OTHER_METHOD: Final = "_OTHER"

PROPAGATOR: Final = TraceContextTextMapPropagator()
"""W3C Trace Context, and no other."""

_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


class _HeaderGetter(Getter[web.BaseRequest]):
    """Reads the headers of a request. A `traceparent` that comes twice is none (W3C Trace Context, section 3.2)."""

    def get(self, carrier: web.BaseRequest, key: str) -> list[str] | None:
        values = carrier.headers.getall(key, [])
        return list(values) if len(values) == 1 or (values and key != "traceparent") else None

    def keys(self, carrier: web.BaseRequest) -> list[str]:
        return list(carrier.headers)


_HEADERS: Final = _HeaderGetter()


def caller_context(request: web.BaseRequest) -> Context:
    """The span that the caller says waits for this request; what is not valid is none."""
    return PROPAGATOR.extract(request, Context(), _HEADERS)


def traceparent_of(span: Span) -> str:
    """The span's name elsewhere; "" where it has none."""
    known = span.get_span_context()
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}" if known.is_valid else ""


def read_traceparent(text: str) -> SpanContext | None:
    """The span that a job's record names."""
    found = _TRACEPARENT.fullmatch(text)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    named = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return named if named.is_valid else None


def method_of(method: str) -> str:
    """As spans have it."""
    return method if method in METHODS else OTHER_METHOD


def facts_told(facts: GenerationFacts) -> dict[str, AttributeValue]:
    """What is known of a request, and what it was priced at."""
    found = ((name, getattr(facts, name)) for name in TOLD)
    told = {f"gatekeeper.{name}": _plain(value) for name, value in found if value is not None}
    return told if facts.credits is None else told | credits_told("quoted", facts.credits)


def credits_told(name: str, amount: int) -> dict[str, AttributeValue]:
    """An amount of micro-credits, exactly: as a number, and in credits as people write them."""
    return {f"gatekeeper.credits.{name}_micro": amount, f"gatekeeper.credits.{name}": credits_text(amount)}


def fail(span: Span, kind: str) -> None:
    """A failure of this kind, which is one word. Exceptions themselves are not recorded: they may quote anything."""
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR))


def _plain(value: object) -> AttributeValue:
    return value if type(value) is int else str(value)
