"""Traces of a gateway in this process, as a collector gets them: kept in memory, and read by their words."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from tests.system.world import World

ON: Any = {"enabled": True}

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""The span that a caller says waits for its request."""

CALLER_TRACE = 0x0AF7651916CD43DD8448EB211C80319C
CALLER_SPAN = 0xB7AD6B7169203331


@dataclass
class Traces:
    """What a world's gateway has told so far."""

    memory: InMemorySpanExporter

    async def spans(self, world: World) -> list[ReadableSpan]:
        """All spans that have ended, in the order in which they began."""
        spans: Any = world.gateway.gate.spans
        await asyncio.to_thread(spans.provider.force_flush)
        return sorted(self.memory.get_finished_spans(), key=lambda span: span.start_time or 0)

    async def request(self, world: World) -> ReadableSpan:
        """The span of the one request there was."""
        (span,) = [each for each in await self.spans(world) if each.kind is SpanKind.SERVER]
        return span

    async def called(self, world: World, name: str) -> ReadableSpan:
        """The one span of this name."""
        (span,) = [each for each in await self.spans(world) if each.name == name]
        return span


def told(span: ReadableSpan) -> Mapping[str, Any]:
    """The span's attributes."""
    return span.attributes or {}


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def name_of(span: ReadableSpan) -> str:
    """As others name it (W3C Trace Context)."""
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


class Hearing:
    """A provider of one picture that remembers the headers it was asked with, and a collector of what is posted."""

    def __init__(self) -> None:
        self.headers: list[list[tuple[str, str]]] = []
        self.posted: list[bytes] = []
        self.status = 200
        self.taken = asyncio.Event()
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        app.router.add_post("/{anything:.*}", self._answer)
        self._server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def named(self, name: str) -> list[str]:
        """What this header said in the last request."""
        return [value for each, value in self.headers[-1] if each.lower() == name]

    async def start(self) -> None:
        await self._server.start_server()

    async def close(self) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        self.headers.append(list(request.headers.items()))
        await request.read()
        document = {"status": "succeeded", "outputs": [{"url": "http://pictures/1.png", "width": 1024, "height": 1024}]}
        return web.json_response(document, status=self.status)

    async def _take(self, request: web.Request) -> web.Response:
        self.posted.append(await request.read())
        self.taken.set()
        return web.Response(status=self.status)
