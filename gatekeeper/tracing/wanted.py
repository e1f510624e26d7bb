"""Whether traces are wanted and can be had. What needs OpenTelemetry is imported here, when it is."""

import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import Final, Protocol

from gatekeeper.ledger.client import StoreClient
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.metrics import Metrics
from gatekeeper.proxy.gate import Gate
from gatekeeper.settings import Settings
from gatekeeper.yamlfile import ConfigError, Problem

NEEDED: Final = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
"""What the extra brings."""

_OVER_HTTP: Final = ("http/protobuf",)

KNOWN: Final = {
    "OTEL_TRACES_EXPORTER": ("otlp", "none"),
    "OTEL_EXPORTER_OTLP_PROTOCOL": _OVER_HTTP,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": _OVER_HTTP,
    "OTEL_TRACES_SAMPLER": (
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ),
}
"""Variables that can ask for something that is not had here, which the library would pass over in silence."""

_WHERE: Final = ("tracing", "enabled")


def tracing_problems(settings: Settings) -> list[Problem]:
    """What stands in the way of traces, where they are on: the extra is missing, or a variable asks for what is not
    had."""
    wanted = getattr(settings, "tracing", None)  # a config with mistakes elsewhere is checked in parts
    return list(_problems(settings)) if wanted is not None and wanted.enabled else []


def _problems(settings: Settings) -> Iterator[Problem]:
    if not all(map(_is_there, NEEDED)):
        mend = (
            "Install opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http beside it, or write 'enabled: false'."
        )
        yield settings.problem(_WHERE, "traces take OpenTelemetry, which is not installed", mend)
    for name, values in KNOWN.items():
        said = os.environ.get(name, "").strip()
        if said and said not in values:
            mend = f"Use {' or '.join(values)}, or unset it."
            yield settings.problem(_WHERE, f"the variable {name} is {said[:80]!r}", mend)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


class Tracing(Protocol):
    """Puts spans around what a gateway does."""

    def ledger_of(self, client: StoreClient) -> Ledger:
        """A ledger with spans around its calls."""
        ...

    def of_gate(self, gate: Gate) -> Gate:
        """The same gate with spans around its requests, and around the calls of its providers."""
        ...


class Untraced:
    """Puts none around it."""

    def ledger_of(self, client: StoreClient) -> Ledger:
        """A ledger."""
        return Ledger(client)

    def of_gate(self, gate: Gate) -> Gate:
        """The same gate."""
        return gate


def open_tracing(settings: Settings, metrics: Metrics, stack: AsyncExitStack) -> Tracing:
    """Spans, where they are wanted; they leave for the collector until the stack is closed.

    Raises `ConfigError` for variables that cannot be used.
    """
    if not settings.tracing.enabled:
        return Untraced()
    from gatekeeper.tracing.spans import open_spans  # noqa: PLC0415 - the extra may not be there

    try:
        return open_spans(settings, stack, metrics.vitals.spans_lost.inc)
    except ValueError as error:
        mend = "Correct the variable of OpenTelemetry that it is about."
        raise ConfigError([settings.problem(_WHERE, str(error), mend)]) from None
