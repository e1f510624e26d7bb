"""Spans on their way to a real collector, from real processes; and nothing of it where traces are off."""

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.system.process import gatekeeper, write_config
from tests.system.test_process import ENVIRONMENT, generate
from tests.system.tracing import Hearing

TRACED = {**ENVIRONMENT, "GATEKEEPER_TRACING__ENABLED": "true", "NO_PROXY": "127.0.0.1"}

BROKEN = 'raise RuntimeError("OpenTelemetry was imported")'
"""What is in the library's place where nobody may ask for it."""


@pytest.fixture(name="hearing")
async def _hearing() -> AsyncIterator[Hearing]:
    hearing = Hearing()
    await hearing.start()
    yield hearing
    await hearing.close()


def read(posted: list[bytes]) -> tuple[list[str], set[str]]:
    """The names of the spans that arrived, and the instances of the service that they came from."""
    names, instances = list[str](), set[str]()
    for body in posted:
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            said = {pair.key: pair.value.string_value for pair in each.resource.attributes}
            assert "gatekeeper" == said["service.name"]
            instances.add(said["service.instance.id"])
            names += [span.name for scope in each.scope_spans for span in scope.spans]
    return names, instances


async def test_a_collector_has_all_spans_when_the_process_ends(tmp_path: Path, hearing: Hearing) -> None:
    """Those that waited for the next batch leave before the exit."""
    config = write_config(tmp_path, hearing.url)
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": hearing.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **TRACED, **said) as process:
        started = await process.event("server.started")
        status, _ = await generate(started["url"])
        process.signal(signal.SIGTERM)
        code = await process.ended()

    assert (200, 0) == (status, code)
    assert ["hold", "image.generate studio", "settle", "upstream"] == sorted(read(hearing.posted)[0])


async def test_each_worker_traces_itself(tmp_path: Path, hearing: Hearing) -> None:
    """Their spans come from instances of their own, and each request's once."""
    config = write_config(tmp_path, hearing.url)
    said = {"OTEL_EXPORTER_OTLP_ENDPOINT": hearing.url, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    arguments = ("serve", "--config", str(config), "--workers", "2")
    async with gatekeeper(*arguments, cwd=tmp_path, **TRACED, **said) as process:
        started = await process.event("server.started")
        statuses = {(await generate(started["url"], f"cat {number}"))[0] for number in range(20)}
        process.signal(signal.SIGTERM)
        await process.ended()

    names, instances = read(hearing.posted)
    assert ({200}, 20, 20) == (statuses, names.count("image.generate studio"), names.count("settle"))
    assert 2 == len(instances)


async def test_a_collector_that_is_away_costs_nothing_but_its_spans(tmp_path: Path, hearing: Hearing) -> None:
    """Requests are answered, one line says that spans are lost, none of the library's own does, and the end is soon."""
    config = write_config(tmp_path, hearing.url)
    said = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "1",
    }  # fmt: skip
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **TRACED, **said) as process:
        started = await process.event("server.started")
        status, _ = await generate(started["url"])
        lost = await process.event("traces.lost")
        process.signal(signal.SIGTERM)
        code = await process.ended()

    assert (200, 0, True) == (status, code, lost["spans"] >= 1)
    assert {"{"} == {line[0] for line in process.lines}
    assert 1 == len([line for line in process.lines if json.loads(line)["event"] == "traces.lost"])


async def test_without_traces_the_library_is_not_imported(tmp_path: Path, hearing: Hearing) -> None:
    """From the start over a generation to the end: one that breaks when it is imported breaks nothing."""
    config = write_config(tmp_path, hearing.url)
    broken = tmp_path / "broken" / "opentelemetry"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(BROKEN)
    path = os.pathsep.join([str(broken.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, PYTHONPATH=path, **ENVIRONMENT) as process:
        started = await process.event("server.started")
        status, _ = await generate(started["url"])
        process.signal(signal.SIGTERM)
        code = await process.ended()

    assert (200, 0) == (status, code)
