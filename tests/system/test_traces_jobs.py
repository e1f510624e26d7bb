"""Traces of what ends long after its request, and of what the ledger does not take."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from gatekeeper.ledger.errors import LedgerUnavailable
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import Settlement
from gatekeeper.tracing import sending
from tests.receiver import listening
from tests.system.jobprovider import SUCCEEDED, JobProvider
from tests.system.test_jobs_reconciled import SOON
from tests.system.tracing import ON, Traces, id_of, parent_of, told, trace_of
from tests.system.webhooking import hooked, signed
from tests.system.world import World

StartWorld = Callable[..., Awaitable[World]]


@pytest.fixture(name="traces")
def _traces(monkeypatch: pytest.MonkeyPatch) -> Traces:
    """Spans are kept in memory, and leave when they are asked for."""
    memory = InMemorySpanExporter()
    monkeypatch.setattr(sending, "new_exporter", lambda: memory)
    return Traces(memory)


def linked(span: ReadableSpan) -> list[tuple[int, int]]:
    """The traces and spans that it is linked to."""
    return [(each.context.trace_id, each.context.span_id) for each in span.links]


async def test_a_submission_is_told_with_its_hold(start_world: StartWorld, jobs: JobProvider, traces: Traces) -> None:
    """Its hold follows the job: that is its last child, and nothing is charged yet."""
    world = await start_world(provider_url=jobs.url, tracing=ON)

    await world.native(await world.key())

    request, *children = await traces.spans(world)
    assert ["hold", "upstream", "attach"] == [each.name for each in children]
    assert ("job", 49_000_000) == (told(request)["gatekeeper.outcome"], told(request)["gatekeeper.credits.held_micro"])
    assert "gatekeeper.credits.charged" not in told(request)


async def test_the_end_that_nobody_asked_for_is_linked(
    start_world: StartWorld, jobs: JobProvider, traces: Traces
) -> None:
    """A trace of its own, with the settle in it, that leads to the submission's; the questions before have none."""
    world = await start_world(provider_url=jobs.url, jobs=SOON, tracing=ON)
    await world.native(await world.key())
    await jobs.until_polled(2)
    jobs.end(SUCCEEDED)

    await world.event("job.finished")

    request, booking = await traces.request(world), await traces.called(world, "booking studio")
    settle = await traces.called(world, "settle")
    assert ([(trace_of(request), id_of(request))], None) == (linked(booking), parent_of(booking))
    assert (id_of(booking), True) == (parent_of(settle), trace_of(booking) != trace_of(request))
    words = dict(told(booking))
    assert ("reconciler", "made", 49_000_000, told(request)["gatekeeper.request_id"]) == (
        words["gatekeeper.job.via"], words["gatekeeper.job.outcome"], words["gatekeeper.credits.charged_micro"],
        words["gatekeeper.request_id"],
    )  # fmt: skip
    assert 1 == len([each for each in await traces.spans(world) if each.kind is SpanKind.CLIENT])


async def test_the_end_that_a_poll_learns_is_in_its_trace(
    start_world: StartWorld, jobs: JobProvider, traces: Traces
) -> None:
    """The booking is a child of the poll that waits for it, and linked to the submission."""
    world = await start_world(provider_url=jobs.url, tracing=ON)
    key = await world.key()
    await world.native(key)
    jobs.end(SUCCEEDED)

    await world.send("GET", "/v1/generations/job-1", key)

    submission, poll = [each for each in await traces.spans(world) if each.kind is SpanKind.SERVER]
    booking = await traces.called(world, "booking studio")
    assert "GET studio" == poll.name
    assert id_of(poll) == parent_of(booking)
    assert [(trace_of(submission), id_of(submission))] == linked(booking)


async def test_the_end_that_a_webhook_tells_is_in_its_trace(
    start_world: StartWorld, tmp_path: Path, traces: Traces
) -> None:
    """The booking is a child of the provider's call, which names no team before that, and linked to the submission."""
    async with listening() as receiver:
        scene = await hooked(start_world, receiver, providers={"replicate": signed(tmp_path)}, tracing=ON)
        await scene.submit()
        await scene.world.event("job.finished")
        await receiver.until_received(1)
        spans = await traces.spans(scene.world)

    (booking,) = [each for each in spans if each.name == "booking replicate"]
    (submission, call) = [each for each in spans if each.kind is SpanKind.SERVER]
    assert (id_of(call), [(trace_of(submission), id_of(submission))]) == (parent_of(booking), linked(booking))
    assert ("webhook", 200) == (told(booking)["gatekeeper.job.via"], told(call)["http.response.status_code"])


async def test_the_end_of_what_was_not_kept_is_not_kept(
    start_world: StartWorld, jobs: JobProvider, traces: Traces
) -> None:
    """A booking leads to its submission, or is not told."""
    world = await start_world(provider_url=jobs.url, jobs=SOON, tracing=ON)
    await world.native(await world.key(), headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-00"})
    jobs.end(SUCCEEDED)

    await world.event("job.finished")

    assert [] == await traces.spans(world)


async def test_a_store_that_is_away_is_a_failure_of_the_settle(
    start_world: StartWorld, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller has its picture; the request says that its end waits in the outbox, and nothing of a charge."""

    async def away(*_: Any) -> Settlement:
        raise LedgerUnavailable("away", maybe_executed=True)

    world = await start_world(tracing=ON)
    key = await world.key()
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "end", away)
        answer = await world.native(key)
        request, settle = await traces.request(world), await traces.called(world, "settle")

    assert (200, "deferred") == (answer.status, told(request)["gatekeeper.outcome"])
    assert (StatusCode.ERROR, "LedgerUnavailable") == (settle.status.status_code, told(settle)["error.type"])
    assert "gatekeeper.credits.charged" not in told(request)
