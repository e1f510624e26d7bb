"""Carries a run out: its parts in order, within its time; then the books, the tables, the file and the plot.

    sys.exit(carry_out("benchmarks.growth", "What grows.", {"teams": Part(teams)}, {"full": FULL, "quick": QUICK}))

A part is `async def part(bench: Bench) -> list[Section]`. It starts what it needs by `bench` (`bench.gateway()`), so
that the books of every gateway are judged at the end.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from benchmarks.bench import Bench, Sizes, open_bench
from benchmarks.books import check_books, line
from benchmarks.machine import ROOT, describe, own_cores
from benchmarks.report import WIDTH, show
from benchmarks.results import Results, Section
from benchmarks.rounds import WrongAnswersError
from benchmarks.servers import FSYNC

CLOSING_S: Final = 15.0
"""Kept of the time of a run for its books."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a run, and the seconds below which it is not begun."""

    run: Callable[[Bench], Awaitable[list[Section]]]
    least_s: Callable[[Sizes], float] = lambda _sizes: 0.0


Parts = Mapping[str, Part]


def carry_out(module: str, description: str, parts: Parts, sizes: Mapping[str, Sizes], suffix: str = "") -> int:
    """One run as the command line wants it; gives the exit code. `suffix` is of the names of its files."""
    stated = _arguments(module, description, parts)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    console.print(own_cores().note, highlight=False)
    chosen = sizes["quick" if stated.quick else "full"]
    rounds, small = stated.rounds or chosen.rounds, stated.rounds or chosen.small_rounds
    chosen = replace(chosen, rounds=rounds, small_rounds=small, budget_s=stated.budget_s or chosen.budget_s)
    asked = {name: parts[name] for name in stated.only.split(",")} if stated.only else parts
    # Whatever ends a run ends what it has started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = uvloop.run(_measure(asked, chosen, stated.fsync, console))
    except (RuntimeError, OSError) as error:  # a wrong answer, a server that did not start, an answer that stayed away
        console.print(f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ()), style="bold red")
        return 1
    show(results.document(), console)
    path = keep(results, stated.results / f"{results.at[:19].replace(':', '-')}{suffix}.json", plot=not stated.no_plot)
    for book in results.books:
        console.print(book["line"], style="green" if book["agree"] else "bold red", highlight=False)
    for wrong in results.wrong:
        console.print(wrong, style="bold red", highlight=False)
    console.print(f"{results.took_s:.0f} s; {path}", highlight=False, soft_wrap=True)
    return 0 if (results.books_agree or not results.books) and not results.wrong else 1


def _arguments(module: str, description: str, parts: Parts) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--quick", action="store_true", help="fewer rounds of smaller sizes")
    parser.add_argument("--only", default="", help=f"some parts, with commas between: {', '.join(parts)}")
    parser.add_argument("--fsync", choices=FSYNC, default=FSYNC[0], help="what the store does about its disk")
    parser.add_argument("--rounds", type=int, help="how often each is measured")
    parser.add_argument("--budget-s", type=float, help="how long it may take; what does not fit is left out")
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="the directory for files")
    parser.add_argument("--no-plot", action="store_true", help="draw nothing")
    stated = parser.parse_args()
    unknown = set(filter(None, stated.only.split(","))) - set(parts)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}")
    return stated


async def _measure(parts: Parts, sizes: Sizes, fsync: str, console: Console) -> Results:
    machine = describe()
    results = Results(datetime.now(UTC).isoformat(timespec="seconds"), sizes.mode, machine)
    results.conditions = [own_cores().note, f"store: {machine['store']}, fsync {fsync}, on a unix socket"]
    sizes = replace(sizes, budget_s=sizes.budget_s - CLOSING_S)
    async with open_bench(sizes, fsync, lambda what: console.print(f"  {what} ...", style="dim")) as bench:
        for name, part in parts.items():
            if not bench.budget.allows(part.least_s(sizes), f"part {name}"):
                continue
            try:
                results.sections += await part.run(bench)
            except WrongAnswersError as error:  # the run fails for it, and keeps what the other parts have found
                results.wrong.append(f"part {name}: {error}")
        results.books = [book | {"line": line(book)} for book in await check_books(bench)]
        results.left_out = bench.budget.left_out
        results.took_s = time.monotonic() - bench.budget.begun_s
    machine["load_after"] = os.getloadavg()[0]
    return results


def keep(results: Results, path: Path, *, plot: bool) -> Path:
    """Write the file, and the picture beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.document(), indent=1) + "\n", "utf-8")
    if plot:
        from benchmarks.plot import draw  # noqa: PLC0415 - takes long, and a run's processes draw nothing

        draw(results.document(), path.with_suffix(".svg"))
    return path
