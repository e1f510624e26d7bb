"""`make bench`: the gateway against its baselines, in one run, bounded in time, and judged by its books.

    python -m benchmarks [--quick] [--only small,latency] [--fsync always|everysec|no] [--budget-s 1200]

Exit code 0: everything was measured and the books agree. 1: an answer was wrong, or the books do not agree. What a run
left out to keep its time is named at its end. Figures that miss what they shall reach are no failure: they are figures.
"""

import sys
from typing import Final

from benchmarks.bench import FULL, QUICK
from benchmarks.running import Part, carry_out
from benchmarks.sections import bodies, flying, large, latency, ledger, overload, small

PARTS: Final = {
    "small": Part(small.run, lambda sizes: 28 * sizes.seconds),
    "large": Part(large.run, lambda sizes: 6 * sizes.large_seconds),
    "latency": Part(latency.run, lambda sizes: 7 * sizes.latency_seconds),
    "flying": Part(flying.run, lambda sizes: sizes.flying / 100),
    "overload": Part(overload.run, lambda sizes: 5 * sizes.latency_seconds),
    "bodies": Part(bodies.run, lambda _sizes: 20),
    "ledger": Part(ledger.run, lambda sizes: sizes.ledger_rounds),
}
"""What a run has, in this order, with about what a warm-up and one round of each take."""

if __name__ == "__main__":
    sys.exit(carry_out("benchmarks", "The gateway against its baselines.", PARTS, {"full": FULL, "quick": QUICK}))
