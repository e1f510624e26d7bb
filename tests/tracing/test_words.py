"""What spans say, and how they are named elsewhere."""

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from opentelemetry.trace import get_current_span

from gatekeeper.events import GenerationFacts
from gatekeeper.tracing.words import caller_context, credits_told, facts_told, method_of, read_traceparent

NAMED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def asked(*headers: tuple[str, str]) -> Any:
    return make_mocked_request("POST", "/", headers=CIMultiDict(headers))


def test_a_callers_span_is_known_with_its_state() -> None:
    """Whichever way its headers are written, the state in as many lines as there are."""
    request = asked(("TraceParent", NAMED), ("tracestate", "a=1"), ("tracestate", "b=2"))

    found = get_current_span(caller_context(request)).get_span_context()

    assert (0xB7AD6B7169203331, True) == (found.span_id, found.is_remote)
    assert {"a": "1", "b": "2"} == dict(found.trace_state)


@pytest.mark.parametrize(
    "headers", [(), (("traceparent", NAMED),) * 2, (("traceparent", "x"),), (("tracestate", "a=1"),)]
)
def test_what_names_no_span_is_none(headers: tuple[tuple[str, str], ...]) -> None:
    """Nothing, two at once, something else, and a state without a span."""
    assert not get_current_span(caller_context(asked(*headers))).get_span_context().is_valid


@pytest.mark.parametrize("text", ["", "x", f"{NAMED}-1", NAMED.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01"])
def test_a_record_without_a_span_names_none(text: str) -> None:
    """Also one of an older gateway, or of one without traces."""
    assert None is read_traceparent(text)


def test_a_record_names_its_span() -> None:
    """With whether its trace is kept."""
    found = read_traceparent(NAMED)

    assert found is not None
    assert (0xB7AD6B7169203331, True) == (found.span_id, found.trace_flags.sampled)


def test_credits_are_exact() -> None:
    """A micro-credit is one, and is written out."""
    assert {"gatekeeper.credits.held_micro": 1, "gatekeeper.credits.held": "0.000001"} == credits_told("held", 1)


def test_what_is_not_known_is_not_told() -> None:
    """No attribute says None."""
    assert {"gatekeeper.request_id": "r1"} == facts_told(GenerationFacts(request_id="r1"))


def test_a_made_up_method_is_no_name() -> None:
    """Whoever sends ever new ones makes no new names of spans."""
    assert ("GET", "_OTHER") == (method_of("GET"), method_of("BREW"))
