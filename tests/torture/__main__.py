"""`python -m tests.torture --minutes N [--only PART] [--seed S]`: everything that may fail, made to fail, and a table.

Parts run beside each other, each in a process of its own. Exit code 1 if a zero is not a zero.
"""

import argparse
import asyncio
import secrets
import sys
import time
import traceback
from collections.abc import Sequence

from tests.torture.parts import PARTS, Row
from tests.torture.rows import row_from, table
from tests.torture.victims import python

ROW = "ROW "
FAULTS_SHARE = 0.1
"""Of the time that workers have."""
LANES = (("workers", "faults"), ("gateways",), ("model",), ("model",), ("mutations",))
"""What runs beside each other, and in each lane one after the other. The model twice, with seeds of its own."""
LATE_S = 300
"""A part that takes so much longer than it was given is stuck."""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=25.0, help="how long it may take (25)")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--seed", type=int, default=secrets.randbits(20), help="begin as the run that printed it")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.inside:
        print(ROW + _inside(asked.only, asked.minutes * 60, asked.seed).text(), flush=True)
        return 0
    print(f"seed {asked.seed}, {asked.minutes:g} minutes", flush=True)
    rows = asyncio.run(_all(asked.only, asked.minutes * 60, asked.seed))
    print(table(rows), flush=True)
    return 0 if all(row.is_good for row in rows) else 1


def _inside(part: str, seconds: float, seed: int) -> Row:
    """One part, in this process."""
    try:
        return PARTS[part](seconds, seed, lambda text: print(text, flush=True))
    except Exception as error:  # noqa: BLE001 - the outermost edge: a part that breaks is a row that says so
        traceback.print_exc()
        return Row(part, seed, error=f"{type(error).__name__}: {error}"[:300])


async def _all(only: str | None, seconds: float, seed: int) -> list[Row]:
    lanes: Sequence[Sequence[str]] = [(only,)] if only else LANES
    found = await asyncio.gather(*(_lane(lane, seconds, seed + 1000 * i) for i, lane in enumerate(lanes)))
    rows: dict[str, Row] = {}
    for row in (row for lane in found for row in lane):
        if row.part in rows:
            rows[row.part].add(row)
        else:
            rows[row.part] = row
    return list(rows.values())


async def _lane(parts: Sequence[str], seconds: float, seed: int) -> list[Row]:
    shares = [1.0] if len(parts) == 1 else [1 - FAULTS_SHARE, FAULTS_SHARE]
    return [await _outside(part, seconds * share, seed) for part, share in zip(parts, shares, strict=True)]


async def _outside(part: str, seconds: float, seed: int) -> Row:
    """One part in a process of its own; what it says is passed on."""
    command = python("tests.torture", "--inside", "--only", part, "--minutes", str(seconds / 60), "--seed", str(seed))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, limit=1 << 24)
    assert process.stdout is not None
    row, began_s = Row(part, seed, error="it ended without a word"), time.monotonic()
    try:
        async with asyncio.timeout(seconds + LATE_S):
            while line := (await process.stdout.readline()).decode():
                if line.startswith(ROW):
                    row = row_from(line.removeprefix(ROW))
                else:
                    print(f"{time.monotonic() - began_s:6.0f} s  {line}", end="", flush=True)
            await process.wait()
    except TimeoutError:
        process.kill()
        row.error = f"it was still running after {seconds + LATE_S:.0f} s"
    return row


if __name__ == "__main__":
    sys.exit(main())
