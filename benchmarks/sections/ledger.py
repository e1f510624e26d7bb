"""What the ledger costs: the store's own time for a hold and a settle, and the client's CPU.

`benchmarks.ledger_cost` has more: bytes, and whether it stays flat.
"""

from benchmarks.bench import Bench
from benchmarks.ledger_cost import HINCRBY, PIPELINE, client_rounds, server_rounds
from benchmarks.ledger_store import Rounds, Sizes
from benchmarks.results import Row, Section


async def run(bench: Bench) -> list[Section]:
    """Both tables."""
    bench.say("the ledger")
    sizes = Sizes(bench.sizes.ledger_rounds, bench.sizes.ledger_calls, holds=0, teams=0, settled=0)
    core = bench.lab.cores.store
    server, client = await server_rounds(sizes, core), await client_rounds(sizes, core)
    return [
        Section("ledger-server", "Ledger: the store's own time, no disk", "us a call", _rows(server, HINCRBY)),
        Section("ledger-client", "Ledger: CPU of the client, 50 at once", "us a call", _rows(client, PIPELINE)),
    ]


def _rows(rounds: Rounds, base: str) -> tuple[Row, ...]:
    """Medians beside the base. A thing that is measured twice in a round has two values for each of the base's."""
    return tuple(Row.of(name, values, (base, _stretched(rounds[base], len(values)))) for name, values in rounds.items())


def _stretched(values: list[float], count: int) -> list[float]:
    return [value for value in values for _ in range(count // len(values))]
