"""What traces tell of requests: their shape, their words, and what is in none of them."""

from collections.abc import Awaitable, Callable

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gatekeeper.tracing import sending
from tests.system.provider import Provider
from tests.system.tracing import (
    CALLER,
    CALLER_SPAN,
    CALLER_TRACE,
    ON,
    Hearing,
    Traces,
    id_of,
    name_of,
    parent_of,
    told,
    trace_of,
)
from tests.system.world import World

StartWorld = Callable[..., Awaitable[World]]

SAMPLED = 1
"""The flag of a trace that is kept."""


@pytest.fixture(name="traces")
def _traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    """Spans are kept in memory, and leave when they are asked for."""
    memory = InMemorySpanExporter()
    monkeypatch.setattr(sending, "new_exporter", lambda: memory)
    return Traces(memory)


async def test_a_generation_is_one_span_with_what_it_waited_for(start_world: StartWorld, traces: Traces) -> None:
    """Hold, upstream and settle are its children, in this order, and nothing else is."""
    world = await start_world(tracing=ON)

    await world.native(await world.key())

    request, *children = await traces.spans(world)
    assert "image.generate studio" == request.name
    assert [("hold", SpanKind.INTERNAL), ("upstream", SpanKind.CLIENT), ("settle", SpanKind.INTERNAL)] == [
        (each.name, each.kind) for each in children
    ]
    assert {id_of(request)} == {parent_of(each) for each in children}
    assert {trace_of(request)} == {trace_of(each) for each in children}


async def test_there_is_one_ledger(start_world: StartWorld, traces: Traces) -> None:
    """The data plane's is everybody's: what one part of the gateway tells it, all others know."""
    world = await start_world(tracing=ON)

    assert world.gateway.gate.ledger is world.gateway.store.ledger
    assert [] == await traces.spans(world)


async def test_a_generation_is_told_with_its_credits_exactly(start_world: StartWorld, traces: Traces) -> None:
    """Who asked for what, at which price, and what came of it: as the log has it."""
    world = await start_world(tracing=ON)

    answer = await world.native(await world.key())

    assert {
        "gatekeeper.request_id": answer.headers["Gatekeeper-Request-Id"],
        "gatekeeper.team": "team-0",
        "gatekeeper.provider": "studio",
        "gatekeeper.dialect": "native",
        "gatekeeper.model": "nano-banana-2",
        "gatekeeper.operation": "image.generate",
        "gatekeeper.resolution": "1K",
        "gatekeeper.outputs": 1,
        "gatekeeper.price_list": world.events("generation.settled")[0]["price_list"],
        "gatekeeper.hold_id": answer.headers["Gatekeeper-Hold-Id"],
        "gatekeeper.credits.quoted": "49",
        "gatekeeper.credits.quoted_micro": 49_000_000,
        "gatekeeper.credits.held": "49",
        "gatekeeper.credits.held_micro": 49_000_000,
        "gatekeeper.credits.charged": "49",
        "gatekeeper.credits.charged_micro": 49_000_000,
        "gatekeeper.outcome": "made",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.scheme": "http",
    } == dict(told(await traces.request(world)))


async def test_the_provider_is_a_client_span(start_world: StartWorld, traces: Traces) -> None:
    """It says whom it asked and what came, and ends before what came is booked."""
    world = await start_world(tracing=ON)

    await world.native(await world.key())

    upstream, settle = await traces.called(world, "upstream"), await traces.called(world, "settle")
    words = dict(told(upstream))
    assert ("studio", "POST", 200) == (
        words["gatekeeper.provider"], words["http.request.method"], words["http.response.status_code"],
    )  # fmt: skip
    assert ("127.0.0.1", "http") == (words["server.address"], words["url.scheme"])
    assert (upstream.end_time or 0) <= (settle.start_time or 0)


async def test_a_refusal_is_no_failure(start_world: StartWorld, traces: Traces) -> None:
    """It has its code and no status; nothing was held, so it has no children."""
    world = await start_world(tracing=ON)

    await world.native(await world.key(), resolution="64K")

    (request,) = await traces.spans(world)
    assert ("unsupported_resolution", 422) == (
        told(request)["gatekeeper.code"], told(request)["http.response.status_code"],
    )  # fmt: skip
    assert StatusCode.UNSET is request.status.status_code
    assert "gatekeeper.credits.held" not in told(request)


async def test_credits_that_are_not_there_are_no_failure(start_world: StartWorld, traces: Traces) -> None:
    """The hold was asked for, and refused."""
    world = await start_world(tracing=ON)

    await world.native(await world.key("1"))

    request, hold = await traces.spans(world)
    assert ("hold", "refused") == (hold.name, told(hold)["gatekeeper.ledger"])
    assert "insufficient_credits" == told(request)["gatekeeper.code"]
    assert {StatusCode.UNSET} == {request.status.status_code, hold.status.status_code}


async def test_no_key_is_told_without_who_asked(start_world: StartWorld, traces: Traces) -> None:
    """A request that nobody knows is one span with a code."""
    world = await start_world(tracing=ON)

    await world.send("POST", "/v1/generations", json={})

    request = await traces.request(world)
    assert ("POST native", "unauthenticated") == (request.name, told(request)["gatekeeper.code"])
    assert "gatekeeper.team" not in told(request)


async def test_a_provider_that_is_not_there_is_a_failure(start_world: StartWorld, traces: Traces) -> None:
    """Its span and the request's are errors, and the hold is released, charging nothing."""
    world = await start_world(provider_url="http://127.0.0.1:1", tracing=ON)

    await world.native(await world.key())

    request, hold, upstream, release = await traces.spans(world)
    assert ["hold", "upstream", "release"] == [hold.name, upstream.name, release.name]
    assert [StatusCode.ERROR, StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET] == [
        each.status.status_code for each in (request, hold, upstream, release)
    ]
    assert ("provider_unavailable", "refused") == (told(request)["error.type"], told(upstream)["error.type"])
    assert ("released", 0) == (told(request)["gatekeeper.outcome"], told(request)["gatekeeper.credits.charged_micro"])


async def test_an_answer_that_breaks_off_is_unknown(
    start_world: StartWorld, start_cut_stream: Callable[[bytes], Awaitable[str]], traces: Traces
) -> None:
    """Whether it was made nobody knows: a failure, though its caller had a 200."""
    url = await start_cut_stream(b'data: {"type": "image_generation.partial_image"}\n\n')
    world = await start_world(provider_url=url, tracing=ON)

    await world.openai(await world.key(), stream=True)

    request, _, upstream, unknown = await traces.spans(world)
    assert ("unknown", "unknown") == (unknown.name, told(request)["gatekeeper.outcome"])
    assert [StatusCode.ERROR, StatusCode.ERROR] == [request.status.status_code, upstream.status.status_code]
    assert (200, "unknown") == (told(request)["http.response.status_code"], told(request)["error.type"])


async def test_a_provider_that_says_no_has_an_error_in_its_span_alone(
    start_world: StartWorld, provider: Provider, traces: Traces
) -> None:
    """What the caller did wrong is no failure of the gateway's."""
    provider.status, provider.document = 400, {"error": {"code": "moderation_blocked"}}
    world = await start_world(provider_url=provider.url, tracing=ON)

    await world.openai(await world.key())

    request, upstream = await traces.request(world), await traces.called(world, "upstream")
    assert (StatusCode.UNSET, StatusCode.ERROR) == (request.status.status_code, upstream.status.status_code)
    assert "400" == told(upstream)["error.type"]


async def test_the_callers_trace_goes_on(start_world: StartWorld, hearing: Hearing, traces: Traces) -> None:
    """The request is a child of the caller's span, and the provider hears of ours in the same trace, once."""
    world = await start_world(provider_url=hearing.url, tracing=ON)

    await world.native(await world.key(), headers={"Traceparent": CALLER, "tracestate": "vendor=1"})

    request, upstream = await traces.request(world), await traces.called(world, "upstream")
    assert (CALLER_TRACE, CALLER_SPAN) == (trace_of(request), parent_of(request))
    assert [name_of(upstream)] == hearing.named("traceparent")
    assert ["vendor=1"] == hearing.named("tracestate")


@pytest.mark.parametrize("said", ["00-zz-b7ad6b7169203331-01", f"00-{'0' * 32}-b7ad6b7169203331-01", "x" * 600])
async def test_a_trace_that_is_none_is_not_gone_on_with(
    start_world: StartWorld, hearing: Hearing, traces: Traces, said: str
) -> None:
    """What is not valid begins a trace of its own, and goes no further."""
    world = await start_world(provider_url=hearing.url, tracing=ON)

    answer = await world.native(await world.key(), headers={"traceparent": said})

    request, upstream = await traces.request(world), await traces.called(world, "upstream")
    assert (200, None) == (answer.status, parent_of(request))
    assert [name_of(upstream)] == hearing.named("traceparent")


async def test_providers_need_not_hear_of_it(start_world: StartWorld, hearing: Hearing, traces: Traces) -> None:
    """With `to_providers: false` the caller's own headers pass, as they do without traces."""
    world = await start_world(provider_url=hearing.url, tracing={"enabled": True, "to_providers": False})

    await world.native(await world.key(), headers={"traceparent": CALLER})

    assert ([CALLER], CALLER_TRACE) == (hearing.named("traceparent"), trace_of(await traces.request(world)))


async def test_without_traces_the_callers_own_passes(start_world: StartWorld, hearing: Hearing) -> None:
    """And none is added where it sent none."""
    world = await start_world(provider_url=hearing.url)
    key = await world.key()

    await world.native(key, headers={"traceparent": CALLER})
    assert [CALLER] == hearing.named("traceparent")

    await world.native(key, prompt="a dog")
    assert [] == hearing.named("traceparent")


async def test_what_is_not_sampled_is_not_kept(
    start_world: StartWorld, hearing: Hearing, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual variables say what is kept; the provider hears that this was not."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    world = await start_world(provider_url=hearing.url, tracing=ON)

    await world.native(await world.key())

    assert [] == await traces.spans(world)
    (named,) = hearing.named("traceparent")
    assert 0 == int(named[-2:], 16) & SAMPLED


async def test_a_caller_that_does_not_keep_its_trace_is_followed(start_world: StartWorld, traces: Traces) -> None:
    """Its flag says so, and the usual sampler goes by it."""
    world = await start_world(tracing=ON)

    await world.native(await world.key(), headers={"traceparent": f"{CALLER[:-2]}00"})

    assert [] == await traces.spans(world)


async def test_no_span_has_a_prompt_or_a_key(start_world: StartWorld, traces: Traces) -> None:
    """Wherever a caller may have put them: names of models, of resolutions and of nothing that is known."""
    world = await start_world(tracing=ON)
    key = await world.key()

    await world.native(key, prompt="a secret garden")
    await world.native(key, model="a secret garden")
    await world.native(key, resolution="a secret garden")
    await world.send("POST", f"/openai/{key}/a%20secret%20garden", key, json={"prompt": "a secret garden"})

    everything = " ".join(span.to_json() for span in await traces.spans(world))
    assert (False, False) == ("secret" in everything, key in everything)
