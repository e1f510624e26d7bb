"""Where spans go: in batches, by a thread of their own, to a collector by OTLP over HTTP. Needs OpenTelemetry.

Its own variables say where that is, which spans are kept, and how large a batch and the queue before it are. Nothing
waits for the collector: what does not fit into the queue is dropped, and what is not taken is told in the log. Either
is counted.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Final
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from gatekeeper import __version__
from gatekeeper.logs import emit
from gatekeeper.serverevents import TracesLost

LAST_SPANS_S_MAX: Final = 5.0
"""At the end of a process: a collector that takes longer is not there, and whoever stops a gateway waits."""

QUEUE_MAX: Final = 2048
"""What the specification of OpenTelemetry says where its variable says nothing."""

LIBRARY: Final = "opentelemetry"
"""Its own loggers write prose beside our lines, and some of it quotes what was sent."""


class TellingExporter(SpanExporter):
    """Sends by another exporter, and tells `lost` of the first spans that are lost after others came through. `count`
    hears how many were lost each time; `taken` is how many left the queue."""

    def __init__(
        self, exporter: SpanExporter, lost: Callable[[int], None], count: Callable[[int], None] = lambda _: None
    ) -> None:
        self._exporter = exporter
        self._lost, self._count = lost, count
        self._works = True
        self.taken = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """In the thread of the queue."""
        self.taken += len(spans)
        result = self._exporter.export(spans)
        works = result is SpanExportResult.SUCCESS
        if not works:
            self._count(len(spans))
            if self._works:
                self._lost(len(spans))
        self._works = works
        return result

    def shutdown(self) -> None:
        """Ends what is on its way."""
        self._exporter.shutdown()


class CountingQueue(BatchSpanProcessor):
    """The library's queue, which drops what does not fit and tells nobody: here that does not get there, and `count`
    hears of it. Spans end in one thread and are taken by another, so each has a number of its own."""

    def __init__(self, exporter: TellingExporter, count: Callable[[int], None]) -> None:
        self._most = _queue_max()
        super().__init__(exporter, self._most)
        self._taking, self._count = exporter, count
        self._given = 0

    def on_end(self, span: ReadableSpan) -> None:
        """In the thread where it ended."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._given - self._taking.taken >= self._most:
            self._count(1)
            return
        self._given += 1
        super().on_end(span)


def _queue_max() -> int:
    """As its variable says; what is no number there is passed over, as the library does."""
    said = os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE, "").strip()
    return int(said) if said.removeprefix("-").isdecimal() else QUEUE_MAX


def new_exporter() -> SpanExporter | None:
    """As the variables of OpenTelemetry say; None: nothing is sent, and spans are only named to providers."""
    return None if os.environ.get("OTEL_TRACES_EXPORTER", "").strip() == "none" else OTLPSpanExporter()


def open_provider(count: Callable[[int], None] = lambda _: None) -> TracerProvider:
    """What makes spans and sends them; `count` hears of those that are lost, in any thread. Needs a running event loop.
    Raises ValueError for variables that contradict each other."""
    logging.getLogger(LIBRARY).setLevel(logging.CRITICAL)
    provider, exporter = TracerProvider(resource=_resource(), shutdown_on_exit=False), new_exporter()
    if exporter is not None:
        loop = asyncio.get_running_loop()

        def lost(spans: int) -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it whoever could tell
                loop.call_soon_threadsafe(emit, TracesLost(spans=spans))

        provider.add_span_processor(CountingQueue(TellingExporter(exporter, lost, count), count))
    return provider


def _resource() -> Resource:
    """This process; its variables say more of it, or something else."""
    own = Resource.create(
        {
            "service.name": "gatekeeper",
            "service.version": __version__,
            "service.instance.id": str(uuid4()),
            "process.pid": os.getpid(),
        }
    )
    return own.merge(OTELResourceDetector().detect())


async def close_provider(provider: TracerProvider, timeout_s: float) -> None:
    """Sends what waits, at most so long, off the event loop; whatever goes on then ends with the process."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # it took too long, and the loop has ended
            loop.call_soon_threadsafe(done.set)

    Thread(target=close, name="last spans", daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await done.wait()
