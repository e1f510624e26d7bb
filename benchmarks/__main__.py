"""`make bench`: the gateway against its baselines, in one run, bounded in time, and judged by its books.

    python -m benchmarks [--quick] [--only small,latency] [--fsync always|everysec|no] [--budget-s 1200]

Exit code 0: everything was measured and the books agree. 1: an answer was wrong, or the books do not agree. What a run
left out to keep its time is named at its end. Figures that miss what they shall reach are no failure: they are figures.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from benchmarks.bench import FULL, QUICK, Bench, Sizes, open_bench
from benchmarks.books import check_books, line
from benchmarks.machine import ROOT, describe, own_cores
from benchmarks.plot import draw
from benchmarks.report import WIDTH, show
from benchmarks.results import Results
from benchmarks.sections import bodies, flying, large, latency, ledger, overload, small
from benchmarks.servers import FSYNC

SECTIONS: Final = {
    "small": (small.run, 60),
    "large": (large.run, 15),
    "latency": (latency.run, 30),
    "flying": (flying.run, 20),
    "overload": (overload.run, 20),
    "bodies": (bodies.run, 20),
    "ledger": (ledger.run, 10),
}
"""What a run has, in this order, and the seconds below which a section is not begun."""


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The gateway against its baselines.")
    parser.add_argument("--quick", action="store_true", help="within 3 minutes, with fewer rounds of smaller sizes")
    parser.add_argument("--only", default="", help=f"some sections, with commas between: {', '.join(SECTIONS)}")
    parser.add_argument("--fsync", choices=FSYNC, default=FSYNC[0], help="what the store does about its disk")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--budget-s", type=float, help="how long it may take; what does not fit is left out")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="where the results go")
    parser.add_argument("--no-plot", action="store_true", help="draw nothing")
    return parser.parse_args()


def sizes_of(stated: argparse.Namespace) -> Sizes:
    """The sizes with what was changed about them."""
    sizes = QUICK if stated.quick else FULL
    rounds = stated.rounds or sizes.rounds
    return replace(sizes, rounds=rounds, budget_s=stated.budget_s or sizes.budget_s)


async def measure(stated: argparse.Namespace, say: Console) -> Results:
    """Everything that was asked for."""
    sizes, machine, cores = sizes_of(stated), describe(), own_cores()
    results = Results(datetime.now(UTC).isoformat(timespec="seconds"), sizes.mode, machine)
    results.conditions = [cores.note, f"store: {machine['store']}, fsync {stated.fsync}, on a unix socket"]
    async with open_bench(sizes, stated.fsync, lambda what: say.print(f"  {what} ...", style="dim")) as bench:
        for name in stated.only.split(",") if stated.only else SECTIONS:
            run, least_s = SECTIONS[name]
            if bench.budget.allows(least_s, f"section {name}"):
                results.sections += await run(bench)
        await close(bench, results)
    return results


async def close(bench: Bench, results: Results) -> None:
    """The verdict on the books, and what else has to be known."""
    results.books = [book | {"line": line(book)} for book in await check_books(bench)]
    results.left_out = bench.budget.left_out
    results.took_s = time.monotonic() - bench.budget.begun_s
    results.machine["load_after"] = os.getloadavg()[0]


def keep(results: Results, directory: Path, *, plot: bool, suffix: str = "") -> Path:
    """Write the file, and the picture beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{results.at[:19].replace(':', '-')}{suffix}.json"
    path.write_text(json.dumps(results.document(), indent=1) + "\n", "utf-8")
    if plot:
        draw(results.document(), path.with_suffix(".svg"))
    return path


def main() -> int:
    """One run; gives the exit code."""
    stated, console = arguments(), Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"{own_cores().note}", highlight=False)
    results = uvloop.run(measure(stated, console))
    show(results.document(), console)
    path = keep(results, stated.results, plot=not stated.no_plot)
    for book in results.books:
        console.print(book["line"], style="green" if book["agree"] else "bold red", highlight=False)
    console.print(f"{results.took_s:.0f} s; {path}", highlight=False)
    return 0 if results.books_agree or not results.books else 1


if __name__ == "__main__":
    sys.exit(main())
