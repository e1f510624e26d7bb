"""How spans leave, and what is told when they do not."""

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gatekeeper.tracing import sending
from gatekeeper.tracing.sending import TellingExporter, close_provider, new_exporter, open_provider


class Fails(SpanExporter):
    """Answers as it is told to, one after the other."""

    def __init__(self, *works: bool) -> None:
        self._works = list(works)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if self._works.pop(0) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("works", "told"),
    [
        ((True, True), []),
        ((False, False, False), [0]),
        ((False, True, False), [0, 0]),
    ],
)
def test_lost_spans_are_told_once_until_some_come_through(works: tuple[bool, ...], told: list[int]) -> None:
    """A collector that is away for hours is one line."""
    lost = list[int]()
    exporter = TellingExporter(Fails(*works), lost.append)

    for _ in works:
        exporter.export([])

    assert told == lost


def test_nothing_is_sent_where_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OTEL_TRACES_EXPORTER=none`: spans are made, and only providers hear of them."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")

    assert None is new_exporter()


async def test_variables_say_who_this_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's name and whatever else is said of it; its instance stays its own."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "gate-eu")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setattr(sending, "new_exporter", lambda: None)

    said = open_provider().resource.attributes

    assert ("gate-eu", "test") == (said["service.name"], said["deployment.environment.name"])
    assert 36 == len(str(said["service.instance.id"]))


async def test_variables_that_contradict_each_other_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is not larger than the queue before it."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setattr(sending, "new_exporter", InMemorySpanExporter)

    with pytest.raises(ValueError, match="max_export_batch_size"):
        open_provider()


class Hangs(SpanExporter):
    """Ends when nobody waits for it any more."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def shutdown(self) -> None:
        self.go_on.wait(10)


async def test_an_end_does_not_wait_for_a_collector_that_hangs() -> None:
    """The last spans have so long, and the process goes on."""
    hanging, provider = Hangs(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(hanging))

    await close_provider(provider, 0.01)

    assert not hanging.go_on.is_set()
    hanging.go_on.set()


class Stuck(SpanExporter):
    """Takes nothing until it may; `has_begun` once it was given something."""

    def __init__(self) -> None:
        self.has_begun, self.go_on = threading.Event(), threading.Event()
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.has_begun.set()
        self.go_on.wait(10)
        self.taken += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is open."""


async def test_spans_that_the_queue_has_no_room_for_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that did not fit; all others arrive."""
    stuck, lost = Stuck(), list[int]()
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    monkeypatch.setattr(sending, "new_exporter", lambda: stuck)
    provider = open_provider(lost.append)
    tracer = provider.get_tracer("test")

    for _ in range(2):
        tracer.start_span("first").end()
    assert stuck.has_begun.wait(10)
    for _ in range(7):
        tracer.start_span("then").end()
    stuck.go_on.set()
    provider.shutdown()

    assert ([1] * 3, 6) == (lost, stuck.taken)


def test_spans_that_the_collector_does_not_take_are_counted_each_time() -> None:
    """Also those that no line tells of."""
    lost = list[int]()
    exporter = TellingExporter(Fails(False, False, True), lambda _: None, lost.append)
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("a")

    for count in (1, 2, 3):
        exporter.export([span] * count)  # type: ignore[list-item]

    assert [1, 2] == lost
