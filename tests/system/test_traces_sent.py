"""Spans on their way to a real collector, from real processes; and nothing of it where traces are off."""

import json
import os
import signal
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.system.process import gatekeeper, write_config
from tests.system.test_process import ENVIRONMENT, generate
from tests.system.tracing import Hearing

TRACED = {**ENVIRONMENT, "GATEKEEPER_TRACING__ENABLED": "true", "NO_PROXY": "127.0.0.1"}

MISSING = 'raise ImportError("there is no OpenTelemetry")'
"""What stands in the library's place where it is not installed."""


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


@pytest.fixture(name="without")
def _without(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine without the extra."""
    missing = tmp_path / "missing" / "opentelemetry"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text(MISSING)
    path = [str(missing.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path)}


async def test_without_traces_the_library_is_not_needed(
    tmp_path: Path, hearing: Hearing, without: dict[str, str]
) -> None:
    """From the start over a generation to the end nothing of ours asks for it."""
    config = write_config(tmp_path, hearing.url)
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **without) as process:
        started = await process.event("server.started")
        status, _ = await generate(started["url"])
        process.signal(signal.SIGTERM)
        code = await process.ended()

    assert (200, 0) == (status, code)


async def test_without_the_library_traces_are_refused(
    tmp_path: Path, hearing: Hearing, without: dict[str, str]
) -> None:
    """At the start, with what to install; `check` says the same."""
    config = write_config(tmp_path, hearing.url)
    wanted = without | {"GATEKEEPER_TRACING__ENABLED": "true"}
    async with gatekeeper("serve", "--config", str(config), cwd=tmp_path, **wanted) as serve:
        code = await serve.ended()
    async with gatekeeper("check", "--config", str(config), "--json", cwd=tmp_path, **wanted) as check:
        await check.ended()
        (problem,) = json.loads("".join(check.lines))["problems"]

    assert (1, []) == (code, serve.lines)
    assert ("traces take OpenTelemetry, which is not installed", True) == (
        problem["what"], "Install opentelemetry-sdk and " in problem["mend"],
    )  # fmt: skip
