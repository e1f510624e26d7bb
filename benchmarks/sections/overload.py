"""Three times the load that can be carried, in an open loop: what becomes of those that are let in, and of memory.

What can be carried is what 64 connections get done in a closed loop, and their p99 is what is compared: of a gateway
with all its time in use and nobody refused, where each waits only for those that are served beside him. An open loop at
the same rate has no p99 of its own, for its line grows as long as it runs. The overload comes at once, on a gateway
that was idle, and is looked at from its first request on: finding out is part of it. Every refusal must be the
overloaded one. What was held is looked at by the run's last check: nothing may be.
"""

import asyncio
from dataclasses import dataclass
from statistics import median

from benchmarks.accounting import rss_bytes
from benchmarks.bench import Bench
from benchmarks.figures import percentile
from benchmarks.load import ClosedLoop, OpenLoop, Window
from benchmarks.results import Row, Section
from benchmarks.rounds import WrongAnswersError, expect
from benchmarks.servers import Gateway
from benchmarks.traffic import Generations

CARRIED_CONNECTIONS = 64
TIMES_OVER = 3.0
REACH_P99 = 2.0
NOTICED_S = 1.0
"""From then on it is a lasting overload, and no rush."""
OVER_SECONDS_MIN = 4.0
"""Shorter, the beginning would be most of what is looked at."""
CONNECTIONS = 1024
REST_S = 1.0
"""Between two pairs: what was refused in the first is no part of what the second can carry."""
MB = 1e6


@dataclass(frozen=True, slots=True)
class Pair:
    """A window of what can be carried and one far above it."""

    carried: Window
    over: Window
    memory_mb: float


async def run(bench: Bench) -> list[Section]:
    """One table."""
    bench.say(f"{TIMES_OVER:.0f} times the load that can be carried")
    gateway = await bench.gateway("overload")
    pairs = [await _pair(bench, gateway) for _ in range(max(1, bench.sizes.rounds // 2))]
    bench.lab.stop(gateway.process)
    return [_latency(pairs), _counts(pairs)]


async def _pair(bench: Bench, gateway: Gateway) -> Pair:
    make, seconds = Generations(f"{gateway.url}/openai/v1").maker(), bench.sizes.latency_seconds
    await asyncio.sleep(REST_S)
    async with ClosedLoop(gateway.url, make, CARRIED_CONNECTIONS) as loop:
        carried = await loop.run(seconds)
    expect("what can be carried", carried, 200)
    before = rss_bytes(gateway.process.pid)
    async with OpenLoop(gateway.url, make, TIMES_OVER * _rate(carried), CONNECTIONS) as crowd:
        over = await crowd.run(max(seconds, OVER_SECONDS_MIN))
    wrong = {status: count for status, count in over.statuses.items() if status not in (200, 503)}
    if wrong:
        raise WrongAnswersError(f"over the load that can be carried: {wrong}")
    return Pair(carried, over, (rss_bytes(gateway.process.pid) - before) / MB)


def _rate(window: Window) -> float:
    return window.requests / window.seconds


def _accepted_ms(window: Window, share: float) -> float:
    return percentile(sorted(window.accepted_s), share) * 1e3


def _lasting_ms(window: Window, share: float) -> float:
    """Of what was due when it had lasted a while."""
    both = zip(window.accepted_s, window.accepted_due_s, strict=True)
    return percentile(sorted(took_s for took_s, due_s in both if due_s >= NOTICED_S), share) * 1e3


def _latency(pairs: list[Pair]) -> Section:
    rows = []
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        carried = [_accepted_ms(each.carried, share) for each in pairs]
        over = [_accepted_ms(each.over, share) for each in pairs]
        base = f"{name} of {CARRIED_CONNECTIONS} connections, all that can be carried"
        rows.append(Row.of(base, carried))
        reach = REACH_P99 if name == "p99" else None
        rows.append(Row.of(f"{name} of what is let in, at {TIMES_OVER:.0f} times", over, (base, carried), reach=reach))
        lasting = [_lasting_ms(each.over, share) for each in pairs]
        rows.append(Row.of(f"{name} after the first second of it", lasting, (base, carried), reach=reach))
    return Section(
        "overload-latency", f"At {TIMES_OVER:.0f} times the load that can be carried: latency", "ms", tuple(rows)
    )


def _counts(pairs: list[Pair]) -> Section:
    def rate(status: int) -> list[float]:
        return [each.over.statuses[status] / each.over.seconds for each in pairs]

    carried = [_rate(each.carried) for each in pairs]
    refused = median(each.over.statuses[503] / each.over.requests for each in pairs)
    rows = (
        Row.of("what can be carried", carried),
        Row.of("let in", rate(200), ("what can be carried", carried)),
        Row.of("refused with 503", rate(503), note=f"{refused:.0%} of all"),
    )
    memory = f"memory grew by {max(each.memory_mb for each in pairs):.1f} MB at most"
    title = f"At {TIMES_OVER:.0f} times the load that can be carried: requests a second"
    return Section("overload-rate", title, "/s", rows, (memory,))
