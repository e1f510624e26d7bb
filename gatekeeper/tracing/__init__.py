"""Traces: one span for each request, with what it waited for as its children, in the terms of OpenTelemetry.

The rest of the gateway is as it is without them: its ledger, and the providers that the data plane gets, have spans
around their calls, and so has its handler. OpenTelemetry is an extra, and not imported unless traces are on.
"""

from gatekeeper.tracing.wanted import Tracing, open_tracing, tracing_problems

__all__ = ["Tracing", "open_tracing", "tracing_problems"]
